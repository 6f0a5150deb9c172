"""Figures as people read them."""

from __future__ import annotations

import pytest

from journal import figures


@pytest.mark.parametrize(
    ("paise", "text"),
    [
        (123456750, "12,34,567.50"),
        (-125000, "−1,250.00"),
        (99, "0.99"),
        (0, "0.00"),
        (10**15, "1,00,00,00,00,00,000.00"),
        (None, "no data"),
    ],
)
def test_rupees(paise: int | None, text: str) -> None:
    assert figures.rupees(paise) == text


@pytest.mark.parametrize(
    ("paise", "text"), [(125000, "▲ +1,250.00"), (-125000, "▼ −1,250.00"), (0, "0.00")]
)
def test_profit_has_arrow_and_sign(paise: int, text: str) -> None:
    assert figures.signed_rupees(paise) == text


def test_every_paisa_survives() -> None:
    for paise in (9_007_199_254_740_993, -9_007_199_254_740_993):
        digits = figures.rupees(paise).replace(",", "").replace(".", "").replace("−", "-")
        assert int(digits) == paise


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (-0.867886123, "−0.867886"),
        (1234567, "12,34,567"),
        (1e-9, "0.000000001"),
        (123456789.0, "12,34,57,000"),
        (True, "yes"),
        ("SELL", "SELL"),
        (None, "no data"),
    ],
)
def test_significant(value: object, text: str) -> None:
    assert figures.significant(value) == text


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (24586.0526, 2, "24,586.05"),
        (-0.005, 2, "−0.01"),
        (1234567.5, 0, "12,34,568"),
        (3, 1, "3.0"),
        (None, 2, "no data"),
        (float("nan"), 2, "no data"),
        (float("inf"), 2, "no data"),
    ],
)
def test_places(value: float | None, count: int, text: str) -> None:
    assert figures.places(value, count) == text


def test_shares_levels_and_lengths() -> None:
    assert [figures.percent(share, 1) for share in (0.98765, 0.0, None)] == [
        "98.8",
        "0.0",
        "no data",
    ]
    assert [figures.points(paise) for paise in (2_458_605.26, None)] == ["24,586.05", "no data"]
    assert [figures.millis(seconds) for seconds in (0.0884, 0.0021, 1.25, None)] == [
        "88",
        "2.1",
        "1,250",
        "no data",
    ]


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (400_000, "0.4 s"),
        (9_949_999, "9.9 s"),
        (12_000_000, "12 s"),
        (1_800_000_000, "30 min"),
        (7_560_000_000, "2.1 h"),
        (451 * 86_400_000_000, "451 d"),
        (-2_000_000, "−2.0 s"),
        (None, "no data"),
    ],
)
def test_span(us: int | None, text: str) -> None:
    assert figures.span(us) == text


def test_time_between_cards() -> None:
    assert [figures.after(us) for us in (None, 0, 21_000, 1_800_000_000)] == [
        "",
        "+0 s",
        "+0.021 s",
        "+30 min",
    ]


def test_times_are_exact_to_the_microsecond_and_ist_is_half_an_hour_off() -> None:
    us = 1_756_438_200_123_457
    assert figures.utc_text(us) == "2025-08-29T03:30:00.123457Z"
    assert figures.ist_text(us) == "09:00:00"
    assert figures.ist_text(1_756_492_199_999_999, "%Y-%m-%d") == "2025-08-29"
    assert figures.ist_text(1_756_492_200_000_000, "%Y-%m-%d") == "2025-08-30"
