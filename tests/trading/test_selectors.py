"""The signals page's questions, asked of a session the real engine ran, the real mirror stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journal.figures import span
from journal.log.reader import read_session
from journal.selectors import STANDING_KINDS, UnknownEventError, raw_event_get, walk_get
from tests.factories import TOLD, seqs_by_kind, told_in_store, told_log
from trading.selectors import PAGE_ROWS, SignalFilters, signal_page, spine_get

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[str]:
    with told_in_store() as name:
        yield name


def page(**filters: object) -> list[int]:
    return [row.seq for row in signal_page(SignalFilters(session=TOLD, **filters)).rows]


def first_admitted() -> tuple[int, int]:
    """Return the seqs of the first admitted signal and of the gate that admitted it."""
    gates = [seq for seq, data in seqs_by_kind("gate.decided") if data["verdict"] == "pass"]
    walk = walk_get(session=TOLD, seq=gates[0])
    return next(e.seq for e in walk.events if e.kind == "signal.emitted"), gates[0]


# --- the list -------------------------------------------------------------------------------------


def test_every_signal_is_listed_once_newest_first_by_walking_the_pages() -> None:
    wanted = [seq for seq, _ in seqs_by_kind("signal.emitted")][::-1]
    found: list[int] = []
    before = None
    while True:
        shown = signal_page(SignalFilters(session=TOLD, before=before))
        found += [row.seq for row in shown.rows]
        before = shown.older
        if before is None:
            break
        assert len(shown.rows) == PAGE_ROWS
    assert found == wanted


def test_newer_leads_back_over_the_same_rows() -> None:
    first = signal_page(SignalFilters(session=TOLD))
    second = signal_page(SignalFilters(session=TOLD, before=first.older))
    assert first.newer is None
    back = signal_page(SignalFilters(session=TOLD, after=second.newer))
    assert [row.seq for row in back.rows] == [row.seq for row in first.rows]


@pytest.mark.parametrize("fired", ["yes", "no"])
def test_filter_by_fired(fired: str) -> None:
    wanted = {
        seq for seq, data in seqs_by_kind("signal.emitted") if data["fired"] == (fired == "yes")
    }
    assert wanted
    assert set(page(fired=fired)) == set(sorted(wanted, reverse=True)[:PAGE_ROWS])


def test_filter_by_verdict_and_underlying_together() -> None:
    rows = signal_page(SignalFilters(session=TOLD, verdict="refused", underlying="BANKNIFTY")).rows
    refused = [
        seq
        for seq, data in seqs_by_kind("gate.decided")
        if data["verdict"] == "block" and data["underlying"] == "BANKNIFTY"
    ]
    assert len(rows) == len(refused) > 0
    for row in rows:
        assert row.fired
        assert row.admitted is False
        assert row.blocked_by == "gate 2 session window"
        assert "after the last entry" in row.blocked_because


def test_an_admitted_signal_shows_its_trade_and_what_it_made() -> None:
    signal, gate = first_admitted()
    row = next(
        row
        for row in signal_page(SignalFilters(session=TOLD, verdict="admitted")).rows
        if row.seq == signal
    )
    last = [
        data for _, data in seqs_by_kind("position.changed") if data["trade"] == f"{TOLD}.{gate}"
    ][-1]
    assert (row.trade, row.state, row.gross_paise, row.costs) == (
        f"{TOLD}.{gate}",
        "ARCHIVE",
        last["gross_paise"],
        "GROSS",
    )
    assert row.synthetic


def test_an_unfired_signal_shows_what_stopped_it() -> None:
    rows = signal_page(SignalFilters(session=TOLD, fired="no")).rows
    for row in rows:
        assert row.condition is not None
        assert not row.condition["met"]
        assert row.admitted is None
        assert row.trade == ""


def test_no_session_asked_means_the_newest_and_an_unknown_one_is_refused() -> None:
    assert signal_page(SignalFilters()).session == TOLD
    with pytest.raises(UnknownEventError):
        signal_page(SignalFilters(session="never"))


@pytest.mark.parametrize(
    "query",
    [
        {"before": "abc", "fired": "maybe", "verdict": "'; DROP TABLE"},
        {"before": "-1", "after": "٣", "strategy": "x" * 500},
        {"before": "9" * 40},
    ],
)
def test_filters_that_mean_nothing_are_left_out(query: dict[str, str]) -> None:
    filters = SignalFilters.from_query(query)
    assert (filters.before, filters.after, filters.fired, filters.verdict) == (None, None, "", "")


# --- the walk -------------------------------------------------------------------------------------


def test_a_walk_is_the_closure_of_cause_and_nothing_else() -> None:
    """Computed a second time, in Python, from the log."""
    bodies = {line.body["seq"]: line.body for line in read_session(told_log()) if line.body["seq"]}
    signal, _ = first_admitted()
    wanted = {signal}
    pending = list(bodies[signal]["cause"])
    while pending:
        seq = pending.pop()
        if seq not in wanted:
            wanted.add(seq)
            if bodies[seq]["kind"] not in STANDING_KINDS:
                pending += bodies[seq]["cause"]
    effects = {signal}
    for seq, body in sorted(bodies.items()):
        if effects & set(body["cause"]) and body["kind"] not in STANDING_KINDS:
            effects.add(seq)
    walk = walk_get(session=TOLD, seq=signal)
    assert [event.seq for event in walk.events] == sorted(wanted | effects)
    assert not walk.cut
    assert walk.events[-1].data["state"] == "ARCHIVE"


def test_the_outcome_leads_back_to_the_data_it_came_from() -> None:
    seq, _ = next(
        (seq, data) for seq, data in seqs_by_kind("position.changed") if data["state"] == "ARCHIVE"
    )
    kinds = {event.kind for event in walk_get(session=TOLD, seq=seq).events}
    assert {"market.frame", "features.computed", "signal.emitted", "gate.decided"} <= kinds
    assert {"order.intended", "order.submitted", "broker.report"} <= kinds


def test_a_fill_says_how_long_it_took_and_what_it_was_charged() -> None:
    seq, report = next(
        (seq, data) for seq, data in seqs_by_kind("broker.report") if data["status"] == "FILLED"
    )
    spine = spine_get(session=TOLD, seq=seq)
    card = next(card for card in spine.cards if card.asked)
    assert card.table is not None
    said = {row[0].text: row[1].text for row in card.table.rows}
    assert said["latency_us"] == span(report["latency_us"])  # type: ignore[arg-type]
    assert (said["charges_paise"], said["charges_reason"]) == ("no data", "GROSS")


def test_a_standing_fact_does_not_pull_in_the_whole_day() -> None:
    seq, _ = seqs_by_kind("day.opened")[0]
    walk = walk_get(session=TOLD, seq=seq)
    assert [event.seq for event in walk.events] == [seq]


@pytest.mark.parametrize(("session", "seq"), [(TOLD, 10**9), ("never", 1)])
def test_unknown_events_are_refused(session: str, seq: int) -> None:
    with pytest.raises(UnknownEventError):
        walk_get(session=session, seq=seq)
    with pytest.raises(UnknownEventError):
        raw_event_get(session=session, seq=seq)


# --- the raw event --------------------------------------------------------------------------------


def test_a_raw_event_is_the_logs_own_line_with_its_place() -> None:
    lines = (told_log() / "2026-02-26.jsonl").read_bytes().splitlines()
    seq, _ = seqs_by_kind("market.frame")[0]
    raw = raw_event_get(session=TOLD, seq=seq)
    assert raw.from_log
    assert raw.holds
    assert raw.file_line is not None
    assert raw.event.hash.encode() in lines[raw.file_line - 1]
    assert '"call_bid_paise"' in raw.text  # the whole frame, not the store's summary


def test_a_changed_byte_in_the_log_is_seen() -> None:
    seq, _ = seqs_by_kind("signal.emitted")[0]
    raw = raw_event_get(session=TOLD, seq=seq)
    path = told_log() / raw.event.file
    content = path.read_bytes()
    at = content.index(raw.event.hash.encode()) - 20
    try:
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not raw_event_get(session=TOLD, seq=seq).holds
    finally:
        path.write_bytes(content)


def test_without_the_log_the_store_answers_and_says_so() -> None:
    seq, _ = seqs_by_kind("signal.emitted")[0]
    path = told_log() / "2026-02-26.jsonl"
    aside = path.with_suffix(".aside")
    path.rename(aside)
    try:
        raw = raw_event_get(session=TOLD, seq=seq)
    finally:
        aside.rename(path)
    assert not raw.from_log
    assert '"signal.emitted"' in raw.text
