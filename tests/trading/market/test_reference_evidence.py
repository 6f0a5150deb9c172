"""The shipped calendar and contract tables against the evidence: the exchange's own daily files,
the compiled facts, and a calendar package.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from trading.market.calendar import calendar, instant_us, is_market_day
from trading.market.contracts import expiries, expiry_dates, freeze_quantity, lot_size
from trading.market.figures import table

if TYPE_CHECKING:
    from pathlib import Path

LAST_FILE = date(2026, 2, 27)
# Sessions the exchange's files of futures leave out: they list only days that settle.
SPECIAL_DAYS_MISSING = {date(2024, 3, 2)}


def _rows(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(statement, list(parameters)).fetchall()


def _days(path: Path, column: str, layout: str) -> set[date]:
    rows = _rows(
        f"SELECT DISTINCT strptime({column}, '{layout}')::DATE "  # noqa: S608 - names of ours
        "FROM read_csv(?, all_varchar = true)",
        str(path),
    )
    return {day for (day,) in rows}


def _futures(sample_data: Path) -> list[tuple[str, date, date, float | None, float | None, int]]:
    rows = _rows(
        "SELECT symbol, expiry, date::DATE, implied_lot::DOUBLE, stated_lot::DOUBLE, "
        "contracts::BIGINT FROM read_csv(?, all_varchar = true) "
        "WHERE symbol IN ('NIFTY', 'BANKNIFTY')",
        str(sample_data / "nse_daily" / "bhav_index.csv"),
    )
    return [(symbol, _expiry(text), *rest) for symbol, text, *rest in rows]


def _expiry(text: str) -> date:
    layout = "%Y-%m-%d" if text[:4].isdigit() else "%d-%b-%Y"
    return datetime.strptime(text, layout).date()  # noqa: DTZ007 - a date, no instant


def test_every_day_since_2012_traded_or_not_as_the_exchanges_files_say(sample_data: Path) -> None:
    daily = sample_data / "nse_daily"
    traded = _days(daily / "india_vix.csv", '"Date"', "%d-%b-%Y")
    for name in ("bhav_index.csv", "participant_oi.csv", "span_psr.csv", "volatility.csv"):
        traded |= _days(daily / name, "date", "%Y-%m-%d")
    ours = set(calendar().market_days(date(2012, 1, 2), LAST_FILE))
    assert ours - traded == SPECIAL_DAYS_MISSING
    assert {day for day in traded if day <= LAST_FILE} - ours == set()


def test_every_future_since_2012_has_the_lot_of_the_tables(sample_data: Path) -> None:
    rows = _futures(sample_data)
    assert len(rows) > 20_000
    for symbol, expiry, day, implied, stated, contracts in rows:
        lot = lot_size(symbol, expiry, day)
        if stated is not None:
            assert stated == lot, (symbol, expiry, day)
        elif implied is not None and contracts > 100:
            # Turnover is at traded prices, the quotient at the close: equal within a day's range.
            assert abs(implied / lot - 1) < 0.06, (symbol, expiry, day)


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_every_future_expired_on_a_monthly_of_the_tables(
    sample_data: Path, underlying: str
) -> None:
    last_traded: dict[date, date] = {}
    for symbol, expiry, day, *_ in _futures(sample_data):
        if symbol == underlying:
            last_traded[expiry] = max(day, last_traded.get(expiry, day))
    expired = {expiry for expiry, day in last_traded.items() if day == expiry}
    found = expiry_dates(underlying, date(2012, 7, 1), LAST_FILE)
    monthlies = {expiry.day for expiry in found if expiry.cycle == "monthly"}
    # The file went on calling the contract of 23 April 2014 that of the 24th, election day.
    assert monthlies - expired == {date(2014, 4, 23)}
    assert expired - monthlies == set()


def test_every_contract_of_two_months_has_the_lot_and_a_known_expiry(sample_data: Path) -> None:
    rows = _rows(
        "SELECT DISTINCT TradDt::DATE, TckrSymb, XpryDt::DATE, NewBrdLotQty::BIGINT "
        "FROM read_csv(?, all_varchar = true) "
        "WHERE TckrSymb IN ('NIFTY', 'BANKNIFTY', 'FINNIFTY', 'MIDCPNIFTY')",
        str(sample_data / "nse_fo_bhavcopy" / "*.csv.gz"),
    )
    assert len(rows) > 1_000
    assert [row for row in rows if lot_size(row[1], row[2], row[0]) != row[3]] == []
    for day in {row[0] for row in rows}:
        for underlying in ("NIFTY", "BANKNIFTY"):
            listed = {row[2] for row in rows if row[:2] == (day, underlying)}
            within = {expiry for expiry in listed if expiry <= calendar().last}
            opening = instant_us(day, time(9))
            known = expiries(underlying, day, calendar().last, known_at_us=opening)
            assert within <= set(known)


def test_lots_of_the_two_smaller_indices(sample_data: Path) -> None:
    rows = _rows(
        "SELECT symbol, expiry::DATE, date::DATE, stated_lot::DOUBLE "
        "FROM read_csv(?, all_varchar = true) "
        "WHERE symbol IN ('FINNIFTY', 'MIDCPNIFTY') AND stated_lot IS NOT NULL",
        str(sample_data / "nse_daily" / "bhav_index.csv"),
    )
    assert len(rows) > 2_000
    assert [row for row in rows if lot_size(row[0], row[1], row[2]) != row[3]] == []


def test_nifty_expiries_and_lots_are_those_of_the_expiry_calendar(sample_data: Path) -> None:
    rows = _rows(
        "SELECT actual_expiry_date::DATE, contract_lot_size FROM read_parquet(?) ORDER BY 1",
        str(sample_data / "nse_daily" / "nse_actual_expiry_calendar.parquet"),
    )
    lots = dict(rows)
    # It ends in July 2026, with the monthlies then listed.
    weeklies_to = date(2026, 8, 25)
    found = expiries("NIFTY", min(lots), weeklies_to)
    assert set(found) == {day for day in lots if day <= weeklies_to}
    assert {day: lot_size("NIFTY", day, day) for day in found} == {
        day: lot for day, lot in lots.items() if day <= weeklies_to
    }


def test_the_exchanges_list_of_holidays_in_2026(sample_data: Path) -> None:
    path = sample_data / "nse_daily" / "nse_holiday_master_trading_20260715.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["FO"]
    days = {_expiry(row["tradingDate"]) for row in rows}
    weekdays = {day for day in days if day.weekday() < 5}
    assert weekdays == {h.day for h in calendar().holidays() if h.day.year == 2026}


@pytest.mark.parametrize(("underlying", "lot"), [("NIFTY", 75), ("BANKNIFTY", 20)])
def test_open_interest_of_2018_and_2019_is_in_whole_lots(
    sample_data: Path, underlying: str, lot: int
) -> None:
    folder = sample_data / "nse_chain_2018_2019"
    path = folder / f"{underlying.lower()}_chain_2018-10_2019-06.parquet"
    odd = _rows(
        "SELECT avg((PutOI::BIGINT % ? != 0)::INT), min(snapshot_ist)::DATE "
        "FROM read_parquet(?) WHERE PutOI > 0 AND snapshot_ist >= '2018-10-26'",
        lot,
        str(path),
    )
    assert odd == [(0.0, date(2018, 10, 26))]
    assert lot_size(underlying, date(2018, 11, 29), date(2018, 10, 26)) == lot


def test_minute_bars_of_2024_fill_the_sessions_of_the_tables(sample_data: Path) -> None:
    rows = _rows(
        'SELECT "Date", count(*) FROM read_csv(?) GROUP BY 1',
        str(sample_data / "spot_1min_2024" / "NIFTY_2024.csv"),
    )
    bars = {datetime.strptime(str(day), "%Y%m%d").date(): n for day, n in rows}  # noqa: DTZ007
    minutes = {day: _minutes(day) for day in bars}
    # 20 January: the file goes on into the evening, but the session it proves is a whole one.
    assert bars.pop(date(2024, 1, 20)) > minutes.pop(date(2024, 1, 20)) == 375
    assert bars == minutes
    assert bars[date(2024, 3, 2)] == bars[date(2024, 5, 18)] == 105


def _minutes(day: date) -> int:
    hours = calendar().session_hours(day)
    return sum((stop - start) // 60_000_000 for start, stop in hours.intervals)


def test_the_compiled_facts(facts: dict[str, Any]) -> None:
    closures = {date.fromisoformat(day) for day in facts["holidays"]["weekday_closures"]}
    assert closures == {h.day for h in calendar().holidays() if h.day.year >= 2024}
    listed = facts["expiry"]["nifty_expiries_2024_10_to_2026_12"]
    found = expiry_dates("NIFTY", date(2024, 10, 1), date(2026, 12, 31))
    assert [expiry.day.isoformat() for expiry in found] == listed
    moved = [e.day.isoformat() for e in found if e.day != e.by_rule]
    # The seasons of weekly and monthly rule: shifted ones are exactly those of the facts.
    assert moved == facts["expiry"]["shifted"]


def test_the_special_sessions_of_the_compiled_facts(facts: dict[str, Any]) -> None:
    differing = set()
    for row in facts["special_sessions"]:
        if row["fno"] is None or ".." in row["date"]:
            continue
        day = date.fromisoformat(row["date"])
        said = tuple(
            tuple(instant_us(day, datetime.strptime(at, "%H:%M").time()) for at in span.split("-"))  # noqa: DTZ007
            for span in row["fno"]
        )
        if calendar().session_hours(day).intervals != said:
            differing.add(day)
    # The facts have the drill as first announced; the circular of the 19th made it a full session,
    # and the minute bars show one.
    assert differing == {date(2024, 1, 20)}


def test_the_freeze_quantities_of_the_compiled_facts(facts: dict[str, Any]) -> None:
    for row in facts["freeze_qty"]["observed"]:
        since = date.fromisoformat(row["from_"])
        for underlying in ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY"):
            figure = freeze_quantity(underlying, since)
            if row[underlying] is None:
                assert figure.status == "UNCONFIRMED"
            else:
                assert (figure.value, figure.status == "UNCONFIRMED") == (row[underlying], False)


@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_the_calendar_package_differs_where_it_is_known_to() -> None:
    package = pytest.importorskip(
        "exchange_calendars", reason="exchange_calendars is not installed (requirements-dev.txt)"
    )
    first, last = date(2012, 1, 1), date(2026, 12, 31)
    xbom = package.get_calendar("XBOM", start=first.isoformat(), end=last.isoformat())
    theirs = {session.date() for session in xbom.sessions}
    ours = set(calendar().market_days(first, last))
    # It has no weekend sessions, no Muhurat but one (as a whole day), and the Muharram of 2013 a
    # day too soon.
    special = {row["date"] for row in table("calendar")["special_session"]}
    assert ours - theirs == special - {date(2012, 11, 13)} | {date(2013, 11, 14)}
    assert theirs - ours == {date(2013, 11, 15)}
    assert {day for day in special if day.weekday() < 5} == {
        date(2012, 11, 13),
        date(2014, 10, 23),
        date(2015, 11, 11),
        date(2017, 10, 19),
        date(2018, 11, 7),
        date(2021, 11, 4),
        date(2022, 10, 24),
        date(2024, 11, 1),
        date(2025, 10, 21),
    }
    # Its close stays at 15:30 after the hours became longer.
    late = date(2026, 8, 3)
    their_close = int(xbom.session_close(late.isoformat()).timestamp()) * 1_000_000
    assert calendar().session_hours(late).close_us - their_close == 10 * 60_000_000


def test_there_is_never_a_week_without_a_session() -> None:
    days = list(calendar().market_days(calendar().first, calendar().last))
    assert len(days) > 3_700
    assert max(after - before for before, after in pairwise(days)) < timedelta(days=7)
    assert is_market_day(date(2019, 5, 23))
