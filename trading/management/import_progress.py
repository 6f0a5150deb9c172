"""How far an import is: a bar of files and rows on a terminal, a line a file elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from journal.figures import count

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from click._termui_impl import ProgressBar
    from django.core.management.base import OutputWrapper

    from trading.market.intake import ImportOutcome, Progress

_NAME_CHARACTERS = 32  # of a file's name beside the bar, so that the line fits in eighty


def import_progress(stderr: OutputWrapper) -> Progress:
    """The progress that suits where messages go."""
    return Bar(sys.stderr) if stderr.isatty() else Lines(stderr.write)


class Lines:
    """One line a file."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._files = 0

    def begins(self, files: int) -> None:
        self._files = files

    def reads(self, number: int, path: Path) -> None: ...

    def tells(self, number: int, outcome: ImportOutcome) -> None:
        words = outcome.status + (f", {outcome.reason}" if outcome.reason else "")
        self._write(f"[{number}/{self._files}] {outcome.path}: {words}")

    def ends(self, done: int) -> None: ...


class Bar:
    """Files done of those there are, the rows read so far, and the file that is read now."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._bar: ProgressBar[str] | None = None
        self._rows = 0
        self._name = ""

    def begins(self, files: int) -> None:
        if not files:
            return
        self._bar = click.progressbar(
            length=files,
            file=self._terminal,
            show_pos=True,
            width=16,
            update_min_steps=0,  # a row counted moves no file
            item_show_func=lambda told: told,
        )

    def reads(self, number: int, path: Path) -> None:
        self._name = path.name[:_NAME_CHARACTERS]
        self._show(number - 1)

    def tells(self, number: int, outcome: ImportOutcome) -> None:
        self._rows += outcome.counts["read"]
        self._show(number - 1)

    def ends(self, done: int) -> None:
        self._show(done)
        if self._bar is not None:
            self._bar.render_finish()

    def _show(self, done: int) -> None:
        if self._bar is not None:
            self._bar.update(done - self._bar.pos, f"{count(self._rows)} rows, {self._name}")
