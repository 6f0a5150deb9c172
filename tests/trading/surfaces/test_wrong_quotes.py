"""Whatever a feed sends, a chain ends as a surface without arbitrage or as a reason: never as an
exception, and never as a report that cannot be written down.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.market_factory import chain_frame
from tests.trading.conftest import NOON
from trading.market.frames import check_frame
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fit_report import FitReport, fit_report
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.profiles import FAST, MARKET
from trading.pricing.quotes import Refusal
from trading.surfaces.page import expiry_face

if TYPE_CHECKING:
    from trading.market.frames import MarketFrame

_COLUMNS = tuple(
    f"{side}_{field}"
    for side in ("call", "put")
    for field in ("bid_paise", "ask_paise", "volume", "oi")
)
_STRIKES = 33
_AMOUNT = st.one_of(st.none(), st.integers(1, 10), st.integers(1, 10**9))
_WRONG = st.lists(
    st.tuples(st.sampled_from(_COLUMNS), st.integers(0, _STRIKES - 1), _AMOUNT), max_size=60
)


def wrong_frame(changes: list[tuple[str, int, int | None]], minutes: int) -> MarketFrame:
    """A good chain, some of its numbers replaced, so long before its expiry."""
    frame = chain_frame("NIFTY", NOON, 0.12, each_side=_STRIKES // 2)
    (block,) = frame.chain
    columns: dict[str, list[Any]] = {name: list(getattr(block, name)) for name in _COLUMNS}
    for name, row, value in changes:
        columns[name][row] = value
    wrong = msgspec.structs.replace(
        block,
        expires_at_us=NOON + minutes * 60_000_000,
        **{name: tuple(values) for name, values in columns.items()},
    )
    result = msgspec.structs.replace(frame, chain=(wrong,))
    check_frame(result)
    return result


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=_WRONG,
    minutes=st.sampled_from([-5, 0, 1, 30, 5_000, 60_000]),
    profile=st.sampled_from([FAST, MARKET]),
)
def test_a_wrong_chain_is_a_surface_or_a_reason(
    changes: list[tuple[str, int, int | None]], minutes: int, profile: Any
) -> None:
    chain = chain_expiries(wrong_frame(changes, minutes))
    fit = fit_surface(
        [expiry.quotes for expiry in chain],
        profile=profile,
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )
    report = fit_report(chain, fit, fit_seconds=0.0)
    assert msgspec.json.decode(msgspec.json.encode(report), type=FitReport) == report
    event("refused" if report.refusal else "fitted")
    assert (fit.surface is None) == bool(report.refusal)
    if fit.surface is None:
        assert report.expiries[0].refusal is not None
        return
    assert report.arbitrage is not None
    assert report.arbitrage.violations == 0
    density = report.expiries[0].density
    assert density is not None
    assert abs(density.mass.mass_error) < 1e-8
    assert abs(density.mass.mean_error) < 1e-8
    fitted: Any = SimpleNamespace(
        surface=fit.surface, quote_fits=fit.quote_fits, report=SimpleNamespace(fit=report)
    )
    face = expiry_face(fitted, chain[0].expiry)
    assert face is not None
    assert len(face.quotes) == fit.quote_fits[0].quotes.count


@pytest.mark.parametrize("minutes", [0, -5])
def test_an_expired_chain_is_refused_for_that(minutes: int) -> None:
    (expiry,) = chain_expiries(wrong_frame([], minutes))
    assert fit_surface([expiry.quotes]).refused == {expiry.expiry: Refusal.EXPIRED}


def test_the_linear_program_answers_wrong_quotes_too() -> None:
    changes: list[tuple[str, int, int | None]] = [
        ("call_bid_paise", 20, 1),
        ("call_ask_paise", 20, 10**6),
        ("put_bid_paise", 5, 10**6),
    ]
    start = time.perf_counter()
    chain = chain_expiries(wrong_frame(changes, 5_000))
    fit = fit_surface([e.quotes for e in chain], profile=FAST, method=Method.LP)
    report = fit_report(chain, fit, fit_seconds=time.perf_counter() - start)
    assert report.arbitrage is not None
    assert report.arbitrage.violations == 0
    assert report.solver.fallback == ""


@pytest.mark.parametrize(("rung", "told"), [("LOOSE", "own tolerance"), ("LINEAR", "looser")])
def test_a_fallback_has_its_reason(rung: str, told: str) -> None:
    chain = chain_expiries(wrong_frame([], 5_000))
    report = fit_report(chain, fit_surface([e.quotes for e in chain]), fit_seconds=0.0)
    fallen = msgspec.structs.replace(report.solver, rung=rung)
    assert told in fallen.fallback
