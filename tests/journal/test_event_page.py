"""The lines of a session, a page at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from journal import event_page as pages
from journal import mirror
from journal.event_filters import EventFilters
from journal.event_page import PAGE_ROWS, event_page
from journal.log.errors import UnknownSessionError
from tests.journal.log_bed import OPEN_US, open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from journal.event_page import EventPage
    from journal.log.reader import LogLine

    Connection = psycopg.Connection[Any]


def page(**query: str) -> EventPage:
    return event_page(session="day1", filters=EventFilters.from_query(query))


def walked(query: dict[str, str], link: str) -> list[int]:
    """Return the lines of every page from the first one asked for along a link."""
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        shown = page(**query, **cursor)
        found += [row.line for row in shown.rows]
        on = getattr(shown, link)
        if on is None:
            return found
        cursor = {"before" if link == "older" else "after": str(on)}


FILTERS: list[tuple[dict[str, str], Any]] = [
    ({}, lambda line: True),
    ({"kind": "market.frame"}, lambda line: line.body["kind"] == "market.frame"),
    ({"kind": "log.opened"}, lambda line: line.body["kind"] == "log.opened"),
    ({"key": "S4:NIFTY"}, lambda line: line.body["key"] == "S4:NIFTY"),
    ({"strategy": "S4"}, lambda line: line.body["data"].get("strategy") == "S4"),
    ({"strategy": "S9"}, lambda line: False),
    (
        {"strategy": "S4", "key": "S4:NIFTY", "kind": "signal.emitted"},
        lambda line: line.body["key"] == "S4:NIFTY",
    ),
    ({"kind": "market.frame", "key": "S4:NIFTY"}, lambda line: False),
    ({"seq_from": "100", "seq_to": "180"}, lambda line: 101 <= line.line <= 182),
    ({"seq_from": "900"}, lambda line: False),
    ({"seq_to": "0"}, lambda line: False),
    ({"id": "7"}, lambda line: line.body["seq"] == 7),
    ({"id": "day1.7"}, lambda line: line.body["seq"] == 7),
    ({"id": "day1:7"}, lambda line: line.line == 7),
    ({"id": ":7"}, lambda line: line.line == 7),
    ({"id": ":9999"}, lambda line: False),
    ({"id": "S4:BANKNIFTY"}, lambda line: line.body["key"] == "S4:BANKNIFTY"),
    ({"id": "nobody.x"}, lambda line: False),
    ({"id": "'; DROP TABLE audit.event; --"}, lambda line: False),
]


@pytest.mark.parametrize("stretch", [20_000, 30])
@pytest.mark.parametrize(("query", "wanted"), FILTERS)
def test_filters_find_what_the_log_holds_page_by_page_in_both_orders(
    mirrored_lines: list[LogLine],
    query: dict[str, str],
    wanted: Any,
    stretch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PAGE_ROWS", 20)
    monkeypatch.setattr(pages, "STRETCH_LINES", stretch)
    expected = [line.line for line in mirrored_lines if wanted(line)]
    assert walked(query, "older") == expected[::-1]
    assert walked(query | {"order": "oldest"}, "newer") == expected


def test_newer_leads_back_over_the_same_rows(mirrored_lines: list[LogLine]) -> None:
    first = page()
    assert (first.newer, len(first.rows)) == (None, PAGE_ROWS)
    second = page(before=str(first.older))
    back = page(after=str(second.newer))
    assert back.rows == first.rows
    # What is written meanwhile is found above the newest row that was shown.
    beyond = page(after=str(first.rows[0].line))
    assert (beyond.rows, beyond.newer, beyond.older) == ((), None, 245)
    assert page(before="245").rows == first.rows


def test_oldest_first_reads_on_from_a_seq(mirrored_lines: list[LogLine]) -> None:
    shown = page(seq_from="130", order="oldest")
    assert [row.seq for row in shown.rows][:3] == [130, 131, 132]
    assert shown.older is None


def test_a_time_range_is_a_range_of_lines(
    mirrored_lines: list[LogLine], mirrored_log: Path
) -> None:
    """Events of the fixture lie a microsecond apart, so a range of seconds holds all or none; the
    opening of a file goes with the event after it.
    """
    within = {"from": "2025-08-29 09:00:00", "to": "2025-08-29 09:00:00"}
    assert walked(within, "older") == [line.line for line in reversed(mirrored_lines)]
    assert page(**{"from": "2025-08-29T09:00:01"}).rows == ()
    assert page(to="2025-08-29 08:59:59").rows == ()


def test_bisection_finds_the_first_line_at_every_instant(
    var_dir: Path, mirror_role: Connection, db: None
) -> None:
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        seq = 1
        for second in (0, 0, 1, 1, 1, 3, 4, 4, 9):
            event = signals("day1", seq, 1)[0]
            writer.commit([type(event)(**{**_fields(event), "ts": OPEN_US + second * 1_000_000})])
            seq += 1
    mirror.catch_up(mirror_role, writer.directory)
    seconds = [0, 0, 1, 1, 1, 3, 4, 4, 9]
    for first in range(11):
        for last in range(first, 11):
            shown = page(
                **{"from": f"2025-08-29 09:00:{first:02d}"}, to=f"2025-08-29 09:00:{last:02d}"
            )
            found = [row.seq for row in reversed(shown.rows) if row.seq is not None]
            assert found == [
                at + 1 for at, second in enumerate(seconds) if first <= second <= last
            ], (first, last)


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


def test_a_row_says_what_the_line_says(mirrored_lines: list[LogLine]) -> None:
    row = page(id="7").rows[0]
    line = next(line for line in mirrored_lines if line.body["seq"] == 7)
    assert (row.line, row.seq, row.ts) == (line.line, 7, line.body["ts"])
    assert (row.kind, row.key, row.cause) == ("signal.emitted", "S4:NIFTY", (6,))
    assert row.hash == line.hash
    assert row.sentence == "did not fire: abs_z_score 1, needed ≥ 1,000.5"
    assert page(kind="market.frame").synthetic


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"kind": "nonsense"}, "There is no kind nonsense."),
        ({"seq_from": "x"}, "seq from x is not a number."),
        ({"before": "-1"}, "before -1 is not a number."),
        ({"from": "soon"}, "from soon is not a time such as 2026-02-27 09:15:00."),
        ({"to": "2026-02-30"}, "to 2026-02-30 is not a time such as 2026-02-27 09:15:00."),
    ],
)
def test_what_is_not_understood_is_left_out_and_said(query: dict[str, str], problem: str) -> None:
    filters = EventFilters.from_query(query)
    assert filters.problems == (problem,)
    assert not filters.narrowed


def test_times_are_ist_unless_they_say_otherwise() -> None:
    for text in ("2025-08-29 09:00", "2025-08-29T09:00:00.000", "2025-08-29T03:30:00Z"):
        assert EventFilters.from_query({"from": text}).since_us == OPEN_US
    until = EventFilters.from_query({"to": "2025-08-29 09:00"}).until_us
    assert until == OPEN_US + 1_000_000


def test_a_session_that_is_nowhere_is_unknown(mirrored_log: Path, db: None) -> None:
    for name in ("nobody", "UPPER", "..", ""):
        with pytest.raises(UnknownSessionError):
            event_page(session=name, filters=EventFilters())


def test_a_session_the_mirror_has_not_begun(mirrored_log: Path, var_dir: Path, db: None) -> None:
    write_log(var_dir, "fresh")
    shown = event_page(session="fresh", filters=EventFilters())
    assert (shown.rows, shown.mirrored, shown.durable, shown.behind) == ((), None, 22, 22)


def test_how_far_the_store_is_behind_is_said(mirrored_log: Path, var_dir: Path, db: None) -> None:
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 243, 3))
    shown = page()
    assert (shown.mirrored, shown.durable, shown.behind) == (244, 247, 3)


# --- cost -----------------------------------------------------------------------------------------

EVERYTHING = {
    "kind": "signal.emitted",
    "key": "S4:NIFTY",
    "strategy": "S4",
    "id": "day1.7",
    "seq_from": "1",
    "seq_to": "999999",
    "from": "2025-08-29 08:00",
    "to": "2025-08-30",
    "before": "900000",
}


@pytest.mark.parametrize("query", [{}, EVERYTHING, {"after": "5"}, {"from": "2025-08-29"}])
def test_a_page_is_two_queries_whatever_is_asked(
    mirrored_lines: list[LogLine], query: dict[str, str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        page(**query)


BIG_EVENTS = 120_000
ASKED_OF_THE_BIG: list[dict[str, str]] = [
    {},
    {"before": "60000"},
    {"after": "60000"},
    {"order": "oldest"},
    {"kind": "signal.emitted", "before": "60000"},
    {"kind": "session.closed"},
    {"kind": "log.opened"},
    {"key": "S4:NIFTY"},
    {"key": "nobody"},
    {"id": "day1.60000"},
    {"id": ":60000"},
    {"strategy": "S9"},
    {"strategy": "S4", "kind": "signal.emitted", "key": "S4:NIFTY"},
    {"kind": "market.frame", "key": "S4:NIFTY", "seq_from": "50000"},
    {"seq_from": "50000", "seq_to": "60000"},
    {"from": "2025-08-29 09:00", "to": "2025-08-29 09:00"},
]


@pytest.mark.slow
def test_a_long_session_is_never_read_through(
    var_dir: Path, mirror_role: Connection, owner: Connection, db: None
) -> None:
    """Every statement of every page: indexes only, few rows looked at, before the planner has
    statistics and after.
    """
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        for seq in range(1, BIG_EVENTS + 1, 5000):
            writer.commit(signals("day1", seq, 5000))
    mirror.catch_up(mirror_role, writer.directory)
    for analysed in (False, True):
        if analysed:
            owner.execute("ANALYZE audit.event")
        for query in ASKED_OF_THE_BIG:
            with CaptureQueriesContext(connection) as captured:
                page(**query)
            for entry in captured.captured_queries:
                _assert_cheap(entry["sql"], query)


def _assert_cheap(statement: str, query: dict[str, str]) -> None:
    assert "OFFSET" not in statement.upper()
    assert "COUNT(" not in statement.upper()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        plan = cursor.fetchone()[0]
    plan = orjson.loads(plan) if isinstance(plan, str) else plan
    for node in _nodes(plan[0]["Plan"]):
        if not re.match(r"event_\d+$", node.get("Relation Name", "")):
            continue
        assert node["Node Type"] != "Seq Scan", (query, node)
        looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        assert looked_at <= pages.STRETCH_LINES, (query, node)


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(below for child in node.get("Plans", []) for below in _nodes(child))]
