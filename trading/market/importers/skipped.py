"""What is no market data, told by its content, and why it is passed over.

A folder of market data holds other things too: licences, a broker's answers about one's own
account, single quotes of the kind shown in documentation. They are no error and no row: the import
lists each with its reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading.market.importers.head import FileHead

_ACCOUNT = "a broker's answer about an account (orders, trades, positions, margins), no market data"
_QUOTE = "one quote as an API answers it: no chain, no contract's terms, no series"
_TICK = "one message of a broker's stream, as its documentation shows it"
_EMPTY = "an answer without data"

_JSON = (
    (re.compile(r'"(order_ids?|orderId|trade_id|exchangeTradeId)"\s*:'), _ACCOUNT),
    (re.compile(r'"(net|utilised|enabled|overnight_quantity)"\s*:'), _ACCOUNT),
    (re.compile(r'"mode"\s*:\s*"(ltp|quote|full)"'), _TICK),
    (re.compile(r'"data"\s*:\s*(\{\s*\}|\[\s*\]|null)'), _EMPTY),
    (re.compile(r'"(last_price|ohlc)"\s*:'), _QUOTE),
)
_LICENCE = re.compile(r"\b(licen[cs]e|copyright)\b", re.IGNORECASE)
_PACKET = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}\s*")
_PROSE = re.compile(r"#{1,3} \S")


def reason(head: FileHead) -> str | None:
    """Why a file that no importer recognises is passed over, None for one that nobody knows."""
    text = "\n".join(head.lines)
    if text.lstrip().startswith(("{", "[")):
        return next((why for pattern, why in _JSON if pattern.search(text)), None)
    if _PACKET.fullmatch(text):
        return "a packet of a broker's stream in base64, as its documentation shows it"
    if _PROSE.match(text):
        return "a text about the data, no data"
    if _LICENCE.search("\n".join(head.lines[:5])):
        return "a licence"
    return None
