"""`manage.py market export` as people run it, and its fits on the market page."""

from __future__ import annotations

import json
import re
import shutil
from io import StringIO
from typing import TYPE_CHECKING

import msgspec
import pytest
from django.core.management import CommandError, call_command

from tests.market_factory import DAYS, MINUTE_US, Rig, chain_frame, factory_configuration
from tests.trading.market.test_import_progress import on_a_terminal
from trading.engine.configuration import Configuration, SurfaceConfiguration
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

    from trading.market.frames import MarketFrame

LINE = "surfaces.NIFTY.intraday"


def _configuration() -> Configuration:
    return msgspec.structs.replace(
        factory_configuration(lookback_snapshots=5),
        surface=SurfaceConfiguration(every_minutes=0, profile="fast"),
    )


def _frames(day: date) -> list[MarketFrame]:
    """Chains of NIFTY in the first, second and fifth quarter of an hour of the day."""
    start = session_hours(day).open_us
    return [
        chain_frame("NIFTY", start + minute * MINUTE_US, 0.12, each_side=10)
        for minute in (1, 16, 61)
    ]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sessions of a `VAR_DIR`: `fitting`, of two days with three fits each."""
    var_dir = tmp_path_factory.mktemp("exported")
    Rig(
        var_dir=var_dir,
        session="fitting",
        days=DAYS,
        frames_of=_frames,
        configuration=_configuration(),
    ).run()
    return var_dir / "sessions"


@pytest.fixture
def desk_dir(var_dir: Path, sessions: Path) -> Path:
    """This test's `VAR_DIR`, with those sessions."""
    shutil.copytree(sessions, var_dir / "sessions")
    return var_dir


def _market(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("market", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_reports_each_day_and_tells_its_progress(desk_dir: Path) -> None:
    out, err = _market("export", "fitting")
    label = f"session fitting/{DAYS[0]}.jsonl"
    assert f"{label}: exported, 6 of 6 rows" in out
    assert out.endswith("2 exported\ngeneration 1\n")
    assert err.splitlines() == [
        f"[1/2] {label}: exported",
        f"[2/2] session fitting/{DAYS[1]}.jsonl: exported",
    ]
    again, _ = _market("export", str(desk_dir / "sessions" / "fitting"))
    assert f"{label}: unchanged, 0 of 6 rows, 6 dropped ALREADY_STORED" in again
    assert again.endswith("2 unchanged\ngeneration 1\n")
    assert "surfaces: 6 rows" in _market("catalogue")[0]


def test_a_dry_run_says_what_it_would_do(desk_dir: Path) -> None:
    out, _ = _market("export", "fitting", "--dry-run")
    assert "2 would export\ngeneration 0\n" in out
    assert not (desk_dir / "market").exists()


@pytest.mark.usefixtures("desk_dir")
def test_json_is_the_whole_report() -> None:
    report = json.loads(_market("export", "fitting", "--json")[0])
    assert report["generation"] == 1
    assert [o["counts"]["categories"] for o in report["outcomes"]] == [
        {"fits": 3, "surfaces": 3}
    ] * 2


def test_a_broken_log_is_one_line_and_brings_nothing(desk_dir: Path) -> None:
    path = desk_dir / "sessions" / "fitting" / f"{DAYS[1]}.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"profile":"fast"', b'"profile":"best"', 1))
    with pytest.raises(CommandError, match="hash does not match its event") as refusal:
        _market("export", "fitting")
    assert path.name in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not (desk_dir / "market").exists()


@pytest.mark.usefixtures("desk_dir")
def test_an_unknown_session_is_one_line() -> None:
    with pytest.raises(CommandError, match=r"session 'gone' has no log in .*; known: fitting"):
        _market("export", "gone")


def test_a_terminal_shows_a_bar(desk_dir: Path) -> None:
    ended = on_a_terminal(desk_dir, "export", "fitting", "--json")
    assert ended.code == 0, ended.terminal
    assert json.loads(ended.stdout)["generation"] == 1
    shown = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", part) for part in ended.terminal.split("\r")]
    places = [match[1] for part in shown if (match := re.search(r"(\d/2)", part))]
    assert places == sorted(places)
    assert {places[0], places[-1]} == {"0/2", "2/2"}
    assert any("12 rows" in part for part in shown)
    assert ended.terminal.count("\n") == 1


# --- on the market page ---------------------------------------------------------------------------


@pytest.fixture
def page(client: Client, viewer: User, desk_dir: Path) -> Client:
    """The desk of somebody who may look, with the session exported."""
    assert desk_dir.is_dir()
    _market("export", "fitting")
    client.force_login(viewer)
    return client


def test_the_page_shows_what_is_held_of_them(page: Client) -> None:
    body = page.get("/market/").content.decode()
    for name, title in (("fits", "Fits"), ("surfaces", "Surfaces")):
        row = re.search(rf'<tr id="row-{name}".*?</tr>', body, re.DOTALL)
        assert row is not None
        assert title in row[0]
        assert str(DAYS[0]) in row[0]
        assert str(DAYS[1]) in row[0]
        assert f"/market/coverage/?line={name}.NIFTY.intraday" in row[0]
        assert "market days behind" not in row[0]  # a session runs when somebody runs it


def test_the_page_shows_their_days_and_judges_no_gap(page: Client) -> None:
    body = page.get(f"/market/coverage/?line={LINE}&from=2026-02-23&to=2026-02-28").content.decode()
    levels = dict(
        reversed(pair)
        for pair in re.findall(r'data-level="([a-z ]+)"\s+title="2026-02-(\d\d)', body)
    )
    assert [levels[day] for day in ("25", "26", "27")] == ["none", "partial", "partial"]
    # Quarters of an hour with a fit: 09:15, 09:30 and 10:15.
    assert "09:45–10:15, 10:30–15:30" in body
    assert f'<option value="{LINE}" selected>' in body
    assert "<td>2026-02-25</td>" not in body
    files = page.get("/market/files/").content.decode()
    assert f"session fitting/{DAYS[0]}.jsonl" in files
