"""Kept fits: the same fit is not made twice, and a file that does not hold counts as absent."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from tests.market_rows import at
from tests.trading.conftest import DAY, NOON
from trading.surfaces import records
from trading.surfaces.records import records_of_day
from trading.surfaces.selectors import SurfaceWish
from trading.surfaces.services import FittedSurface, surface_fit

if TYPE_CHECKING:
    from pathlib import Path

WISH = SurfaceWish("NIFTY", NOON, profile="fast")


@pytest.fixture
def var(synthetic_var: Path, tmp_path: Path) -> Path:
    """A `VAR_DIR` with the synthetic market and no fit yet."""
    (tmp_path / "market").symlink_to(synthetic_var / "market")
    return tmp_path


def fit(var: Path, version: str = "1", *, fresh: bool = False, **wish: Any) -> FittedSurface:
    return surface_fit(
        var_dir=var,
        wish=msgspec.structs.replace(WISH, **wish),
        version=version,
        clock=time.perf_counter,
        fresh=fresh,
    )


def files(var: Path) -> list[Path]:
    return sorted((var / "surfaces").rglob("*.json"))


def test_the_second_time_it_is_read_and_says_the_same(var: Path) -> None:
    first, again = fit(var), fit(var)
    assert (first.report.kept, again.report.kept) == (False, True)
    assert again.report.fit == first.report.fit
    assert first.surface is not None
    assert again.surface is not None
    assert again.surface.digest == first.surface.digest
    for one, other in zip(first.quote_fits, again.quote_fits, strict=True):
        assert one.quotes.expiry == other.quotes.expiry
        assert np.array_equal(one.quotes.strike, other.quotes.strike)
        assert one.price == pytest.approx(other.price, abs=1e-14)
    assert len(files(var)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"at_us": at(DAY, "12:20")},
        {"underlying": "BANKNIFTY"},
        {"profile": "market"},
        {"expiries": 2},
        {"version": "2"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_a_fit_makes_it_another(var: Path, other: dict[str, Any]) -> None:
    fit(var)
    assert not fit(var, **other).report.kept
    assert len(files(var)) == 2


def test_a_later_question_of_the_same_chain_is_the_same_fit_and_an_older_chain(var: Path) -> None:
    fit(var)
    later = fit(var, at_us=NOON + 1_000_000)
    assert later.report.kept
    assert later.report.quality.age_us == NOON + 1_000_000 - later.report.as_of


def test_a_fresh_fit_takes_the_place_of_the_kept_one(var: Path) -> None:
    fit(var)
    assert not fit(var, fresh=True).report.kept
    assert len(files(var)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"eta":0.25', b'"eta":0.24', 2),
        lambda data: json.dumps(json.loads(data) | {"surface": None}).encode(),
        lambda data: data.replace(b'"NIFTY"', b'"OTHER"'),
        lambda data: data.replace(b'"masses"', b'"misses"'),
    ],
    ids=["empty", "cut", "altered", "no surface", "of another", "without masses"],
)
def test_a_record_that_does_not_hold_is_made_again(var: Path, damage: Any) -> None:
    digest = fit(var).report.fit.digest
    (path,) = files(var)
    path.write_bytes(damage(path.read_bytes()))
    again = fit(var)
    assert not again.report.kept
    assert again.report.fit.digest == digest
    assert fit(var).report.kept


def test_a_refusal_is_kept_too(var: Path) -> None:
    early = {"at_us": at(DAY, "09:31"), "expiries": 1}
    refused = fit(var, **early)
    assert fit(var, **early).report.kept
    assert refused.report.fit.expiries[0].expiry == "2026-03-02"


def test_where_nothing_can_be_written_the_fit_is_shown_and_the_reason_said(var: Path) -> None:
    (var / "surfaces").write_text("in the way")
    fitted = fit(var)
    assert fitted.surface is not None
    assert fitted.not_kept is not None
    assert "surfaces" in fitted.not_kept


def test_a_days_records_are_told_in_order_without_drafts_or_wrecks(var: Path) -> None:
    for clock in ("12:20", "11:20", "12:00"):
        fit(var, at_us=at(DAY, clock))
    fit(var, version="older")
    folder = files(var)[0].parent
    (folder / "1-wreck.json").write_text("{")
    (folder / ".draft.json.7").write_text("{")
    kept = records_of_day(var / "surfaces", "NIFTY", DAY, version="1")
    assert [each.key.available_at for each in kept] == sorted(
        each.key.available_at for each in kept
    )
    assert len(kept) == 3
    assert {each.fit.profile for each in kept} == {"fast"}
    assert records_of_day(var / "surfaces", "BANKNIFTY", DAY, version="1") == []


def test_a_day_holds_so_many(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_A_DAY", 1)
    fit(var)
    full = fit(var, at_us=at(DAY, "12:20"))
    assert full.surface is not None
    assert len(files(var)) == 1
