"""The synthetic market: data that says it is synthetic, deterministic by (seed, stream, day)."""

from __future__ import annotations
