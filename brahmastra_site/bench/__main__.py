"""`python -m brahmastra_site.bench`: measure everything, print one table, write `bench.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from brahmastra_site.bench.figures import FIGURES, Figure
from brahmastra_site.bench.ground import prepared_ground
from brahmastra_site.launcher.environment import REPOSITORY


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m brahmastra_site.bench", description=__doc__)
    parser.add_argument("--output", type=Path, default=REPOSITORY / "bench.json")
    parser.add_argument("--only", choices=[measure.__name__ for measure in FIGURES], nargs="+")
    parser.add_argument(
        "--events", type=int, default=200_000, help="of the log that is verified and searched"
    )
    given = parser.parse_args(arguments)
    output: Path = given.output
    figures = []
    with prepared_ground(_note, given.events) as ground:
        for measure in FIGURES:
            if given.only and measure.__name__ not in given.only:
                continue
            _note(f"Measuring: {measure.__name__.replace('_', ' ')}")
            figures.append(measure(ground))
    print("\n".join(table(figures)))  # noqa: T201 - the table is what it is for
    output.write_text(json.dumps(report(figures), indent=2) + "\n")
    _note(f"Written to {output}")
    return 0


def table(figures: list[Figure]) -> list[str]:
    """Return the lines of a table of figures, its columns aligned."""
    rows = [("figure", "value", "unit", "floor or peer", "its value", "ratio")]
    rows += [
        (
            figure.name,
            f"{figure.value:,.0f}",
            figure.unit,
            figure.beside,
            f"{figure.beside_value:,.0f}",
            f"{figure.ratio:.3f}",
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    numbers = {1, 4, 5}
    lines = [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def report(figures: list[Figure]) -> dict[str, object]:
    """Return what `bench.json` holds: the machine and the figures."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "figures": [asdict(figure) | {"ratio": figure.ratio} for figure in figures],
    }


def _note(line: str) -> None:
    """Say what is happening, apart from the table."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
