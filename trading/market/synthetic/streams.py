"""Random numbers that are the same everywhere and in any order: raw Philox words, own mappings.

A stream is keyed by (seed, name, day), so days and streams can be generated in any order and one
more draw in one of them moves nothing in another. NumPy promises Philox's raw words but not what
its distributions make of them, so the mappings are here.
"""

from __future__ import annotations

import hashlib
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import date

_STANDARD_NORMAL = NormalDist()


def uniforms(seed: int, name: str, day: date, count: int) -> list[float]:
    """`count` uniforms in (0, 1), never 0 or 1, of one stream of one day."""
    name_word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.Philox(key=[seed, name_word], counter=[0, 0, 0, day.toordinal()])
    words = generator.random_raw(count) >> np.uint64(11)
    values: list[float] = ((words.astype(np.float64) + 0.5) * 2.0**-53).tolist()
    return values


def normals(seed: int, name: str, day: date, count: int) -> list[float]:
    """`count` standard normals of one stream of one day, by the inverse of the distribution."""
    return [_STANDARD_NORMAL.inv_cdf(u) for u in uniforms(seed, name, day, count)]
