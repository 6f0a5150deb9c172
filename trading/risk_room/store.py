"""How the pages of risk ask the audit store: sessions, ranges of ids, rows."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import connection

from journal.log.session import ID_STRIDE
from journal.selectors import UnknownEventError


def one_of(wanted: str, known: tuple[str, ...]) -> str:
    """The one that is wanted, the first without a wish; UnknownEventError for another."""
    if wanted and wanted not in known:
        raise UnknownEventError(wanted)
    return wanted or next(iter(known), "")


def session_numbers() -> dict[str, int]:
    """Numbers by name, the newest session first."""
    return dict(rows("SELECT name, number FROM audit.session ORDER BY number DESC", {}))


def ids_of(number: int) -> dict[str, Any]:
    """The store ids of a session: its `first`, and the first `after` it."""
    return {"first": number * ID_STRIDE, "after": (number + 1) * ID_STRIDE}


def is_synthetic(first_id: int, after_id: int) -> bool:
    """Whether what the first features in a range of store ids were made of was generated."""
    found = rows(
        "SELECT (payload->'data'->>'synthetic')::boolean FROM audit.event "
        "WHERE kind = 'features.computed' AND id >= %(first)s AND id < %(after)s "
        "ORDER BY id LIMIT 1",
        {"first": first_id, "after": after_id},
    )
    return bool(found and found[0][0])


def rows(sql: str, parameters: dict[str, Any]) -> list[Any]:
    """The rows of a query, what is JSON in them decoded."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [tuple(_json(value) for value in row) for row in cursor]


def _json(value: Any) -> Any:
    """Return a jsonb column: Django hands it over as text from a plain cursor."""
    return orjson.loads(value) if isinstance(value, str) and value.startswith("{") else value
