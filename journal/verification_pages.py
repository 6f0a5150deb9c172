"""What is asked about range verifications: the list, one of them, each file's last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from journal.log.session import session_directory
from journal.log.status import file_statuses
from journal.models import RangeVerification

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from journal.log.status import FileStatus

PAGE_ROWS = 20
LOOKED_BACK = 200  # finished verifications among which a file's last one is sought

State = RangeVerification.State


class UnknownVerificationError(LookupError):
    """No range verification of that id in that session."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A day file by its ends, and the last verification that covers lines of it."""

    status: FileStatus
    verified: RangeVerification | None
    whole: bool  # whether that verification covers all of the file's lines


@dataclass(frozen=True, slots=True)
class VerificationList:
    """Verifications of a session, newest first; `older` is the one the next page begins after."""

    rows: list[RangeVerification]
    older: UUID | None


def file_rows(*, session: str, var_dir: Path) -> list[FileRow]:
    """Return the day files of a session, newest first; one query."""
    ended = RangeVerification.objects.select_related("requested_by").filter(
        session=session, state__in=[State.HOLDS, State.BROKEN, State.FAILED]
    )
    recent = list(ended.order_by("-created_at", "-id")[:LOOKED_BACK])
    statuses = file_statuses(session_directory(var_dir, session))
    return [_file_row(status, recent) for status in reversed(statuses)]


def verification_list(*, session: str, before: UUID | None = None) -> VerificationList:
    """Return the newest verifications of a session, or those older than one of them; two queries at
    most. Raises UnknownVerificationError.
    """
    rows = RangeVerification.objects.select_related("requested_by").filter(session=session)
    if before is not None:
        after = verification_get(session=session, verification_id=before)
        rows = rows.filter(
            Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id)
        )
    found = list(rows.order_by("-created_at", "-id")[: PAGE_ROWS + 1])
    shown = found[:PAGE_ROWS]
    return VerificationList(rows=shown, older=shown[-1].pk if len(found) > PAGE_ROWS else None)


def verification_get(*, session: str, verification_id: UUID) -> RangeVerification:
    """Return a verification with its people; one query. Raises UnknownVerificationError."""
    rows = RangeVerification.objects.select_related("requested_by", "stopped_by")
    row = rows.filter(pk=verification_id, session=session).first()
    if row is None:
        raise UnknownVerificationError(str(verification_id))
    return row


def _file_row(status: FileStatus, recent: list[RangeVerification]) -> FileRow:
    first, last = status.first_line, status.last_line
    for row in recent:
        if row.asked == status.day:
            return FileRow(status=status, verified=row, whole=_reaches(row, last))
        if first is not None and last is not None:
            if row.first_line <= last and row.last_line >= first:
                covers = row.first_line <= first and row.last_line >= last
                return FileRow(status=status, verified=row, whole=covers)
        elif row.whole:
            return FileRow(status=status, verified=row, whole=True)
    return FileRow(status=status, verified=None, whole=False)


def _reaches(row: RangeVerification, last: int | None) -> bool:
    return last is None or row.last_line >= last
