"""The parity forward of one expiry: what puts and calls together say the underlying is worth at
expiry.

At each strike `strike + call mid − put mid` is the forward (undiscounted: index-option premiums a
few weeks from expiry differ from their discounted form by less than their spread). The median over
the strikes nearest the money ignores one bad quote.

All arithmetic is in integers. A mid is half of an integer number of paise, a median of an even
count half of that again, so values are kept in quarters of a paisa until the one rounding at the
end: to the nearest paisa, **half up**.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS_WANTED = 5
PAIRS_NEEDED = 3


class ParityForward(NamedTuple):
    """A forward in paise (None with fewer than three pairs), how many strikes gave it, and how far
    apart they were.

    `spread_paise` is the highest minus the lowest of the single-strike forwards: a figure of
    quality, None when there is no pair.
    """

    forward_paise: int | None
    pairs: int
    spread_paise: int | None


def parity_forward(
    strike_paise: Sequence[int],
    call_bid_paise: Sequence[int | None],
    call_ask_paise: Sequence[int | None],
    put_bid_paise: Sequence[int | None],
    put_ask_paise: Sequence[int | None],
) -> ParityForward:
    """The parity forward of one expiry from columns of one length, prices in integer paise, None
    where nothing is quoted.

    Uses the five strikes with the smallest |call mid − put mid| (of two equal ones the lower
    strike) among those where call and put are both quoted on both sides and neither is crossed (bid
    above ask; a locked quote is used).
    """
    candidates = []
    for strike, call_bid, call_ask, put_bid, put_ask in zip(
        strike_paise, call_bid_paise, call_ask_paise, put_bid_paise, put_ask_paise, strict=True
    ):
        if call_bid is None or call_ask is None or put_bid is None or put_ask is None:
            continue
        if call_bid > call_ask or put_bid > put_ask:
            continue
        difference = call_bid + call_ask - put_bid - put_ask
        candidates.append((abs(difference), strike, difference))
    candidates.sort()
    return forward_of_nearest(
        [(strike, difference) for _, strike, difference in candidates[:PAIRS_WANTED]]
    )


def forward_of_nearest(nearest: Sequence[tuple[int, int]]) -> ParityForward:
    """The forward from at most five chosen `(strike_paise, difference)`, difference = twice (call
    mid − put mid), in paise.
    """
    halves = sorted(2 * strike + difference for strike, difference in nearest)
    count = len(halves)
    if not count:
        return ParityForward(None, 0, None)
    spread = (halves[-1] - halves[0] + 1) // 2
    if count < PAIRS_NEEDED:
        return ParityForward(None, count, spread)
    middle = count // 2
    quarters = 2 * halves[middle] if count % 2 else halves[middle - 1] + halves[middle]
    return ParityForward((quarters + 2) // 4, count, spread)
