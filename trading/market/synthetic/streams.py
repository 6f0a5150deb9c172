"""Random numbers that are the same everywhere and in any order: raw Philox words, own mappings.

A stream is keyed by (seed, name, day), so days and streams can be generated in any order and one
more draw in one of them moves nothing in another. NumPy promises Philox's raw words but not what
its distributions make of them, so the mappings are here.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np

from trading.market.synthetic.normal import inverse_normal

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats


class Stream:
    """One stream of one day, drawn from its beginning on."""

    def __init__(self, seed: int, name: str, day: date) -> None:
        self._words = np.random.Philox(
            key=[seed, _name_word(name)], counter=[0, 0, 0, day.toordinal()]
        )

    def uniforms(self, count: int) -> Floats:
        """The next uniforms in (0, 1), never 0 or 1."""
        words = self._words.random_raw(count) >> np.uint64(11)
        return (words.astype(np.float64) + 0.5) * 2.0**-53

    def normals(self, count: int) -> Floats:
        """The next standard normals, by the inverse of the distribution."""
        return inverse_normal(self.uniforms(count))


def uniforms(seed: int, name: str, day: date, count: int) -> Floats:
    """The first `count` uniforms in (0, 1) of one stream of one day."""
    return Stream(seed, name, day).uniforms(count)


def normals(seed: int, name: str, day: date, count: int) -> Floats:
    """The first `count` standard normals of one stream of one day."""
    return Stream(seed, name, day).normals(count)


@functools.lru_cache(maxsize=4096)
def _name_word(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
