"""From a market frame to the quotes a fit takes, with the forward of each expiry and its quality.

Every option of the chain goes in as it is quoted; what a fit leaves out it counts by reason
(`quotes.Omission`). A quote counts as traded when its contract has volume that day; a source that
tells no volume at all is not held to it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.black import years_between
from trading.pricing.parity_fit import Pair, ParityFit, parity_fit
from trading.pricing.quotes import ExpiryQuotes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.market.frames import ExpiryBlock, MarketFrame
    from trading.pricing.elementary import Array

TICK_PAISE = 5.0
# What an expiry must offer to be fitted: usable quotes in all, and on each side of the forward.
LEAST_QUOTES = 12
LEAST_A_SIDE = 4


class ChainExpiry(NamedTuple):
    """One expiry of a frame as a fit takes it; prices and strikes in paise.

    `parity` is None with fewer than two strikes quoted on all four sides, uncrossed; the forward of
    `quotes` is then not a number, and a fit refuses the expiry for it.
    """

    quotes: ExpiryQuotes
    parity: ParityFit | None
    expires_at_us: int

    @property
    def expiry(self) -> str:
        """Its ISO date."""
        return self.quotes.expiry


def chain_expiries(frame: MarketFrame, *, limit: int | None = None) -> list[ChainExpiry]:
    """The expiries of a frame, nearest first, at most `limit` of them.

    Time counts from the instant the frame became known; of an end-of-day record, which holds no
    quotes, every expiry ends up refused.
    """
    blocks = frame.chain if limit is None else frame.chain[:limit]
    return [_chain_expiry(block, frame.available_at) for block in blocks]


def _chain_expiry(block: ExpiryBlock, now_us: int) -> ChainExpiry:
    years = years_between(now_us, block.expires_at_us)
    parity = parity_fit(_pairs(block), years) if years > 0 else None
    strikes = np.array(block.strike_paise, dtype=np.float64)
    volumes = (*block.call_volume, *block.put_volume)
    told = any(volume is not None for volume in volumes)
    quotes = ExpiryQuotes(
        expiry=block.expiry,
        years=years,
        forward=parity.forward if parity else math.nan,
        discount=parity.discount if parity else math.nan,
        tick=TICK_PAISE,
        strike=np.concatenate((strikes, strikes)),
        is_call=np.repeat([True, False], strikes.size),
        bid=_numbers((*block.call_bid_paise, *block.put_bid_paise)),
        ask=_numbers((*block.call_ask_paise, *block.put_ask_paise)),
        traded=np.array([bool(volume) for volume in volumes]) if told else None,
    )
    return ChainExpiry(quotes, parity, block.expires_at_us)


def _pairs(block: ExpiryBlock) -> list[Pair]:
    rows = zip(
        block.strike_paise,
        block.call_bid_paise,
        block.call_ask_paise,
        block.put_bid_paise,
        block.put_ask_paise,
        strict=True,
    )
    pairs = []
    for strike, call_bid, call_ask, put_bid, put_ask in rows:
        if call_bid is None or call_ask is None or put_bid is None or put_ask is None:
            continue
        if call_bid <= call_ask and put_bid <= put_ask:
            pairs.append(Pair(strike, call_bid, call_ask, put_bid, put_ask))
    return pairs


def _numbers(values: Iterable[int | None]) -> Array:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
