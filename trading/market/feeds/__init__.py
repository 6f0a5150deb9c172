"""Ways into the market: recorded days, end-of-day records, and feeds that are live."""

from __future__ import annotations
