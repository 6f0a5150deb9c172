"""Each kind of event in one sentence, and its data member by member."""

from __future__ import annotations

from typing import Any

import pytest

from journal.events import KINDS
from journal.facts import FACT_LIMIT, facts, is_synthetic, said
from journal.log.reader import read_session
from journal.sentences import SENTENCE_LIMIT, sentence
from tests.factories import told_log

OPEN_US = 1_772_077_500_000_000  # 2026-02-26 09:15 IST
CONTRACT = {"underlying": "NIFTY", "expiry": "2026-03-02", "strike_paise": 2530000, "right": "CE"}


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("log.opened", {"date": "2026-02-26", "previous": None}, "the first of the session"),
        (
            "log.opened",
            {"date": "2026-02-27", "previous": {"file": "2026-02-26.jsonl", "line": 1310}},
            "file of 2026-02-27, after 2026-02-26.jsonl line 1,310",
        ),
        (
            "log.recovered",
            {"file": "a.jsonl", "moved_to": "a.jsonl.torn-1", "bytes": 1200, "reason": "no line"},
            "1,200 torn bytes of a.jsonl moved aside to a.jsonl.torn-1: no line",
        ),
        (
            "day.opened",
            {"calendar": {"open_us": OPEN_US, "close_us": OPEN_US + 22_500_000_000}},
            "day begins: market 09:15–15:30 IST, market-wide halts not told by its feed, state no",
        ),
        (
            "day.opened",
            {"calendar": {"open_us": 1772077500000000, "halts_from_paise": 2500000}},
            "market-wide halts counted from ₹25,000.00 of NIFTY, state",
        ),
        (
            "day.opened",
            {"calendar": {"halts_from_paise": 2500000, "halts_from_sensex_paise": 8200000}},
            "market-wide halts counted from ₹25,000.00 of NIFTY and ₹82,000.00 of SENSEX, state",
        ),
        (
            "day.opened",
            {},
            "day begins: market no data IST, market-wide halts not told by its feed, state no data",
        ),
        (
            "market.frame",
            {
                "chain": [{"expiry": "2026-03-02", "forward_paise": 2532140}],
                "as_of": 0,
                "available_at": 1_000_000,
                "flags": ["CLOCK"],
            },
            "1 expiry, forward ₹25,321.40 of 2026-03-02, 1.0 s old on arrival, flags CLOCK",
        ),
        ("market.status", {"status": "HALT", "reason": "index circuit"}, "HALT: index circuit"),
        (
            "operator.command",
            {"command": "kill", "actor": "asha", "reason": "feed"},
            "kill, asked by asha: feed",
        ),
        (
            "order.submitted",
            {"side": "SELL", "quantity": 65, "contract": CONTRACT, "broker": "paper", "attempt": 1},
            "SELL 65 NIFTY 2026-03-02 25300 CE to paper, attempt 1",
        ),
        (
            "broker.report",
            {"status": "FILLED", "quantity": 65, "price_paise": 14960, "expected_paise": 15000},
            "FILLED 65 at ₹149.60, expected ₹150.00",
        ),
        ("broker.report", {"status": "REJECTED", "reason": "margin"}, "REJECTED: margin"),
        (
            "broker.statement",
            {"broker": "paper", "problem": None, "orders": [{}], "holdings": []},
            "paper works 1 order and holds 0 contracts",
        ),
        (
            "book.reconciled",
            {"broker": "b", "why": "RESTART", "problem": None, "differences": 1, "blocks": True},
            "book and b compared (RESTART): 1 difference; nothing is entered",
        ),
        (
            "reconciliation.accepted",
            {"reconciliation": "s.7", "actor": "asha", "approver": "ravi", "reason": "by hand"},
            "differences of s.7 accepted by asha, approved by ravi: by hand",
        ),
        (
            "settlement.published",
            {
                "underlying": "NIFTY",
                "expiry": "2026-03-02",
                "price_paise": 2545035,
                "row": "row 1",
                "synthetic": True,
            },
            "NIFTY options of 2026-03-02 settle at ₹25,450.35: row 1, SYNTHETIC",
        ),
        (
            "position.settled",
            {
                "price_paise": 2545035,
                "cash_paise": -977275,
                "legs": [{"outcome": "ASSIGNED"}, {"outcome": "LAPSED"}],
            },
            "1 assigned, 1 lapsed at ₹25,450.35, ▼ −9,772.75 in cash",
        ),
        (
            "position.unsettled",
            {"expiry": "2026-03-02", "contracts": [CONTRACT], "reason": "NO_PRICE"},
            "1 contract of 2026-03-02 not settled: no settlement price is known",
        ),
        ("features.computed", {"values": {"a": 1, "b": None}}, "1 of 2 known"),
        (
            "surface.fitted",
            {
                "eta": 0.1,
                "digest": "ab" * 32,
                "quotes": {"count": 1204, "inside": 1190, "p95_error": 0.87654},
                "arbitrage": {"violations": 0},
                "expiries": [{"refusal": None}, {"refusal": "NO_FORWARD"}],
            },
            "1 of 2 expiries, η 0.1, 1,190 of 1,204 quotes inside, error 0.877 spreads (p95), "
            "no arbitrage, abababab…",
        ),
        (
            "surface.fitted",
            {"refusal": "NO_EXPIRY", "expiries": [{"refusal": "EXPIRED"}, {"refusal": "EXPIRED"}]},
            "no surface: NO_EXPIRY (EXPIRED)",
        ),
        ("signal.emitted", {"fired": True, "direction": "SELL"}, "fired: SELL"),
        (
            "signal.emitted",
            {
                "fired": False,
                "conditions": [
                    {"name": "a", "met": True},
                    {"name": "z", "met": False, "value": 1.38, "comparison": ">=", "threshold": 1},
                ],
            },
            "did not fire: z 1.38, needed ≥ 1",
        ),
        ("signal.emitted", {"fired": False, "reason": "quiet"}, "did not fire: quiet"),
        (
            "gate.decided",
            {"action": "entry", "decided_by": None, "lots": 1},
            "entry admitted, 1 lot",
        ),
        (
            "gate.decided",
            {
                "action": "entry",
                "decided_by": 2,
                "gates": [{"number": 2, "name": "session window", "reason": "too late"}],
            },
            "entry blocked by gate 2 session window: too late",
        ),
        (
            "position.changed",
            {"before": "OPEN", "state": "HOLD", "reason": "FILLED", "gross_paise": -18600},
            "OPEN → HOLD: FILLED, ▼ −186.00 gross",
        ),
        (
            "position.changed",
            {
                "before": "EXIT",
                "state": "ARCHIVE",
                "reason": "TIME",
                "gross_paise": 18600,
                "net_paise": -400,
            },
            "EXIT → ARCHIVE: TIME, ▲ +186.00 gross, ▼ −4.00 net",
        ),
        (
            "portfolio.snapshot",
            {"realised_paise": 0, "unrealised_paise": 5, "positions": [{}], "killed": True},
            "realised 0.00, unrealised ▲ +0.05, 1 position, STOPPED",
        ),
        (
            "limits.changed",
            {"what": "lots", "before": 2, "after": 1, "actor": "asha", "reason": "calm"},
            "lots: 2 → 1 by asha: calm",
        ),
        ("session.ended", {"reason": "feed ended"}, "input ends: feed ended"),
        ("model.fitted", {"eta_paise": 25, "terms": [1]}, "eta_paise ₹0.25"),
    ],
)
def test_what_each_kind_says(kind: str, data: dict[str, Any], words: str) -> None:
    assert words in sentence(kind, data)


