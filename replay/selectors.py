"""What is asked about replay runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.urls import reverse

from journal.figures import count, ist_text
from journal.log.session import session_names
from journal.selectors import session_numbers
from replay.models import ReplayRun

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

PAGE_RUNS = 50

State = ReplayRun.State


class UnknownRunError(LookupError):
    """No replay run of that id."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first; `older` is the run the next page begins after."""

    runs: list[ReplayRun]
    sessions: list[str]
    older: UUID | None


@dataclass(frozen=True, slots=True)
class Parity:
    """What the foot line says of a session's last replay; `tone` is a class of colour."""

    words: str
    tone: str
    url: str


def run_page(*, var_dir: Path, before: UUID | None = None) -> RunPage:
    """Return the newest runs, or those older than one of them; two queries at most.

    Raises UnknownRunError.
    """
    runs = ReplayRun.objects.select_related("requested_by").order_by("-created_at", "-id")
    if before is not None:
        after = run_get(run_id=before)
        runs = runs.filter(
            Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id)
        )
    found = list(runs.defer("result")[: PAGE_RUNS + 1])
    shown = found[:PAGE_RUNS]
    return RunPage(
        runs=shown,
        sessions=replayable_sessions(var_dir=var_dir),
        older=shown[-1].pk if len(found) > PAGE_RUNS else None,
    )


def replayable_sessions(*, var_dir: Path) -> list[str]:
    """Return the sessions that have a log, newest first; no query."""
    with_log = set(session_names(var_dir))
    return [name for name in reversed(session_numbers(var_dir)) if name in with_log]


def run_get(*, run_id: UUID) -> ReplayRun:
    """Return a run with its people; one query. Raises UnknownRunError."""
    runs = ReplayRun.objects.select_related("requested_by", "stopped_by")
    run = runs.filter(pk=run_id).first()
    if run is None:
        raise UnknownRunError(str(run_id))
    return run


def last_parity(*, session: str) -> Parity:
    """Return what the last replay of a session said; one query."""
    run = (
        ReplayRun.objects.filter(
            session=session, state__in=[State.SUCCEEDED, State.DIVERGED, State.FAILED]
        )
        .order_by("-finished_at", "-id")
        .only("id", "state", "times", "finished_at", "result")
        .first()
    )
    if run is None:
        return Parity(words="not replayed", tone="warn", url=reverse("replay:runs"))
    url = reverse("replay:run-detail", args=[run.pk])
    if run.state == State.FAILED:
        return Parity(words="could not be replayed", tone="refused", url=url)
    if run.state == State.DIVERGED:
        return Parity(words=f"✕ {_first_place(run.result)}", tone="refused", url=url)
    at = ist_text(_us(run.finished_at), "%Y-%m-%d %H:%M")
    return Parity(words=f"✓ {run.times} × identical, {at}", tone="good", url=url)


def _first_place(result: dict[str, Any] | None) -> str:
    divergences = [way["divergence"] for way in (result or {}).get("ways", [])]
    seqs = [divergence["seq"] for divergence in divergences if divergence]
    return f"differs from seq {count(min(seqs))}" if seqs else "differs"


def _us(moment: datetime | None) -> int:
    return 0 if moment is None else round(moment.timestamp() * 1_000_000)
