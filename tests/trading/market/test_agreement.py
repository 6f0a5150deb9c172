"""Rows of one key and one moment: the same again, less, more, a contradiction, a correction."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist
from trading.market import agreement
from trading.market.categories import BY_NAME, own_columns
from trading.market.feeds.end_of_day import end_of_day_frames
from trading.market.services import market_import
from trading.market.store import MarketStore, connect
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

Told = tuple[int | None, ...]
TOLD = ("open_paise", "close_paise", "volume")  # of spot_bars, the columns the trials play with
KEY = {"underlying": "NIFTY", "interval": "1m", "as_of": 60_000_000, "available_at": 60_000_000}
VALUES = st.tuples(*(st.sampled_from((None, 1, 2)) for _ in TOLD))
PUBLISHED = at_ist(date(2026, 1, 6), 9)  # what is said of Monday 5 Jan 2026
CORRECTED = at_ist(date(2026, 1, 7), 18)


def _stage(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[Told], category: str = "spot_bars"
) -> None:
    types = ", ".join(f'"{name}" {kind}' for name, kind in own_columns(category).items())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE staged_{category} "
        f"({types}, source_row BIGINT, outcome VARCHAR, raw VARCHAR)"
    )
    for number, values in enumerate(rows, start=1):
        row: dict[str, Any] = KEY | dict(zip(TOLD, values, strict=True)) | {"source_row": number}
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(
            f"INSERT INTO staged_{category} ({names}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
            list(row.values()),
        )


def _found(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    columns = ", ".join(TOLD)
    return connection.execute(
        f"SELECT outcome, {columns} FROM staged_spot_bars ORDER BY source_row"  # noqa: S608
    ).fetchall()


def _together(rows: Sequence[Told]) -> Told | None:
    """What rows say together; None where two of them give different values."""
    said: list[int | None] = []
    for values in zip(*rows, strict=True):
        different = {value for value in values if value is not None}
        if len(different) > 1:
            return None
        said.append(different.pop() if different else None)
    return tuple(said)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(VALUES, min_size=1, max_size=4))
def test_within_a_file_the_first_row_says_what_all_of_them_say(
    connection: duckdb.DuckDBPyConnection, rows: list[Told]
) -> None:
    _stage(connection, rows)
    agreement.mark_repeated(connection, "spot_bars")
    found = _found(connection)
    together = _together(rows)
    if together is None:
        assert found == [("CONFLICTING_ROWS", *row) for row in rows]
    else:
        assert found[0] == (None, *together)
        assert [outcome for outcome, *_ in found[1:]] == ["DUPLICATE_ROW"] * (len(rows) - 1)


@settings(max_examples=60, deadline=None)
@given(stored=VALUES, row=VALUES)
def test_a_row_is_dropped_completed_or_refused_by_what_it_adds(
    connection: duckdb.DuckDBPyConnection, folder: Path, stored: Told, row: Told
) -> None:
    path = folder / "stored.parquet"
    _stage(connection, [stored])
    connection.execute(f"COPY staged_spot_bars TO '{path}' (FORMAT parquet)")
    _stage(connection, [row])
    agreement.mark_stored(connection, "spot_bars", [path])
    ((outcome, *values),) = _found(connection)
    together = _together([stored, row])
    if together is None:
        assert (outcome, *values) == ("CONFLICTS_WITH_STORE", *row)
    elif together == stored:
        assert (outcome, *values) == ("ALREADY_STORED", *row)
    else:
        assert (outcome, *values) == (None, *together)


@pytest.mark.parametrize(
    "category", sorted(name for name in BY_NAME if BY_NAME[name].is_dated_table)
)
def test_in_a_dated_table_a_null_is_a_statement(category: str, tmp_path: Path) -> None:
    column = next(n for n in reversed(BY_NAME[category].columns) if n not in BY_NAME[category].key)
    types = ", ".join(f'"{name}" {kind}' for name, kind in own_columns(category).items())
    path = tmp_path / "stored.parquet"
    with connect() as connection:
        connection.execute(
            f"CREATE TEMP TABLE staged_{category} "
            f"({types}, source_row BIGINT, outcome VARCHAR, raw VARCHAR)"
        )
        connection.execute(f"INSERT INTO staged_{category} (source_row) VALUES (1)")  # noqa: S608
        connection.execute(f"COPY staged_{category} TO '{path}' (FORMAT parquet)")
        agreement.mark_stored(connection, category, [path])
        same = connection.execute(f"SELECT outcome FROM staged_{category}").fetchone()  # noqa: S608
        connection.execute(f"UPDATE staged_{category} SET outcome = NULL, \"{column}\" = 'x'")  # noqa: S608
        agreement.mark_stored(connection, category, [path])
        other = connection.execute(f"SELECT outcome FROM staged_{category}").fetchone()  # noqa: S608
    assert (same, other) == (("ALREADY_STORED",), ("CONFLICTS_WITH_STORE",))


# --- through the door of every import -------------------------------------------------------------


def _write(folder: Path, file: files.TextFile, text: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return file.write(folder, text)


def _volatility(root: Path, now_us: int) -> dict[str, dict[str, Any]]:
    rows = TimeGuard(MarketStore(root)).rows("volatility", now_us=now_us)
    return {
        name: {column: values[number] for column, values in rows.items()}
        for number, name in enumerate(rows["underlying"].tolist())
    }


def test_two_forms_of_one_day_complete_each_other_in_either_order(tmp_path: Path) -> None:
    full, short = (_write(tmp_path / "in", file) for file in (files.FOVOLT, files.VOLATILITY))
    answers = []
    for order in ([full, short], [short, full]):
        root = tmp_path / order[0].stem
        for path in order:
            (outcome,) = market_import(root=root, paths=[path]).outcomes
            assert outcome.counts["rejected"] == {}
        answers.append(_volatility(root, PUBLISHED))
    (outcome,) = market_import(root=tmp_path / short.stem, paths=[full]).outcomes
    assert outcome.status == "unchanged"
    for name in ("NIFTY", "BANKNIFTY"):
        one, other = (
            {k: None if v is None or v != v else v for k, v in a[name].items()} for a in answers
        )
        assert one == {**other, "source_digest": one["source_digest"]}
    assert answers[0]["NIFTY"]["log_return"] == -0.0019  # what only the exchange's form says
    assert answers[1]["NIFTY"]["log_return"] == -0.0019


def test_calls_and_puts_in_two_files_are_one_chain(tmp_path: Path) -> None:
    for file in (files.SITE_CALLS, files.SITE_PUTS):
        path = _write(tmp_path / "in", file)
        (outcome,) = market_import(
            root=tmp_path / "market", paths=[path], known_at_us=file.known_at_us
        ).outcomes
        assert (outcome.status, outcome.counts["accepted"]) == ("imported", 1)
    rows = TimeGuard(MarketStore(tmp_path / "market")).rows(
        "chain_snapshots", now_us=files.KNOWN_AT_US
    )
    assert rows["call_bid_paise"].tolist() == [109_995]
    assert rows["put_bid_paise"].tolist() == [2_010]


def test_a_contradiction_is_refused_unless_it_was_known_later(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[_write(tmp_path / "in", files.UDIFF)])
    first = _call_close(root, PUBLISHED)
    other = _write(tmp_path / "other", files.UDIFF, _corrected())
    for known_at_us in (None, PUBLISHED - 1, PUBLISHED):
        (outcome,) = market_import(root=root, paths=[other], known_at_us=known_at_us).outcomes
        assert outcome.status == "unchanged"
        assert outcome.counts["rejected"] == {"CONFLICTS_WITH_STORE": 1}
    assert _call_close(root, CORRECTED) == first


def _corrected(rupees: int = 1) -> str:
    """The bhavcopy of 5 Jan 2026 again, its call closing higher."""
    row = files.udiff_row()
    close = dict(zip(files.udiff_bhavcopy.COLUMNS, row.split(","), strict=False))["ClsPric"]
    column = files.udiff_bhavcopy.COLUMNS.index("ClsPric")
    cells = row.split(",")
    cells[column] = f"{float(close) + rupees:.2f}"
    return files.UDIFF.text.replace(row, ",".join(cells))


def _call_close(root: Path, now_us: int) -> int:
    rows = TimeGuard(MarketStore(root)).rows(
        "bhavcopy_options", now_us=now_us, columns=("close_paise",), where={"right": "CE"}
    )
    (close,) = rows["close_paise"].tolist()
    return int(close)


def test_a_correction_is_known_from_when_it_was_published(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[_write(tmp_path / "in", files.UDIFF)])
    first = _call_close(root, PUBLISHED)
    corrected = _write(tmp_path / "corrected", files.UDIFF, _corrected())
    (outcome,) = market_import(root=root, paths=[corrected], known_at_us=CORRECTED).outcomes
    # The put and the future say what they said; the call is told anew.
    assert outcome.counts["categories"] == {"bhavcopy_options": 1}
    assert set(outcome.counts["dropped"]) == {"ALREADY_STORED"}
    assert _call_close(root, PUBLISHED) == first
    assert _call_close(root, CORRECTED - 1) == first
    assert _call_close(root, CORRECTED) == first + 100


def test_a_correction_told_again_adds_nothing(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[_write(tmp_path / "in", files.UDIFF)])
    corrected = _write(tmp_path / "corrected", files.UDIFF, _corrected())
    for known_at_us, status in ((CORRECTED, "imported"), (CORRECTED + 1, "unchanged")):
        (outcome,) = market_import(root=root, paths=[corrected], known_at_us=known_at_us).outcomes
        assert (outcome.status, outcome.counts["rejected"]) == (status, {})


def test_two_corrections_of_one_moment_contradict_each_other(tmp_path: Path) -> None:
    root = tmp_path / "market"
    for rupees, rejected in ((0, {}), (1, {}), (2, {"CONFLICTS_WITH_STORE": 1})):
        path = _write(tmp_path / str(rupees), files.UDIFF, _corrected(rupees))
        (outcome,) = market_import(root=root, paths=[path], known_at_us=CORRECTED).outcomes
        assert outcome.counts["rejected"] == rejected


def test_frames_of_a_day_are_those_of_its_first_record(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[_write(tmp_path / "in", files.UDIFF)])

    def frames() -> list[Any]:
        guard = TimeGuard(MarketStore(root))
        day = date(2026, 1, 6)
        return list(end_of_day_frames(guard, ("NIFTY",), day, expiries=1, strikes_each_side=2))

    before = frames()
    corrected = _write(tmp_path / "corrected", files.UDIFF, _corrected())
    market_import(root=root, paths=[corrected], known_at_us=CORRECTED)
    assert before
    assert frames() == before
