"""Fitted models: each must be from before its use, and the same when it is fitted again."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.causality.answers import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trading.causality.tables import Column


class Artefact(NamedTuple):
    """A fitted model: the last instant of the data it was fitted on, when it was fitted and from
    when it was used, µs UTC, and the digest of its parameters.
    """

    name: str
    data_until_us: int
    fitted_at_us: int
    used_from_us: int
    digest: str


def parameters_digest(parameters: Mapping[str, float | Column]) -> str:
    """The SHA-256 (hex) of the bits of a model's parameters, in the order of their names."""
    said = sha256()
    for name in sorted(parameters):
        said.update(f"|{name}|".encode())
        said.update(words(np.atleast_1d(np.asarray(parameters[name], dtype=np.float64))).tobytes())
    return said.hexdigest()


def too_early(artefacts: Iterable[Artefact]) -> tuple[Artefact, ...]:
    """The models used before they were fitted, or fitted before their data was complete."""
    return tuple(
        artefact
        for artefact in artefacts
        if not artefact.data_until_us <= artefact.fitted_at_us <= artefact.used_from_us
    )


def changed(before: Iterable[Artefact], after: Iterable[Artefact]) -> tuple[Any, ...]:
    """The names of the models whose parameters differ between two runs, or that one of them lacks,
    with the end of their data.
    """
    mine, theirs = _by_name(before), _by_name(after)
    return tuple(
        key for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)
    )


def _by_name(artefacts: Iterable[Artefact]) -> dict[tuple[str, int], str]:
    return {(each.name, each.data_until_us): each.digest for each in artefacts}
