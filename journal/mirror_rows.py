"""A log line as a row of the audit store.

The mirror gives every column but `payload`, which the database takes out of `raw` itself and holds
the other columns against (docs/decisions/audit-columns.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from journal.log.canonical import recanonical_bytes
from journal.log.errors import TamperedError
from journal.log.session import ID_STRIDE

if TYPE_CHECKING:
    from journal.log.reader import LogLine

# Their rows keep a summary of `data`; the log keeps the whole (docs/foundations.md, Audit store).
SUMMARISED_KINDS = frozenset({"market.frame", "day.opened"})

# The columns the mirror gives, with their types, in the order of a row.
COLUMN_TYPES = {
    "id": "int8",
    "file": "text",
    "file_offset": "int8",
    "length": "int4",
    "hash": "text",
    "prev": "text",
    "raw": "text",
    "session": "text",
    "seq": "int8",
    "kind": "text",
    "ts": "int8",
    "key": "text",
    "cause": "int8[]",
}
COLUMNS = tuple(COLUMN_TYPES)
RAW = COLUMNS.index("raw")

Row = tuple[int, str, int, int, str, str, str, str, int | None, str, int, str | None, list[int]]

_HEAD = b'{"event":'
_DATA = b'],"data":'  # after the causes, which are integers: the first of its kind
_KEY = b',"key":'  # before the key; what follows it holds no other


def row_of(number: int, line: LogLine) -> Row:
    """Return the store's row for a line of session `number`, in the order of `COLUMNS`."""
    body = line.body
    return (
        number * ID_STRIDE + line.line,
        line.file,
        line.offset,
        line.length,
        line.hash,
        line.prev,
        stored_text(line),
        body["session"],
        body["seq"],
        body["kind"],
        body["ts"],
        body["key"],
        body["cause"],
    )


def stored_text(line: LogLine) -> str:
    """Return what column `raw` holds: the line without its newline, or the line with `data`
    replaced by its summary for the kinds that are summarised.

    Raises TamperedError for a line of those kinds that is not laid out as a canonical one.
    """
    body = line.body
    if body["kind"] not in SUMMARISED_KINDS:
        return line.raw[:-1].decode()
    start, end = _data_span(line)
    data = recanonical_bytes(summary(body["kind"], body["data"]))
    return (line.raw[:start] + data + line.raw[end:-1]).decode()


def _data_span(line: LogLine) -> tuple[int, int]:
    """Return where in the line's bytes its data is."""
    start = line.raw.find(_DATA) + len(_DATA)
    end = len(_HEAD) + line.event.rfind(_KEY)
    if not len(_DATA) <= start < end:
        raise TamperedError(
            path=Path(line.file), line=line.line, reason="bytes are not RFC 8785 canonical"
        )
    return start, end


def summary(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what the store keeps of a summarised kind's data.

    A day's opening without history and state; a frame with each array of an expiry's block, and of
    an instrument's prints, replaced by the number of its entries that are not null, under `counts`.
    A frame whose chain this version does not know is kept whole.
    """
    if kind == "day.opened":
        return {name: value for name, value in data.items() if name not in {"history", "state"}}
    if not _is_blocks(data.get("chain")):
        return data
    return data | {
        name: [_block_summary(block) for block in data[name]]
        for name in ("chain", "prints")
        if _is_blocks(data.get(name))
    }


def _is_blocks(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(block, dict) for block in value)


def _block_summary(block: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for name, value in block.items():
        if isinstance(value, list):
            counts[name] = _present(value)
        else:
            kept[name] = value
    kept["counts"] = counts
    return kept


def _present(entries: list[Any]) -> int:
    """Return how many entries are not null."""
    try:
        sum(entries)  # three times as fast as counting, and refuses null
    except TypeError:
        return len(entries) - entries.count(None)
    return len(entries)
