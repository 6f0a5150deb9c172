"""From a frame to the quotes of a fit: every option goes in, and what is left out has a reason."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from tests.market_factory import EXPIRY, chain_frame
from tests.market_rows import at
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fitting import Fit, fit_surface
from trading.pricing.quotes import Omission, Refusal

if TYPE_CHECKING:
    from trading.market.frames import MarketFrame

NOON = at(date(2026, 2, 26), "12:00")


def frame_of(**changes: Any) -> MarketFrame:
    """A chain of 41 strikes, some columns of its expiry changed by a function of strike index."""
    frame = chain_frame("NIFTY", NOON, 0.12, each_side=20)
    (block,) = frame.chain
    columns = {
        name: tuple(change(i, v) for i, v in enumerate(getattr(block, name)))
        for name, change in changes.items()
    }
    return msgspec.structs.replace(frame, chain=(msgspec.structs.replace(block, **columns),))


def fit_of(frame: MarketFrame) -> Fit:
    return fit_surface(
        [expiry.quotes for expiry in chain_expiries(frame)],
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )


def omitted(frame: MarketFrame) -> dict[Omission, int]:
    (quote_fit,) = fit_of(frame).quote_fits
    return quote_fit.quotes.omitted


def test_all_options_go_in_as_they_are_quoted() -> None:
    (expiry,) = chain_expiries(frame_of(call_bid_paise=lambda i, v: None if i == 3 else v))
    (block,) = frame_of().chain
    quotes = expiry.quotes
    assert quotes.strike.size == 2 * len(block.strike_paise)
    assert math.isnan(quotes.bid[3])
    assert quotes.ask[3] == block.call_ask_paise[3]
    assert list(quotes.bid[41:]) == list(block.put_bid_paise)
    assert list(quotes.is_call) == [True] * 41 + [False] * 41
    assert quotes.years == (block.expires_at_us - NOON) / (365 * 86_400 * 1e6)


def test_the_forward_is_that_of_parity_with_its_quality() -> None:
    (expiry,) = chain_expiries(frame_of())
    assert expiry.parity is not None
    assert expiry.quotes.forward == expiry.parity.forward
    # The factory rounds to the tick, undiscounted: within a few ticks of the truth.
    assert expiry.parity.forward == pytest.approx(25_321_40, abs=20)
    assert expiry.parity.offered == 31


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"call_bid_paise": lambda i, v: None if i == 30 else v}, Omission.ONE_SIDED),
        (
            {
                "call_bid_paise": lambda i, v: None if i == 30 else v,
                "call_ask_paise": lambda i, v: None if i == 30 else v,
            },
            Omission.MISSING,
        ),
        ({"call_bid_paise": lambda i, v: 10 * v if i == 30 else v}, Omission.CROSSED),
        ({"call_volume": lambda i, v: 0 if i == 30 else v}, Omission.NO_VOLUME),
        ({"call_volume": lambda i, v: None if i == 30 else v}, Omission.NO_VOLUME),
    ],
)
def test_each_omission_is_counted_under_its_reason(
    changes: dict[str, Any], reason: Omission
) -> None:
    before, after = omitted(frame_of()), omitted(frame_of(**changes))
    assert after.get(reason, 0) - before.get(reason, 0) == 1
    assert sum(after.values()) - sum(before.values()) in {0, 1}


def test_a_source_that_tells_no_volume_is_not_held_to_it() -> None:
    nothing = {f"{side}_volume": lambda _i, _v: None for side in ("call", "put")}
    (expiry,) = chain_expiries(frame_of(**nothing))
    assert expiry.quotes.traded is None
    assert Omission.NO_VOLUME not in omitted(frame_of(**nothing))


def _only(kept: range) -> dict[str, Any]:
    def hide(i: int, v: Any) -> Any:
        return v if i in kept else 0

    return {f"{side}_volume": hide for side in ("call", "put")}


@pytest.mark.parametrize(
    ("kept", "refusal"),
    [
        (range(14, 26), None),
        (range(15, 26), Refusal.TOO_FEW_QUOTES),
        (range(17, 32), None),
        (range(18, 33), Refusal.ONE_SIDED_CHAIN),
    ],
)
def test_an_expiry_needs_twelve_quotes_and_four_a_side(
    kept: range, refusal: Refusal | None
) -> None:
    fit = fit_of(frame_of(**_only(kept)))
    expected = {} if refusal is None else {EXPIRY["NIFTY"].isoformat(): refusal}
    assert fit.refused == expected
    assert (fit.surface is None) == (refusal is not None)


def test_without_four_quotes_at_two_strikes_there_is_no_forward() -> None:
    gone = {"put_ask_paise": lambda i, v: v if i == 20 else None}
    (expiry,) = chain_expiries(frame_of(**gone))
    assert expiry.parity is None
    assert fit_of(frame_of(**gone)).refused == {expiry.expiry: Refusal.NO_FORWARD}


def test_an_expiry_whose_hour_has_come_is_refused() -> None:
    (block,) = frame_of().chain
    late = msgspec.structs.replace(frame_of(), available_at=block.expires_at_us)
    assert fit_of(late).refused == {block.expiry: Refusal.EXPIRED}


def test_the_limit_takes_the_nearest() -> None:
    frame = frame_of()
    (block,) = frame.chain
    two = msgspec.structs.replace(
        frame, chain=(block, msgspec.structs.replace(block, expiry="2026-03-10"))
    )
    assert [e.expiry for e in chain_expiries(two, limit=1)] == [block.expiry]
    assert len(chain_expiries(two)) == 2
    assert np.array_equal(chain_expiries(two)[0].quotes.bid, chain_expiries(frame)[0].quotes.bid)
