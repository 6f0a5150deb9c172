"""The spine: what is on it, in which order, and what stands beside it."""

from __future__ import annotations

from typing import Any

import pytest

from journal.events import DERIVED_KINDS, INPUT_KINDS
from journal.selectors import StoredEvent
from trading.why.spine import STAGES, spine_from_events

KINDS = sorted(INPUT_KINDS | DERIVED_KINDS)


def event(seq: int, kind: str, ts: int = 0, **data: Any) -> StoredEvent:
    return StoredEvent(
        session="day1",
        line=seq,
        seq=seq,
        ts=ts,
        kind=kind,
        key=f"key {seq}",
        cause=(),
        data=data,
        hash="h",
        prev="p",
        file="2026-03-02.jsonl",
    )


DECISION = [
    event(1, "session.opened"),
    event(2, "day.opened"),
    event(3, "market.frame", 1_000, underlying="NIFTY"),
    event(4, "signal.emitted", 1_000, strategy="S4", underlying="NIFTY", fired=True),
    event(5, "gate.decided", 1_000, strategy="S4", underlying="NIFTY"),
    event(6, "order.submitted", 3_500),
]


def test_standing_facts_are_beside_the_line_of_thought() -> None:
    spine = spine_from_events(DECISION[4], DECISION)
    assert [other.seq for other in spine.others] == [1, 2]
    assert [card.event.seq for card in spine.cards] == [3, 4, 4, 5, 6]
    assert [card.stage for card in spine.cards[1:3]] == ["CONDITIONS", "SIGNAL"]


def test_a_standing_fact_that_was_asked_about_is_on_it() -> None:
    spine = spine_from_events(DECISION[1], DECISION)
    assert [card.event.seq for card in spine.cards if card.asked] == [2]
    assert [other.seq for other in spine.others] == [1]


def test_each_card_says_how_long_after_the_one_above_it_came() -> None:
    spine = spine_from_events(DECISION[4], DECISION)
    assert [card.since_us for card in spine.cards] == [None, 0, 0, 0, 2_500]


def test_an_event_that_gives_two_cards_ends_with_the_second() -> None:
    spine = spine_from_events(DECISION[3], DECISION)
    assert [card.last for card in spine.cards] == [True, False, True, True, True]
    assert [card.asked for card in spine.cards] == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        (DECISION[3], "Why S4 NIFTY fired"),
        (
            event(4, "signal.emitted", strategy="S4", underlying="NIFTY"),
            "Why S4 NIFTY did not fire",
        ),
        (DECISION[4], "Why S4 NIFTY was admitted"),
        (
            event(5, "gate.decided", strategy="S4", underlying="NIFTY", decided_by=3),
            "Why S4 NIFTY was refused",
        ),
        (event(7, "position.changed", state="HOLD"), "Why the position is HOLD"),
        (event(8, "clock.tick"), "Around clock.tick"),
    ],
)
def test_its_title_is_the_question(asked: StoredEvent, title: str) -> None:
    assert spine_from_events(asked, [asked]).title == title


def test_one_generated_event_marks_the_whole() -> None:
    made = event(3, "market.frame", 1_000, source={"synthetic": True, "seed": 7})
    assert spine_from_events(DECISION[5], [made, DECISION[5]]).synthetic
    assert not spine_from_events(DECISION[5], DECISION).synthetic


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_even_where_it_says_nothing(kind: str) -> None:
    """An event of an earlier build may lack any field: a card is made of what it has."""
    bare = event(9, kind)
    cards = spine_from_events(bare, [bare]).cards
    assert cards
    assert all(card.headline is not None and card.stage for card in cards)


def test_every_stage_is_of_a_kind_there_is() -> None:
    assert set(STAGES) <= set(KINDS)


def test_what_has_no_teller_of_its_own_shows_its_plain_values() -> None:
    told = event(9, "limits.changed", actor="asha", reason="calm", change={"a": 1})
    (card,) = spine_from_events(told, [told]).cards
    assert (card.stage, card.headline) == ("LIMITS", "key 9")
    assert card.table is not None
    assert [row[0].text for row in card.table.rows] == ["actor", "reason"]
