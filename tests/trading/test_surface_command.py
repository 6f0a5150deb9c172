"""`manage.py surface`: a report as text and as JSON, one clear line for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from tests.market_rows import at, chain_rows, store_rows
from tests.trading.conftest import DAY

if TYPE_CHECKING:
    from pathlib import Path

NOON = "2026-02-26T12:00"


@pytest.fixture
def market(synthetic_var: Path, settings: Any) -> None:
    settings.VAR_DIR = synthetic_var


def surface(*arguments: str) -> str:
    out = StringIO()
    call_command("surface", *arguments, stdout=out)
    return out.getvalue()


def report(*arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(surface(f"--at={NOON}", *arguments, "--json"))
    return told


def test_the_report_of_a_fit(market: None) -> None:
    told = report("--underlying=NIFTY")
    fit = told["fit"]
    # 1. Where it comes from, and how old it is.
    assert told["source"]["synthetic"] is True
    assert told["quality"]["state"] == "FRESH"
    # 2. Three expiries, each with a forward and its quality, quotes met and quotes left out.
    assert [e["refusal"] for e in fit["expiries"]] == [None] * 3
    for expiry in fit["expiries"]:
        assert expiry["forward"]["pairs_used"] >= 10
        assert expiry["quotes"]["tolerated"] >= 0.9 * expiry["quotes"]["count"] > 10
        assert expiry["omitted"]["IN_THE_MONEY"] > 0
        assert 0.05 < expiry["at_the_money_volatility"] < 0.5
        density = expiry["density"]
        assert max(map(abs, density["mass"].values())) < 1e-8
        assert 0.5 < density["quoted_variance"] <= 1.0
        assert density["lower_shortfall"] < 1.0 < density["upper_shortfall"]
        assert density["truncated"] is (density["coverage"]["deviations_above"] < 2.5)
    assert fit["quotes"]["count"] == sum(e["quotes"]["count"] for e in fit["expiries"])
    # 3. How it was found, and that nothing on it can be arbitraged.
    assert (fit["profile"], fit["method"], fit["eta"]) == ("market", "qp", 0.1)
    assert (fit["solver"]["rung"], fit["solver"]["status"]) == ("FIRST", "Solved")
    assert fit["solver"]["fit_seconds"] >= fit["solver"]["solver_seconds"] > 0
    assert fit["arbitrage"]["violations"] == 0
    assert len(fit["digest"]) == 64


def test_the_same_question_has_the_same_digest_and_another_profile_another(market: None) -> None:
    first, again, fast, linear = (
        report("--underlying=BANKNIFTY", *more)["fit"]
        for more in ((), (), ("--profile=fast",), ("--profile=fast", "--method=lp"))
    )
    assert first["digest"] == again["digest"]
    assert len({first["digest"], fast["digest"], linear["digest"]}) == 3
    assert (fast["eta"], linear["method"]) == (0.25, "lp")


def test_as_text_it_says_the_same(market: None) -> None:
    text, told = surface(f"--at={NOON}", "--underlying=NIFTY"), report("--underlying=NIFTY")
    assert "SYNTHETIC synthetic-market" in text
    assert f"digest {told['fit']['digest']}" in text
    assert "arbitrage: 0 violations" in text
    for expiry in told["fit"]["expiries"]:
        assert f"\n{expiry['expiry']} " in text
    assert "left out of 2026-03-02: " in text


def test_the_nearest_expiries_are_as_many_as_asked_for(market: None) -> None:
    assert len(report("--underlying=NIFTY", "--expiries=1")["fit"]["expiries"]) == 1
    assert len(report("--underlying=NIFTY", "--expiries=all")["fit"]["expiries"]) == 3


def test_a_day_is_every_snapshot_of_it(market: None) -> None:
    told = json.loads(
        surface(
            "--day=2026-02-26", "--underlying=NIFTY", "--profile=fast", "--expiries=1", "--json"
        )
    )
    assert told["snapshots"] == 24
    assert told["fitted"] + sum(told["refused"].values()) == 24
    assert told["expiries_fitted"] == told["fitted"] >= 20
    assert told["tolerated"] >= 0.9 * told["quotes"] > 0
    assert told["violations"] == 0
    assert told["rungs"] == {"FIRST": told["fitted"]}
    text = surface("--day=2026-02-26", "--underlying=NIFTY", "--profile=fast", "--expiries=1")
    assert f"{told['fitted']} of 24 fitted" in text
    assert "arbitrage: 0 violations" in text


def test_what_was_fitted_is_kept_and_can_be_fitted_afresh(market: None) -> None:
    at_noon = ("--underlying=NIFTY", "--profile=fast", "--expiries=2")
    first, again, fresh = report(*at_noon), report(*at_noon), report(*at_noon, "--fresh")
    assert (again["kept"], fresh["kept"]) == (True, False)
    assert first["fit"]["digest"] == again["fit"]["digest"] == fresh["fit"]["digest"]


def test_an_old_chain_is_stale(market: None) -> None:
    late = ("--at=2026-02-26T17:00", "--underlying=NIFTY", "--json")
    quality = json.loads(surface(*late))["quality"]
    assert (quality["state"], quality["reason"]) == ("STALE", "OLD")
    assert quality["age_us"] == at(DAY, "17:00") - quality["as_of"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((f"--at={NOON}", "--underlying=SENSEX"), "invalid choice: 'SENSEX'"),
        (("--at=noon", "--underlying=NIFTY"), "'noon' is not a moment in IST, expected YYYY"),
        (("--at=2026-02-26T12:00+05:30", "--underlying=NIFTY"), "is not a moment in IST"),
        ((f"--at={NOON}", "--underlying=NIFTY", "--expiries=0"), "expected 1, 2, … or all"),
        ((f"--at={NOON}", "--underlying=NIFTY", "--profile=best"), "invalid choice: 'best'"),
        (("--underlying=NIFTY",), "one of the arguments --at --day is required"),
        (("--day=today", "--underlying=NIFTY"), "'today' is not a date, expected YYYY-MM-DD"),
        (("--day=2026-02-25", "--underlying=NIFTY"), "no NIFTY chain known by 2026-02-25"),
        (
            ("--at=2026-02-26T09:00", "--underlying=NIFTY"),
            "by 2026-02-26 09:00:00 IST; the first of that day came at 09:30:02",
        ),
        (
            ("--at=2026-02-25T12:00", "--underlying=NIFTY"),
            "the store has snapshots from 2026-02-26 to 2026-02-26, of 1 day",
        ),
    ],
)
def test_what_is_wrong_is_one_line(
    market: None, arguments: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(CommandError) as caught:
        surface(*arguments)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_needs_no_server(synthetic_var: Path, tmp_path: Path) -> None:
    (tmp_path / "market").symlink_to(synthetic_var / "market")
    words = ("manage.py", "surface", f"--at={NOON}", "--underlying=NIFTY", "--profile=fast")
    environment = child_environment({"VAR_DIR": str(tmp_path)})
    subprocess.run([sys.executable, *words], cwd=REPOSITORY, env=environment, check=True)
    assert not (tmp_path / "postgres").exists()


def test_an_empty_store_says_how_to_fill_it(var_dir: Path) -> None:
    with pytest.raises(CommandError, match=r"the store has none: run `manage.py market import"):
        surface(f"--at={NOON}", "--underlying=NIFTY")


def test_a_chain_that_cannot_be_fitted_is_refused_after_its_report(var_dir: Path) -> None:
    rows = chain_rows(at(DAY, "12:00"), strikes_each_side=3)
    store_rows(var_dir / "market", "chain_snapshots", rows)
    out = StringIO()
    with pytest.raises(CommandError, match="no surface: NO_EXPIRY"):
        call_command("surface", f"--at={NOON}", "--underlying=NIFTY", "--json", stdout=out)
    (expiry,) = json.loads(out.getvalue())["fit"]["expiries"]
    assert expiry["refusal"] == "TOO_FEW_QUOTES"
