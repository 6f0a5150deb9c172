"""Fits that were made, kept as files: the same fit is not made twice, and a day's fits can be told.

    <var>/surfaces/<underlying>/<IST date>/<available_at µs>-<key>.json

A record can always be made again from the market store, so none is synced to disk, a damaged one
counts as absent, and any may be deleted. Its key is a digest of everything that decides the fit:
the chain's bytes, the settings and the version of the code.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.ist import ist_date
from trading.pricing.fit_report import FitReport, QuotesReport, SolverReport
from trading.pricing.surface import Surface

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from trading.market.frames import MarketFrame

MOST_A_DAY = 4_000  # records of an underlying's day: a snapshot a minute in ten settings


class FitKey(msgspec.Struct, frozen=True):
    """What a fit is of and how it is made."""

    underlying: str
    available_at: int
    chain: str  # digest of the chain's blocks
    profile: str
    method: str
    expiries: int | None
    version: str  # of the code

    @property
    def digest(self) -> str:
        """The name of the record."""
        return sha256(msgspec.json.encode(self)).hexdigest()


class FitRecord(msgspec.Struct, frozen=True):
    """A fit as it is kept: how it came out and, unless it was refused, the surface."""

    key: FitKey
    fit: FitReport
    surface: dict[str, Any] | None


class _KeptFit(msgspec.Struct, frozen=True):
    profile: str
    method: str
    digest: str | None
    refusal: str | None
    quotes: QuotesReport
    solver: SolverReport


class KeptFit(msgspec.Struct, frozen=True):
    """What a day's list needs of a record; to decode the rest of it would cost far more."""

    key: FitKey
    fit: _KeptFit


def fit_key(
    frame: MarketFrame, *, profile: str, method: str, expiries: int | None, version: str
) -> FitKey:
    """The key of a fit of a frame's chain."""
    return FitKey(
        underlying=frame.underlying,
        available_at=frame.available_at,
        chain=sha256(msgspec.json.encode(frame.chain)).hexdigest(),
        profile=profile,
        method=method,
        expiries=expiries,
        version=version,
    )


def record_read(root: Path, key: FitKey) -> tuple[FitReport, Surface | None] | None:
    """The kept fit of a key; None when there is none, or what there is does not hold."""
    try:
        record = msgspec.json.decode(_path(root, key).read_bytes(), type=FitRecord)
        surface = None if record.surface is None else Surface.from_data(record.surface)
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
    if record.key != key or record.fit.digest != (surface.digest if surface else None):
        return None
    return record.fit, surface


def record_keep(root: Path, key: FitKey, fit: FitReport, surface: Surface | None) -> None:
    """Keep a fit, unless its day has `MOST_A_DAY` already. Raises OSError."""
    path = _path(root, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in path.parent.iterdir()) >= MOST_A_DAY:
        return
    record = FitRecord(key, fit, surface.to_data() if surface else None)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(msgspec.json.encode(record))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def records_of_day(root: Path, underlying: str, day: date, *, version: str) -> list[KeptFit]:
    """The fits kept of a day by this version of the code, by the time their chain became known."""
    kept = []
    for path in sorted((root / underlying / day.isoformat()).glob("*.json")):
        try:
            found = msgspec.json.decode(path.read_bytes(), type=KeptFit)
        except (OSError, msgspec.DecodeError):
            continue
        if found.key.version == version:
            kept.append(found)
    return sorted(kept, key=lambda each: (each.key.available_at, each.key.digest))


def _path(root: Path, key: FitKey) -> Path:
    name = f"{key.available_at}-{key.digest[:32]}.json"
    return root / key.underlying / ist_date(key.available_at).isoformat() / name
