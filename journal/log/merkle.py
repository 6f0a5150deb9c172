"""The RFC 6962 Merkle tree over a session's event bytes, kept as a compact range.

Source: RFC 6962 §2.1. Leaves are SHA-256(0x00 || event), nodes SHA-256(0x01 || left || right).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY_ROOT = sha256(b"").digest()


class MerkleTree:
    """The roots of the perfect subtrees of what was appended so far:

    O(log n) memory, O(1) amortised append.
    """

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Start empty, or go on from the size and peaks of a tree; ValueError when they disagree:
        a tree of n leaves has as many peaks as n has binary ones.
        """
        if size < 0 or len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves does not have {len(peaks)} peaks")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees, largest first (32 bytes each)."""
        return tuple(self._peaks)

    def append(self, event: bytes) -> None:
        """Add one leaf."""
        node = sha256(b"\x00" + event).digest()
        size = self.size
        while size & 1:
            node = sha256(b"\x01" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the tree's root hash (32 bytes)."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = sha256(b"\x01" + peak + node).digest()
        return node
