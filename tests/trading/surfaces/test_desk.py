"""What the surface page shows, without a browser: from its address to rows and plots."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.market_rows import at, chain_rows, store_rows
from tests.trading.conftest import DAY, NOON
from trading.market.chain_at import chain_moments
from trading.market.store import MarketStore
from trading.pricing.black import black_price
from trading.surfaces.desk import SurfacePage, SurfaceQuery, surface_page

if TYPE_CHECKING:
    from pathlib import Path

    from trading.surfaces.page import ExpiryFace


@pytest.fixture
def var(synthetic_var: Path, tmp_path: Path) -> Path:
    """A `VAR_DIR` with the synthetic market and no fit yet."""
    (tmp_path / "market").symlink_to(synthetic_var / "market")
    return tmp_path


def page_of(var: Path, **query: str) -> SurfacePage:
    return surface_page(
        var_dir=var,
        query=SurfaceQuery.from_query({"profile": "fast", **query}),
        version="1",
        clock=time.perf_counter,
    )


def face_of(page: SurfacePage) -> ExpiryFace:
    assert page.face is not None
    return page.face


@pytest.mark.parametrize(
    ("query", "changed"),
    [
        ({}, {}),
        ({"underlying": "BANKNIFTY"}, {"underlying": "BANKNIFTY"}),
        ({"underlying": "SENSEX"}, {}),
        ({"at": "2026-02-26T12:00:00"}, {"at_us": NOON}),
        ({"at": "2026-02-26T12:00"}, {"at_us": NOON}),
        ({"at": "2026-02-26T12:00:00+05:30"}, {}),
        ({"at": "noon"}, {}),
        ({"profile": "best", "method": "luck", "expiries": "99"}, {}),
        ({"expiries": "2"}, {"expiries": 2}),
    ],
)
def test_an_address_means_what_it_can(query: dict[str, str], changed: dict[str, Any]) -> None:
    found, plain = SurfaceQuery.from_query(query), SurfaceQuery()
    fields = ("underlying", "at_us", "profile", "method", "expiries")
    for name in fields:
        assert getattr(found, name) == changed.get(name, getattr(plain, name))


def test_without_a_time_it_is_the_newest_chain(var: Path) -> None:
    page = page_of(var)
    moments = chain_moments(MarketStore(var / "market"), "NIFTY", DAY)
    assert page.fitted is not None
    assert page.fitted.report.available_at == moments[-1]
    assert (page.after, page.refusal) == ("", "")
    assert page.before < page.at


def test_neighbours_lead_through_the_day_and_back(var: Path) -> None:
    page = page_of(var, at="2026-02-26T12:00:00")
    later = page_of(var, at=page.after)
    assert page.fitted is not None
    assert later.fitted is not None
    assert later.fitted.report.available_at > page.fitted.report.available_at
    back = page_of(var, at=later.before)
    assert back.fitted is not None
    assert back.fitted.report.available_at == page.fitted.report.available_at


def test_rows_are_the_quotes_as_they_stand_in_the_chain(var: Path) -> None:
    page = page_of(var, at="2026-02-26T12:00:00", expiry="2026-03-10")
    face = face_of(page)
    assert face.report.expiry == "2026-03-10"
    assert page.fitted is not None
    (quotes,) = (e.quotes for e in page.fitted.chain if e.expiry == "2026-03-10")
    known = {
        (strike / 100, bool(call)): (bid / 100, ask / 100)
        for strike, call, bid, ask in zip(
            quotes.strike, quotes.is_call, quotes.bid, quotes.ask, strict=True
        )
    }
    assert len(face.quotes) == face.report.quotes.count  # type: ignore[union-attr]
    for row in face.quotes:
        bid, ask = known[row.strike, row.right == "CE"]
        assert row.bid == pytest.approx(bid, abs=1e-6)
        assert row.ask == pytest.approx(ask, abs=1e-6)
        assert (row.verdict == "inside") == (bid - 1e-6 <= row.price <= ask + 1e-6)
        assert row.right == ("CE" if row.strike >= quotes.forward / 100 else "PE")


def test_volatilities_give_their_prices_back(var: Path) -> None:
    face = face_of(page_of(var, at="2026-02-26T12:00:00"))
    forward = face.report.forward
    assert forward is not None
    level = forward.forward_paise / 100
    for row in face.quotes:
        assert row.volatility is not None
        value = black_price(level, row.strike, face.report.years, row.volatility / 100, row.right)
        assert value * forward.discount == pytest.approx(row.price, rel=1e-6, abs=1e-6)


def test_verdicts_add_up_to_the_report(var: Path) -> None:
    face = face_of(page_of(var, at="2026-02-26T12:00:00"))
    quotes = face.report.quotes
    assert quotes is not None
    told = [row.verdict for row in face.quotes]
    assert told.count("inside") == quotes.inside
    assert told.count("inside") + told.count("tolerated") == quotes.tolerated
    assert f"{told.count('outside')} missed" in face.errors.summary


def test_plots_draw_every_quote_and_the_law(var: Path) -> None:
    face = face_of(page_of(var, at="2026-02-26T12:00:00"))
    assert len(face.smile.marks) == len(face.errors.marks) == len(face.quotes)
    assert len(face.smile.lines[0].points.split()) == 121
    assert [line.tone for line in face.density.lines] == ["unquoted", "fitted"]
    levels = [row.level for row in face.quantiles]
    assert levels == sorted(levels)
    assert face.smile.rule is not None


def test_the_history_has_the_days_fits_and_marks_the_one_on_the_page(var: Path) -> None:
    for clock in ("11:00", "11:30", "12:00"):
        page = page_of(var, at=f"2026-02-26T{clock}:00")
    assert page.history is not None
    rows = page.history.rows
    assert [row.is_shown for row in rows] == [False, False, True]
    assert all(row.fit_seconds >= row.solver_seconds > 0 for row in rows)
    assert [mark.tone for mark in page.history.plot.marks] == ["fast", "fast", "shown"]
    assert "3 kept" in page.history.plot.summary
    again = page_of(var, at=rows[0].at)
    assert again.history is not None
    assert [row.is_shown for row in again.history.rows] == [True, False, False]


def test_an_expiry_that_is_not_there_is_the_nearest_that_is(var: Path) -> None:
    for asked in ("2031-01-01", "", "<script>"):
        assert face_of(page_of(var, expiry=asked)).report.expiry == "2026-03-02"


def test_a_refused_fit_has_its_report_and_no_face(tmp_path: Path) -> None:
    store_rows(tmp_path / "market", "chain_snapshots", chain_rows(NOON, strikes_each_side=3))
    page = page_of(tmp_path)
    assert page.fitted is not None
    assert page.fitted.report.fit.refusal == "NO_EXPIRY"
    assert page.face is None
    assert page.history is not None
    assert page.history.plot.summary == "No fit of this day is kept."


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"at": "2026-02-26T09:00:00"}, "the first of that day came at 09:30:02"),
        ({"at": "2026-02-25T12:00:00"}, "the store has snapshots from 2026-02-26"),
        ({"at": "1906-01-01T12:00:00"}, "the store has snapshots from 2026-02-26"),
    ],
)
def test_a_time_without_a_chain_says_what_there_is(
    var: Path, query: dict[str, str], refusal: str
) -> None:
    page = page_of(var, **query)
    assert page.fitted is None
    assert refusal in page.refusal
    assert page.snapshots.days == (DAY.isoformat(),)


def test_an_empty_store_and_a_broken_one_are_refusals(tmp_path: Path) -> None:
    assert "holds no NIFTY chain" in page_of(tmp_path).refusal
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "catalogue.json").write_text("{")
    assert "cannot be read" in page_of(tmp_path).refusal


def test_a_page_that_is_looked_at_twice_is_fitted_once(var: Path) -> None:
    first, again = (page_of(var, at="2026-02-26T12:00:00") for _ in range(2))
    assert first.fitted is not None
    assert again.fitted is not None
    assert (first.fitted.report.kept, again.fitted.report.kept) == (False, True)
    one, other = face_of(first), face_of(again)
    assert np.allclose([r.price for r in one.quotes], [r.price for r in other.quotes], atol=1e-9)
    assert one.smile.lines == other.smile.lines
    assert at(DAY, "12:00") == NOON
