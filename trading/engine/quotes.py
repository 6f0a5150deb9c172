"""What a frame shows of one contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.state import Quote
from trading.execution.market_quotes import closing_price, opposite_quote

if TYPE_CHECKING:
    from trading.execution.orders import Contract
    from trading.market.frames import ExpiryBlock, MarketFrame


def quote_of(frame: MarketFrame, contract: Contract) -> Quote:
    """Return the quote of a contract; of an end-of-day record its close for both sides. What the
    frame does not show is None.
    """
    close = closing_price(frame, contract)
    if frame.is_end_of_day:
        bid, ask = close, close
    else:
        bid = opposite_quote(frame, contract, "SELL")[0]
        ask = opposite_quote(frame, contract, "BUY")[0]
    block = _block(frame, contract)
    return Quote(
        bid_paise=bid,
        ask_paise=ask,
        at=frame.available_at,
        last_paise=close,
        forward_paise=block.forward_paise if block else None,
        expires_at_us=block.expires_at_us if block else None,
    )


def _block(frame: MarketFrame, contract: Contract) -> ExpiryBlock | None:
    return next((block for block in frame.chain if block.expiry == contract.expiry), None)
