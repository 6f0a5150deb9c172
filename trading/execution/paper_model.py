"""How the paper broker departs from a market that fills everything at the quote: latency, slippage,
depth, refusals.

All of it follows from the configuration, the order and the frame: what is drawn is a hash of the
order's id, so a restart and a replay draw the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from trading.execution.closing import TICK_PAISE

if TYPE_CHECKING:
    from trading.execution.orders import Order

MILLION = 1_000_000
_LARGEST_LATENCY_MS = 60_000


class BrokerConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The session's broker: what it declares, and how the paper one fills.

    `latency_ms` passes before an order, or a cancellation, is with the exchange. A fill at the
    market is worse than the quote by `slippage_ticks` and by `slippage_spread_ppm` of the spread.
    Of what is quoted `depth_ppm` may be taken. `reject_ppm` of orders are refused, by a draw with
    `seed`. `answer_seconds` is how long an answer may take, `orders_per_second` what it takes,
    `algo_id` the exchange's tag of the algorithm.
    """

    name: str = "paper"
    algo_id: str = "PAPER"
    orders_per_second: int = 10
    answer_seconds: int = 30
    latency_ms: int = 0
    slippage_ticks: int = 0
    slippage_spread_ppm: int = 0
    depth_ppm: int = MILLION
    reject_ppm: int = 0
    seed: int = 0

    @property
    def latency_us(self) -> int:
        return 1000 * self.latency_ms

    def problem(self) -> str | None:
        """What is wrong with it, None when nothing is: the field, its value, what was expected."""
        if self.name != "paper":
            return f"broker.name is {self.name!r}, expected paper"
        if not self.algo_id:
            return "broker.algo_id is empty, expected the exchange's tag of the algorithm"
        for field, low, high in (
            ("orders_per_second", 1, 1000),
            ("answer_seconds", 1, 3600),
            ("latency_ms", 0, _LARGEST_LATENCY_MS),
            ("slippage_ticks", 0, 1000),
            ("slippage_spread_ppm", 0, 10 * MILLION),
            ("depth_ppm", 1, MILLION),
            ("reject_ppm", 0, MILLION),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                return f"broker.{field} is {value}, expected {low} to {high}"
        return None


def is_drawn(order: str, share_ppm: int, seed: int) -> bool:
    """Whether an order is among a share of all, by a hash of its id."""
    digest = sha256(f"{seed} {order}".encode()).digest()
    return int.from_bytes(digest[:8]) % MILLION < share_ppm


def depth_left(quoted: int | None, taken: int, depth_ppm: int) -> int | None:
    """Units of a quote that may still be taken in its frame; None where it shows no quantity."""
    if quoted is None:
        return None
    return max(0, quoted * depth_ppm // MILLION - taken)


def fill_price(
    order: Order, quote_paise: int, other_paise: int | None, model: BrokerConfiguration
) -> int | None:
    """The price an order is filled at when the opposite quote is `quote_paise` and its own side's
    `other_paise`; None when its limit is not reached.

    At the market, or at a limit that was beyond the market when it was decided: the quote made
    worse by the slippage, outward to the tick, at least a tick and never beyond the limit. A limit
    inside the market rests, and is filled at its own price once the opposite quote has come to it:
    first in the queue, as there is no queue.
    """
    limit = order.limit_paise
    if not order.takes(quote_paise):
        return None
    if limit is not None and _rests(order, limit):
        return limit
    worse = quote_paise + order.sign * _slippage_paise(quote_paise, other_paise, model)
    worse = max(TICK_PAISE, worse)
    if limit is None:
        return worse
    return min(worse, limit) if order.side == "BUY" else max(worse, limit)


def is_modelled(model: BrokerConfiguration) -> bool:
    """Whether a fill at the market is at another price than a quote."""
    return bool(model.slippage_ticks or model.slippage_spread_ppm)


def _rests(order: Order, limit_paise: int) -> bool:
    expected = order.expected_paise
    return expected is not None and order.sign * (limit_paise - expected) < 0


def _slippage_paise(quote_paise: int, other_paise: int | None, model: BrokerConfiguration) -> int:
    spread = 0 if other_paise is None else abs(quote_paise - other_paise)
    part = -(-spread * model.slippage_spread_ppm // (MILLION * TICK_PAISE)) * TICK_PAISE
    return model.slippage_ticks * TICK_PAISE + part
