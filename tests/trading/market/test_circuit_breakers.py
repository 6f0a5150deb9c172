"""What a move of the index halts."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market.calendar import instant_us, session_hours
from trading.market.circuit_breakers import CircuitBreakerError, Halt, halts, trigger_points

DAY = date(2026, 2, 27)
CLOSE = 25_000_00


def _at(hour: int, minute: int = 0) -> int:
    return instant_us(DAY, time(hour, minute))


def _one(hour: int, minute: int, percent: float) -> Halt:
    (halt,) = halts(CLOSE, [(_at(hour, minute), round(CLOSE * (1 + percent / 100)))])
    return halt


@pytest.mark.parametrize(
    ("hour", "minute", "percent", "halted_until", "reopens"),
    [
        (10, 0, -10, (10, 45), (11, 0)),
        (12, 59, 10, (13, 44), (13, 59)),
        (13, 0, -10.4, (13, 15), (13, 30)),
        (14, 29, 10, (14, 44), (14, 59)),
        (14, 30, -12, (14, 30), (14, 30)),
        (12, 59, -15, (14, 44), (14, 59)),
        (13, 0, 16, (13, 45), (14, 0)),
        (14, 0, -15, (15, 30), (15, 30)),
        (9, 20, -20, (15, 30), (15, 30)),
        (15, 29, 25, (15, 30), (15, 30)),
    ],
)
def test_the_halt_and_the_auction_after_it(
    hour: int, minute: int, percent: float, halted_until: tuple[int, int], reopens: tuple[int, int]
) -> None:
    halt = _one(hour, minute, percent)
    assert halt.begins_us == _at(hour, minute)
    assert (halt.halted_until_us, halt.reopens_us) == (_at(*halted_until), _at(*reopens))
    assert halt.status == "CONFIRMED"


def test_the_levels_of_two_days_as_the_exchange_published_them() -> None:
    assert trigger_points(date(2022, 10, 4), 16_887_35) == {
        10: 1_688_75,
        15: 2_533_10,
        20: 3_377_45,
    }
    assert trigger_points(date(2024, 12, 19), 24_198_85)[10] == 2_419_90


def test_the_halt_of_13_march_2020() -> None:
    day = date(2020, 3, 13)
    (halt,) = halts(9_590_15, [(instant_us(day, time(9, 20)), 8_624_00)])
    assert halt.halted_until_us == instant_us(day, time(10, 5))
    assert halt.reopens_us == instant_us(day, time(10, 20))


def test_a_level_halts_once_and_the_next_one_again() -> None:
    found = halts(
        CLOSE,
        [
            (_at(9, 30), 24_000_00),
            (_at(10), 22_400_00),  # 10.4 per cent
            (_at(10, 30), 20_000_00),  # during the halt: nothing trades at it
            (_at(11), 22_300_00),  # again beyond the first level
            (_at(11, 30), 21_000_00),  # 16 per cent
            (_at(13, 40), 19_900_00),  # 20.4 per cent
        ],
    )
    assert [halt.move_percent for halt in found] == [10, 15, 20]
    assert [halt.rest_of_day for halt in found] == [False, False, True]


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ([(_at(10), CLOSE), (_at(9, 30), CLOSE)], "out of order"),
        ([(instant_us(date(2013, 10, 11), time(10)), CLOSE)], "begins on 2013-10-14"),
    ],
)
def test_what_cannot_be_answered_is_refused(moves: list[tuple[int, int]], said: str) -> None:
    with pytest.raises(CircuitBreakerError, match=said):
        halts(CLOSE, moves)


@given(
    st.lists(st.tuples(st.integers(0, 374), st.integers(-25, 25)), max_size=12).map(
        lambda moves: sorted(moves, key=lambda move: move[0])
    )
)
def test_halts_follow_each_other_within_the_session(moves: list[tuple[int, int]]) -> None:
    opens = session_hours(DAY).open_us
    found = halts(
        CLOSE, [(opens + n * 60_000_000, CLOSE * (100 + percent) // 100) for n, percent in moves]
    )
    ends = opens
    for halt in found:
        assert ends <= halt.begins_us <= halt.halted_until_us <= halt.reopens_us
        assert halt.reopens_us <= session_hours(DAY).close_us
        ends = halt.reopens_us
    levels = [halt.move_percent for halt in found]
    assert levels == sorted(set(levels))
