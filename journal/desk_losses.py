"""How many records of the desk this process could not write: nothing stops for one, so it is
counted, and the Journal page and `/metrics` say it.
"""

from __future__ import annotations

import threading


class Losses:
    """A number that threads may raise at once."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self.count += 1


LOST = Losses()