@pytest.mark.parametrize("kind", [*sorted(KINDS), "of.tomorrow"])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"chain": 5, "conditions": "x", "gates": [None], "counts": 3, "calendar": "c"},
        {"contract": [], "values": 1, "configuration": 2, "quantity": None, "positions": 7},
        {"calendar": {"open_us": 10**15 * 9, "close_us": 10**15 * 9}, "lots": "x"},
    ],
)
def test_data_of_another_shape_is_told_and_never_breaks(kind: str, data: dict[str, Any]) -> None:
    assert isinstance(sentence(kind, data), str)


def test_a_sentence_has_an_end() -> None:
    assert len(sentence("market.status", {"status": "x" * 900})) == SENTENCE_LIMIT


def test_every_line_of_a_real_session_says_something() -> None:
    for line in read_session(told_log()):
        told = sentence(line.body["kind"], line.body["data"])
        assert told
        assert "None" not in told, (line.body["kind"], told)


# --- facts ----------------------------------------------------------------------------------------


def test_members_are_told_by_path_in_their_unit() -> None:
    told, cut = facts(
        {
            "price_paise": 14960,
            "quality": {"age_us": 1_500_000, "as_of": OPEN_US},
            "gates": [{"limit": 2, "name": "lots", "reason": None}],
            "legs": [{"side": "BUY", "contract": {"right": "CE"}}],
            "strike_paise": [100, None],
            "flags": [],
            "many": list(range(10)),
        }
    )
    assert not cut
    assert {fact.name: fact.text for fact in told} == {
        "price_paise": "₹149.60",
        "quality.age_us": "1.5 s",
        "quality.as_of": "2026-02-26 09:15:00 IST",
        "gates[0]": "name lots · limit 2 · reason no data",
        "legs[0].side": "BUY",
        "legs[0].contract.right": "CE",
        "strike_paise": "₹1.00, no data",
        "flags": "none",
        "many": "0, 1, 2, 3, 4, 5, 6, 7 … 10 in all",
    }


def test_more_than_a_page_holds_is_cut() -> None:
    told, cut = facts({f"n{i}": i for i in range(500)})
    assert cut
    assert len(told) == FACT_LIMIT


def test_an_instant_beyond_every_calendar_is_a_number() -> None:
    assert said("as_of", 9 * 10**15 * 1000) == said("quantity", 9 * 10**15 * 1000)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"synthetic": True}, True),
        ({"source": {"synthetic": True}}, True),
        ({"source": {"synthetic": False}, "synthetic": True}, False),
        ({}, False),
    ],
)
def test_synthetic_data_is_known(data: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert is_synthetic(data) is expected
