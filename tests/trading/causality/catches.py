"""Which poison caught which leak of the zoo, as a table. Run as a module it writes the table into
docs/causality.md.
"""

from __future__ import annotations

import functools
from pathlib import Path

from tests.trading.causality import zoo
from trading.causality.harness import Report, check
from trading.causality.poisons import POISONS

DOCUMENT = Path(__file__).parents[3] / "docs" / "causality.md"
BEGIN, END = "<!-- catches: begin -->", "<!-- catches: end -->"


@functools.cache
def report_of(name: str) -> Report:
    """The report of a function of the zoo."""
    function = next(each for each in (*zoo.LEAKY, *zoo.CLEAN) if each.__name__ == name)
    return check(function, zoo.make_tables(), zoo.CUTS, seed=3, clear=zoo.forget)


def table() -> str:
    """A Markdown table: trials of each poison that caught each leaky function, and at how many of
    the cuts.
    """
    names = [poison.name for poison in POISONS]
    lines = [
        f"| function | {' | '.join(names)} | cuts |",
        f"|---|{'---|' * (len(names) + 1)}",
    ]
    for function in zoo.LEAKY:
        report = report_of(function.__name__)
        caught = report.caught_by()
        cuts = len({leak.cut for leak in report.leaks})
        counts = " | ".join(str(caught.get(name, "·")) for name in names)
        lines.append(f"| {function.__name__} | {counts} | {cuts} of {len(zoo.CUTS)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
