"""How far the mirror lags: on the pages and for a monitor."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from journal import mirror
from journal.metrics import metrics_text
from journal.selectors import mirror_lags, session_list
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from django.contrib.auth.models import User
    from django.test import Client

    Connection = psycopg.Connection[Any]


def gauges(text: str) -> dict[str, float]:
    """Parse the exposition strictly: comments, then `name{labels} value`, and nothing else."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line)
            continue
        match = re.fullmatch(r'([a-z_]+(?:\{session="[a-z0-9_-]+"\})?) (\S+)', line)
        assert match is not None, line
        found[match[1]] = float(match[2])
    return found


@pytest.fixture
def behind(var_dir: Path, mirror_role: Connection, db: None) -> int:
    """A session of 22 lines of which the store has all, and seven more; return when they were
    written, µs UTC.
    """
    mirror.catch_up(mirror_role, write_log(var_dir))
    written = time.time_ns() // 1000 - 5_000_000
    clock = iter(range(written, written + 100))
    with open_log(var_dir, clock=lambda: next(clock)) as writer:
        writer.commit(signals("day1", 22, 3))
        writer.commit(signals("day1", 25, 4))
    write_log(var_dir, "new")
    return written


def test_lag_is_in_lines_and_in_the_age_of_the_oldest(behind: int, var_dir: Path) -> None:
    lags = mirror_lags(["day1", "new", "none"])
    assert set(lags) == {"day1", "new"}
    lag = lags["day1"]
    assert (lag.durable, lag.mirrored, lag.behind) == (29, 22, 7)
    assert lag.age_us is not None
    assert 5_000_000 <= lag.age_us <= time.time_ns() // 1000 - behind
    assert (lags["new"].mirrored, lags["new"].behind) == (0, 22)


def test_at_the_head_nothing_lags(behind: int, var_dir: Path, mirror_role: Connection) -> None:
    mirror.catch_up(mirror_role, var_dir / "sessions" / "day1")
    (lag,) = mirror_lags(["day1"]).values()
    assert (lag.behind, lag.age_us) == (0, 0)


def test_a_line_that_cannot_be_read_has_no_age(behind: int, var_dir: Path) -> None:
    file = var_dir / "sessions" / "day1" / "2025-08-20.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[22] = lines[22].replace(b"quiet", b"noisy")
    file.write_bytes(b"".join(lines))
    (lag,) = mirror_lags(["day1"]).values()
    assert (lag.behind, lag.age_us) == (7, None)
    assert 'mirror_lag_seconds{session="day1"} NaN' in metrics_text()


def test_the_gauges_of_every_session(behind: int) -> None:
    found = gauges(metrics_text())
    day1 = '{session="day1"}'
    assert found[f"brahmastra_log_durable_line{day1}"] == 29
    assert found[f"brahmastra_mirror_line{day1}"] == 22
    assert found[f"brahmastra_mirror_lag_lines{day1}"] == 7
    assert found[f"brahmastra_mirror_lag_seconds{day1}"] >= 5
    assert found['brahmastra_mirror_lag_lines{session="new"}'] == 22


def test_the_table_says_how_far_behind(behind: int, client: Client, viewer: User) -> None:
    assert {row.name: row.lag and row.lag.behind for row in session_list()} == {
        "day1": 7,
        "new": 22,
    }
    client.force_login(viewer)
    page = client.get("/journal/").content.decode()
    assert re.search(r"7 lines, \d+(\.\d)? s behind", page)
    assert "not begun" in page


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer", 401), ("Bearer ", 401), ("Bearer wrong", 401), ("Bearer ₹", 401)],
)
def test_a_monitor_shows_its_token(
    client: Client, behind: int, settings: Any, authorization: str, status: int
) -> None:
    for token in ("", "the token of the house"):
        settings.METRICS_TOKEN = token
        answer = client.get("/metrics", headers={"Authorization": authorization})
        assert answer.status_code == status
    answer = client.get("/metrics", headers={"Authorization": "Bearer the token of the house"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert gauges(answer.content.decode())
