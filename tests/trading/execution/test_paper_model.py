"""What a paper broker may be told, at each edge; and which orders it draws."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.paper_model import BrokerConfiguration, is_drawn

MILLION = 1_000_000
RIGHT = BrokerConfiguration()
EDGES = [
    ("orders_per_second", 1, 1_000),
    ("answer_seconds", 1, 3_600),
    ("slippage_ticks", 0, 1_000),
    ("slippage_spread_ppm", 0, 10 * MILLION),
    ("depth_ppm", 1, MILLION),
    ("reject_ppm", 0, MILLION),
]


@pytest.mark.parametrize(("field", "low", "high"), EDGES)
def test_each_figure_at_and_beyond_its_edges(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert msgspec.structs.replace(RIGHT, **{field: value}).problem() is None
    for value in (low - 1, high + 1):
        problem = msgspec.structs.replace(RIGHT, **{field: value}).problem()
        assert problem == f"broker.{field} is {value}, expected {low} to {high}"


def test_a_broker_that_is_told_nothing_fills_at_the_quote_and_answers_within_half_a_minute() -> (
    None
):
    assert msgspec.structs.asdict(RIGHT) == {
        "name": "paper",
        "algo_id": "PAPER",
        "orders_per_second": 10,
        "answer_seconds": 30,
        "latency_ms": 0,
        "slippage_ticks": 0,
        "slippage_spread_ppm": 0,
        "depth_ppm": MILLION,
        "reject_ppm": 0,
        "seed": 0,
    }


def test_latency_is_not_negative() -> None:
    assert msgspec.structs.replace(RIGHT, latency_ms=0).problem() is None
    problem = msgspec.structs.replace(RIGHT, latency_ms=-1).problem()
    assert problem is not None
    assert problem.startswith("broker.latency_ms is -1, expected 0 to ")


def test_its_name_and_tag() -> None:
    assert RIGHT.problem() is None
    named = msgspec.structs.replace(RIGHT, name="real")
    assert named.problem() == "broker.name is 'real', expected paper"
    untagged = msgspec.structs.replace(RIGHT, algo_id="").problem()
    assert untagged == "broker.algo_id is empty, expected the exchange's tag of the algorithm"


@given(st.text(max_size=20), st.integers(0, MILLION), st.integers(0, 9))
def test_an_order_is_drawn_by_the_first_eight_bytes_of_a_hash(
    order: str, share_ppm: int, seed: int
) -> None:
    number = int(sha256(f"{seed} {order}".encode()).hexdigest()[:16], 16)
    assert is_drawn(order, share_ppm, seed) == (number % MILLION < share_ppm)
    assert not is_drawn(order, number % MILLION, seed)
    assert is_drawn(order, number % MILLION + 1, seed)
