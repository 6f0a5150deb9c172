"""The compiled facts, for tests that compare with them."""

from __future__ import annotations

from tests.trading.market.conftest import facts

__all__ = ["facts"]
