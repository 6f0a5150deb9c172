"""Gates: pure, all evaluated, the first block decides, reducing orders are never stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.risk.gates import GATES, Approved, GateInputs, Limits, Refused, decide

LIMITS = Limits(
    first_entry_ist_seconds=33_600,
    last_entry_ist_seconds=42_300,
    chain_age_us=180_000_000,
    resume_chains=5,
)
GOOD = GateInputs(
    now_ist_seconds=36_000,
    killed=False,
    kill_reason=None,
    halted=False,
    fresh_chains=None,
    chain_age_us=0,
    chain_limit_us=120_000_000,
    chain_state="FRESH",
    chain_reason=None,
    rung="SURFACE",
    reducing=False,
)

inputs = st.builds(
    GateInputs,
    now_ist_seconds=st.integers(0, 86_399),
    killed=st.booleans(),
    kill_reason=st.just("set by operator: drill"),
    halted=st.booleans(),
    fresh_chains=st.none() | st.integers(0, 9),
    chain_age_us=st.none() | st.integers(0, 400_000_000),
    chain_limit_us=st.integers(0, 400_000_000),
    chain_state=st.sampled_from(["FRESH", "STALE", "HALTED", "MISSING", "CROSSED", "OUTLIER"]),
    chain_reason=st.none() | st.just("OLD"),
    rung=st.sampled_from(["SURFACE", "SURFACE_STALE", "ATM_ONLY", "NONE"]),
    reducing=st.booleans(),
)


def test_inside_every_limit_is_approved() -> None:
    decision = decide(GOOD, LIMITS, lots=3)
    assert isinstance(decision, Approved)
    assert decision.lots == 3
    assert {result.verdict for result in decision.results} == {"pass"}


def test_the_last_second_of_the_window_passes_and_the_next_does_not() -> None:
    last = replace(GOOD, now_ist_seconds=LIMITS.last_entry_ist_seconds)
    late = replace(GOOD, now_ist_seconds=LIMITS.last_entry_ist_seconds + 1)
    assert isinstance(decide(last, LIMITS, lots=1), Approved)
    refused = decide(late, LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.decided_by == 2
    assert refused.results[1].reason == "after the last entry 11:45 IST"
    assert refused.results[1].headroom == -1


def test_before_the_window_is_refused() -> None:
    refused = decide(replace(GOOD, now_ist_seconds=33_599), LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.results[1].reason == "before the first entry 09:20 IST"


def test_a_chain_exactly_at_its_age_limit_passes_and_one_microsecond_older_does_not() -> None:
    assert isinstance(decide(replace(GOOD, chain_age_us=180_000_000), LIMITS, lots=1), Approved)
    refused = decide(replace(GOOD, chain_age_us=180_000_001), LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.decided_by == 4


def test_a_missing_chain_fails_closed() -> None:
    refused = decide(replace(GOOD, chain_age_us=None), LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.results[-1].headroom is None


def test_the_first_block_decides_and_the_rest_is_still_evaluated() -> None:
    bad = replace(GOOD, killed=True, kill_reason="x", halted=True, chain_age_us=None)
    refused = decide(bad, LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.decided_by == 1
    assert [result.verdict for result in refused.results] == ["block", "pass", "block", "block"]


@given(inputs)
def test_all_gates_answer_in_order_whatever_they_see(seen: GateInputs) -> None:
    decision = decide(seen, LIMITS, lots=1)
    numbers = [result.number for result in decision.results]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(GATES)
    blocks = [result.number for result in decision.results if result.verdict == "block"]
    if isinstance(decision, Refused):
        assert decision.decided_by == blocks[0]
    else:
        assert blocks == []


@given(inputs)
def test_reducing_orders_are_never_stopped(seen: GateInputs) -> None:
    decision = decide(replace(seen, reducing=True), LIMITS, lots=1)
    assert isinstance(decision, Approved)
    assert {result.verdict for result in decision.results} == {"waived_reducing"}


@given(inputs)
def test_negative_headroom_is_a_block_for_entries(seen: GateInputs) -> None:
    decision = decide(replace(seen, reducing=False), LIMITS, lots=1)
    for result in decision.results:
        outside = result.headroom is None or result.headroom < 0
        assert (result.verdict == "block") == outside
        assert (result.reason is not None) == outside


@pytest.mark.parametrize("state", ["STALE", "HALTED", "MISSING", "CROSSED", "OUTLIER"])
def test_a_chain_that_is_not_fresh_admits_no_entry_and_lets_every_exit_go(state: str) -> None:
    unfit = replace(GOOD, chain_state=state, chain_reason="WHY")
    refused = decide(unfit, LIMITS, lots=1)
    assert isinstance(refused, Refused)
    assert refused.decided_by == 4
    assert refused.results[3].reason == f"chain is {state}: WHY"
    assert isinstance(decide(replace(unfit, reducing=True), LIMITS, lots=1), Approved)


@pytest.mark.parametrize(
    ("rung", "admitted"),
    [("SURFACE", True), ("SURFACE_STALE", False), ("ATM_ONLY", True), ("NONE", False)],
)
def test_the_ladder_admits_on_a_surface_and_on_the_strikes_at_the_money(
    rung: str,
    admitted: bool,  # noqa: FBT001 - a row of the table
) -> None:
    decision = decide(replace(GOOD, rung=rung), LIMITS, lots=1)
    assert isinstance(decision, Approved) is admitted


def test_a_slow_feed_is_held_to_twice_its_cadence() -> None:
    slow = replace(GOOD, chain_age_us=3_600_000_000, chain_limit_us=3_600_000_000)
    assert isinstance(decide(slow, LIMITS, lots=1), Approved)
    older = decide(replace(slow, chain_age_us=3_600_000_001), LIMITS, lots=1)
    assert isinstance(older, Refused)
    assert older.results[3].limit == 3_600_000_000


def test_after_a_halt_five_fresh_chains_are_awaited() -> None:
    for fresh in range(5):
        refused = decide(replace(GOOD, fresh_chains=fresh), LIMITS, lots=1)
        assert isinstance(refused, Refused)
        assert refused.decided_by == 3
        assert refused.results[2].reason == f"{fresh} of 5 fresh chains since trading went on"
    assert isinstance(decide(replace(GOOD, fresh_chains=5), LIMITS, lots=1), Approved)
