"""Which code decided: the release and a digest of the sources that can change a decision."""

from __future__ import annotations

import functools
from hashlib import sha256
from pathlib import Path

RELEASE = "0.1.0"
_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("journal", "trading")


@functools.cache
def code_version() -> str:
    """Return `<release>+<12 hex digits>`, the digest of every Python and table file of the deciding
    packages.
    """
    digest = sha256()
    for package in _PACKAGES:
        files = [*(_ROOT / package).rglob("*.py"), *(_ROOT / package).rglob("*.toml")]
        for path in sorted(files):
            digest.update(str(path.relative_to(_ROOT)).encode() + b"\0")
            digest.update(sha256(path.read_bytes()).digest())
    return f"{RELEASE}+{digest.hexdigest()[:12]}"
