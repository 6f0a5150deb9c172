"""What a session's log says of its fits: each `surface.fitted` with the frame it was fitted to, and
the rows of `fits` and `surfaces` it becomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from journal.log.canonical import canonical_bytes
from journal.log.errors import PayloadError
from journal.payloads import check
from journal.payloads.surfaces import SurfaceFitted
from trading.market.frames import FrameSource
from trading.market.importers import ImportRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from journal.log.reader import LogLine
    from journal.payloads.surfaces import ExpiryFitted

Row = dict[str, Any]

FITTED = "surface.fitted"
MODEL = "SURFACE"
UNKNOWN_SHAPE = "UNKNOWN_SHAPE"  # data that this version of the program cannot take apart
REFUSALS = (UNKNOWN_SHAPE,)


class Snapshot(NamedTuple):
    """The frame that was fitted: when it was true (µs UTC) and where it came from."""

    as_of: int
    source: FrameSource


class Fitted(NamedTuple):
    """One `surface.fitted`: its line, its frame, and its data; `payload` is None where this version
    cannot take the data apart.
    """

    line: LogLine
    snapshot: Snapshot
    payload: SurfaceFitted | None

    @property
    def seq(self) -> int:
        """The event's number within its session."""
        return self.line.body["seq"]  # type: ignore[no-any-return]


def fits_of_day(lines: Iterable[LogLine]) -> Iterator[Fitted]:
    """The fits among the lines of one day file, in order. Raises ImportRefusedError for one whose
    cause is no frame of that day.
    """
    frames: dict[int, Snapshot] = {}
    for line in lines:
        body = line.body
        if body["kind"] == "market.frame":
            snapshot = _snapshot(body["data"])
            if snapshot is not None:
                frames[body["seq"]] = snapshot
        elif body["kind"] == FITTED:
            found = [frames[seq] for seq in body["cause"] if seq in frames]
            if len(found) != 1:
                msg = (
                    f"session {body['session']}: event {body['seq']} in {line.file}, a {FITTED}, "
                    f"has causes {body['cause']}; expected one market.frame of the same day"
                )
                raise ImportRefusedError(msg)
            yield Fitted(line, found[0], _payload(line))


def rows_of(fitted: Fitted) -> tuple[list[Row], list[Row]]:
    """The rows of `fits` and of `surfaces` of an event; one that cannot be taken apart is a single
    row of `fits`, refused, as it was.
    """
    body, payload = fitted.line.body, fitted.payload
    event = {
        "as_of": fitted.snapshot.as_of,
        "available_at": body["ts"],
        "session": body["session"],
        "seq": body["seq"],
        "event_hash": fitted.line.hash,
        "model": MODEL,
    }
    if payload is None:
        raw = canonical_bytes(body).decode()
        return [event | {"outcome": UNKNOWN_SHAPE, "raw": raw}], []
    event |= {
        "underlying": payload.underlying,
        "profile": payload.profile,
        "method": payload.method,
        "rung": payload.rung,
        "eta": payload.eta,
    }
    whole = event | {
        "solver_status": payload.solver_status,
        "iterations": payload.iterations,
        "halvings": payload.halvings,
    }
    fits = [whole | _of_expiry(expiry) for expiry in payload.expiries]
    if payload.refusal or payload.surface is None:
        return fits, []
    surface = event | {
        "expiries": len(payload.surface.expiries),
        "violations": payload.arbitrage.violations if payload.arbitrage else None,
        "digest": payload.digest,
        "surface": canonical_bytes(body["data"]["surface"]).decode(),
    }
    return fits, [surface]


def _of_expiry(expiry: ExpiryFitted) -> Row:
    row: Row = {
        "expiry": expiry.expiry,
        "years": expiry.years,
        "refusal": expiry.refusal,
        "omitted": canonical_bytes(expiry.omitted).decode(),
        "at_the_money_volatility": expiry.at_the_money_volatility,
    }
    if expiry.forward is not None:
        row |= {
            "forward_paise": expiry.forward.forward_paise,
            "forward_error_paise": expiry.forward.error_paise,
            "forward_residual_paise": expiry.forward.residual_paise,
            "forward_pairs": expiry.forward.pairs_used,
            "discount": expiry.forward.discount,
        }
    if expiry.quotes is not None:
        row |= {
            "quotes": expiry.quotes.count,
            "quotes_inside": expiry.quotes.inside,
            "quotes_tolerated": expiry.quotes.tolerated,
            "median_error": expiry.quotes.median_error,
            "p95_error": expiry.quotes.p95_error,
            "largest_error": expiry.quotes.largest_error,
        }
    return row


def _snapshot(data: Row) -> Snapshot | None:
    """The part of a frame's data that is read here; None where it is not as this version knows it,
    which matters to the fits of that frame alone.
    """
    try:
        return Snapshot(
            msgspec.convert(data.get("as_of"), int),
            msgspec.convert(data.get("source"), FrameSource),
        )
    except msgspec.ValidationError:
        return None


def _payload(line: LogLine) -> SurfaceFitted | None:
    try:
        payload = check(line.to_event())
    except PayloadError:
        return None
    return payload if isinstance(payload, SurfaceFitted) else None
