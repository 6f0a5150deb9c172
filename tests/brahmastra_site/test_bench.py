"""The bench's table and its JSON, on figures made up here."""

from __future__ import annotations

import json

from brahmastra_site.bench.__main__ import report, table
from brahmastra_site.bench.figures import FIGURES, Figure

MADE_UP = [
    Figure("append", 1_500.4, "lines/s", "write + fdatasync", 6_000.0),
    Figure("a longer name", 12.0, "MB/s", "sha256", 1_200_000.0),
]


def test_the_table_has_a_line_a_figure_and_aligned_columns() -> None:
    head, rule, *rows = table(MADE_UP)
    assert len(rows) == len(MADE_UP)
    assert rows[0].split() == [
        "append",
        "1,500",
        "lines/s",
        "write",
        "+",
        "fdatasync",
        "6,000",
        "0.250",
    ]
    # Numbers end in one column, words begin in one.
    assert rows[0].index("lines/s") == rows[1].index("MB/s") == head.index("unit")
    assert len(rows[0]) == len(rows[1]) == len(head) <= len(rule)


def test_the_report_is_json_with_every_ratio() -> None:
    said = json.loads(json.dumps(report(MADE_UP)))
    assert [figure["ratio"] for figure in said["figures"]] == [
        1_500.4 / 6_000.0,
        12.0 / 1_200_000.0,
    ]
    assert said["figures"][0]["beside"] == "write + fdatasync"
    assert said["python"].startswith("3.11")


def test_every_figure_says_what_it_measures() -> None:
    assert all(measure.__doc__ for measure in FIGURES)
    assert len(set(FIGURES)) == len(FIGURES)
