"""History has one door: the store's rows are read by the time guard and by nobody else.

Found by reading the code: a text with a table function of DuckDB in it, an import of DuckDB, of
another reader of Parquet, or of the store's own connection, in a module that is not among those who
write the store.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from brahmastra_site.launcher.environment import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS = ("trading", "replay", "journal", "diagnostics", "brahmastra_site")
# Who may open the store's files, and why.
ALLOWED = {
    "trading/market/store.py": "writes them",
    "trading/market/intake.py": "takes files in over the connection it is given",
    "trading/market/exporting.py": "stages what sessions fitted, and reads the store by the door",
    "trading/market/staging.py": "stages rows that Python holds",
    "trading/market/importing.py": "imports: judges and writes what comes",
    "trading/market/agreement.py": "compares what comes with what is there",
    "trading/market/day_slots.py": "counts what is being written, by its day",
    "trading/market/importers/": "read the files that come in",
    "trading/market/synthetic/writing.py": "writes what is generated",
    "trading/market/timeguard.py": "is the door",
    "trading/market/rejections.py": "shows refused rows, which are no history",
    "brahmastra_site/warmth.py": "opens an empty DuckDB, so that the first page need not",
    "brahmastra_site/bench/": "measures the bare read beside the door",
}
READERS = ("read_parquet", "parquet_scan", "read_csv", "from_parquet")
MODULES = ("duckdb", "pyarrow", "polars", "pandas", "fastparquet")
CONNECTIONS = ("connect", "path_of")


def doors(source: str) -> list[str]:
    """The places in a module's text that open a store's files."""
    return [found for node in ast.walk(ast.parse(source)) for found in _of_node(node)]


def _of_node(node: ast.AST) -> Iterator[str]:
    line = getattr(node, "lineno", 0)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if any(f"{reader}(" in node.value.lower() for reader in READERS):
            yield f"line {line}: a query of files"
    elif isinstance(node, ast.Import):
        for name in node.names:
            if name.name.split(".")[0] in MODULES:
                yield f"line {line}: import {name.name}"
    elif isinstance(node, ast.ImportFrom):
        if (node.module or "").split(".")[0] in MODULES:
            yield f"line {line}: from {node.module}"
        if node.module == "trading.market.store":
            for name in node.names:
                if name.name in CONNECTIONS:
                    yield f"line {line}: the store's {name.name}"
    elif isinstance(node, ast.Attribute) and node.attr in READERS:
        yield f"line {line}: .{node.attr}"


def test_nobody_else_opens_the_files_of_the_store() -> None:
    modules = [path for root in ROOTS for path in sorted((REPOSITORY / root).rglob("*.py"))]
    assert len(modules) > 100
    found = {
        name: doors(path.read_text())
        for path in modules
        if not (name := path.relative_to(REPOSITORY).as_posix()).startswith(tuple(ALLOWED))
    }
    assert {name: places for name, places in found.items() if places} == {}


def test_the_allowed_are_there_and_need_it() -> None:
    for name in ALLOWED:
        path = REPOSITORY / name
        modules = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        assert any(doors(module.read_text()) for module in modules), name


@pytest.mark.parametrize(
    "source",
    [
        "import duckdb",
        "import duckdb.typing as t",
        "from duckdb import connect",
        "import pyarrow.parquet",
        "from trading.market.store import MarketStore, connect",
        "def f(c, p):\n    return c.execute(f\"SELECT * FROM read_parquet('{p}')\")",
        "q = 'select * from parquet_scan(?)'",
        "def f(c, p):\n    return c.read_parquet(p)",
    ],
)
def test_a_door_is_found(source: str) -> None:
    assert doors(source)


@pytest.mark.parametrize(
    "source",
    [
        "from trading.market.timeguard import TimeGuard",
        "from trading.market.store import MarketStore, StoreError",
        "text = 'Parquet files are read by the time guard'",
    ],
)
def test_what_is_no_door_is_not_found(source: str) -> None:
    assert doors(source) == []
