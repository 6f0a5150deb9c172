"""What the pages of long work have in common: the words of a kind of work and its context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.long_work import progress_of

if TYPE_CHECKING:
    from journal.models import LongWork


@dataclass(frozen=True, slots=True)
class WorkFace:
    """How a kind of work is spoken of and which templates say how it stands and what came of it."""

    noun: str
    counted: str  # lines, events
    beginning: str  # what it does before its size is known
    state_template: str
    outcome_template: str


def work_context(
    *, row: LongWork, face: WorkFace, url: str, stop_url: str, may_stop: bool, said: str | None
) -> dict[str, Any]:
    """Return the context of a piece of work's page, or of the fragment that a page asks for which
    has `said` a step of its progress already; None is a page.
    """
    progress = progress_of(row)
    return {
        "row": row,
        "progress": progress,
        "face": face,
        "url": url,
        "stop_url": stop_url,
        "may_stop": may_stop,
        "announce": said is not None and said != str(progress.step),
    }
