"""How far an import is: a bar on a real terminal, a line a file elsewhere, nothing among JSON."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.trading.market.conftest import snapshot

if TYPE_CHECKING:
    from tests.trading.market.conftest import WriteFile

ROOT = Path(__file__).parents[3]
COLUMNS = 80


class Ended(NamedTuple):
    code: int
    stdout: str
    terminal: str


def on_a_terminal(var_dir: Path, *arguments: str) -> Ended:
    """Run `manage.py market` with its messages going to a terminal of eighty columns, its report to
    a pipe.
    """
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    seen: list[bytes] = []

    def look() -> None:
        # Linux answers EIO once nobody holds the other end any more.
        while True:
            try:
                said = os.read(terminal, 4096)
            except OSError:
                return
            if not said:
                return
            seen.append(said)

    looking = threading.Thread(target=look)
    looking.start()
    process = subprocess.run(
        [sys.executable, "manage.py", "market", *arguments],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        check=False,
    )
    os.close(end)
    looking.join()
    os.close(terminal)
    return Ended(process.returncode, process.stdout, b"".join(seen).decode())


@pytest.fixture
def folder(write_file: WriteFile) -> Path:
    """Three files of four rows, and one that nobody knows with a name that fits on no line."""
    for minute in range(3):
        at = {"Fetch_Time": f"29-Aug-2025 10:0{minute}:00"}
        path = write_file(f"{minute}.parquet", snapshot(**at))
    (path.parent / f"z{'z' * 150}.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    return path.parent


def test_a_terminal_shows_files_and_rows_in_one_line(tmp_path: Path, folder: Path) -> None:
    ended = on_a_terminal(tmp_path / "var", "import", str(folder), "--json")
    assert ended.code == 0, ended.terminal
    # The report stands alone in the pipe.
    report = json.loads(ended.stdout)
    assert [outcome["status"] for outcome in report["outcomes"]][:4] == [
        *["imported"] * 3,
        "skipped",
    ]
    shown = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", part) for part in ended.terminal.split("\r")]
    places = [match[1] for part in shown if (match := re.search(r"(\d/4)", part))]
    assert places == sorted(places)
    assert set(places) == {"0/4", "1/4", "2/4", "3/4", "4/4"}
    rows = [int(match[1]) for part in shown if (match := re.search(r"(\d+) rows, ", part))]
    assert rows == sorted(rows)
    assert (rows[0], rows[-1]) == (0, 12)
    assert any("1.parquet" in part for part in shown)
    # One line that is drawn again and again: never wrapped, one end at the end.
    assert all(len(part.rstrip("\n")) < COLUMNS for part in shown)
    assert ended.terminal.count("\n") == 1
    assert "[1/4]" not in ended.terminal


def test_a_refusal_ends_the_bar_and_stands_on_a_line_of_its_own(
    tmp_path: Path, folder: Path
) -> None:
    first = str(folder / "0.parquet")
    unknown = next(str(path) for path in folder.iterdir() if path.suffix == ".csv")
    ended = on_a_terminal(tmp_path / "var", "import", first, unknown)
    assert ended.code == 1
    assert ended.stdout == ""
    *_, refusal, nothing = ended.terminal.replace("\r\n", "\n").split("\n")
    assert nothing == ""
    assert "no importer knows it" in refusal
    assert "1/2" in ended.terminal
    assert "2/2" not in ended.terminal


def test_elsewhere_there_is_a_line_a_file(tmp_path: Path, folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "market", "import", str(folder)],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = ended.stderr.splitlines()
    assert [line.split("]")[0] for line in lines] == ["[1/4", "[2/4", "[3/4", "[4/4"]
    assert "\r" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert f"{folder / '0.parquet'}: imported, 4 of 4 rows" in ended.stdout
