"""A bounded window of floats that survives a state dump bit for bit."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class FloatWindow:
    """The last `capacity` floats, oldest first. Dumps as base64 of little-endian float64."""

    __slots__ = ("_values", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._values = array("d")

    def append(self, value: float) -> None:
        """Add a value; the oldest leaves a full window."""
        self._values.append(value)
        if len(self._values) > self.capacity:
            del self._values[0]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    def dump(self) -> dict[str, Any]:
        """Return the window as JSON values."""
        values = self._values[:]
        if sys.byteorder == "big":
            values.byteswap()
        return {"capacity": self.capacity, "float64": base64.b64encode(values.tobytes()).decode()}

    @classmethod
    def restore(cls, data: dict[str, Any]) -> FloatWindow:
        """Return the window of a dump, bit-equal."""
        window = cls(data["capacity"])
        window._values.frombytes(base64.b64decode(data["float64"], validate=True))
        if sys.byteorder == "big":
            window._values.byteswap()
        return window
