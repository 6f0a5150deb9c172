"""Sessions over every kind of recorded day, through the commands people use, each replayed to the
same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from tests.test_real_day import manage_well

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event

pytestmark = pytest.mark.slow


def session_over(
    var_dir: Path, sample_data: Path, folder: str, first: str, last: str, *arguments: str
) -> list[Event]:
    """Import a folder, run a session over its days, replay it twice; return its events."""
    if not (sample_data / folder).is_dir():
        pytest.skip(f"no recorded data in {sample_data / folder}")
    manage_well(var_dir, "market", "import", str(sample_data / folder))
    dates = ("--from", first, "--to", last)
    manage_well(var_dir, "trade", "--session", "real", *dates, *arguments)
    replayed = json.loads(manage_well(var_dir, "replay", "real", "--times", "2", "--json"))
    assert {way["digest"] for way in replayed["ways"]} == {replayed["digest"]}
    return [line.to_event() for line in read_session(var_dir / "sessions" / "real")]


def of_kind(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [event.data for event in events if event.kind == kind]


GROSS = ("--costs", "gross")  # no rates of these years are on record
BHAVCOPY = ("nse_fo_bhavcopy", "2026-01-01", "2026-03-10")


def test_two_months_of_end_of_day_records(sample_data: Path, tmp_path: Path) -> None:
    events = session_over(tmp_path, sample_data, *BHAVCOPY, "--config=daily.toml")
    frames = of_kind(events, "market.frame")
    assert len(frames) == 80  # forty records of two indices
    assert {frame["source"]["name"] for frame in frames} == {"eod"}
    fills = [r for r in of_kind(events, "broker.report") if r["status"] == "FILLED"]
    assert len(fills) >= 20
    assert {fill["price_basis"] for fill in fills} == {"MODELLED"}
    notes = [data["note"] for data in of_kind(events, "day.closed") if data["note"]]
    assert notes
    assert all(note["billed"]["total"] > 0 for note in notes)


def test_an_intraday_strategy_has_no_answer_to_them(sample_data: Path, tmp_path: Path) -> None:
    events = session_over(tmp_path, sample_data, *BHAVCOPY)
    assert {s["reason"] for s in of_kind(events, "signal.emitted")} == {"NO_INTRADAY"}
    assert of_kind(events, "order.intended") == []


def test_the_chains_of_a_month_of_2018(sample_data: Path, tmp_path: Path) -> None:
    folder = "nse_chain_2018_2019"
    events = session_over(tmp_path, sample_data, folder, "2018-10-01", "2018-10-31", *GROSS)
    quality = [data["quality"] for data in of_kind(events, "features.computed")]
    states = Counter(q["chain"]["state"] for q in quality)
    assert states["FRESH"] > 0.8 * sum(states.values())
    assert any(q["spot"]["state"] == "FRESH" for q in quality)
    assert {data["costs"] for data in of_kind(events, "session.closed")} == {"GROSS"}


def test_the_day_votes_were_counted(sample_data: Path, tmp_path: Path) -> None:
    folder = "nse_chain_election_2019-05-23"
    events = session_over(tmp_path, sample_data, folder, "2019-05-23", "2019-05-23", *GROSS)
    assert len(of_kind(events, "market.frame")) == 238  # of 239, one at the close
    assert len(of_kind(events, "signal.emitted")) >= 230
