"""arbitragerepair's constraints (Cohen, Reisinger, Wang, "Detecting and repairing arbitrage in
traded option prices", 2020, arXiv 2008.09454) under a pandas that its frame builder does not know.

Only that builder is replaced, column for column as its docstring says; what detects is the
package's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from trading.pricing.elementary import Array

CATEGORIES = (
    "outright",
    "vertical spread",
    "vertical butterfly",
    "calendar spread",
    "calendar vertical spread",
    "calendar butterfly",
)


class Constraints(NamedTuple):
    """No static arbitrage means `matrix · calls ≥ bound`; how many rows each category has and how
    many of them these calls break.
    """

    matrix: Array
    bound: Array
    rows: dict[str, int]
    broken: dict[str, int]


def detected(years: Array, strike: Array, call: Array, *, tolerance: float = 0.0) -> Constraints:
    """What the package finds in calls over the forward at strikes over the forward, an entry each,
    ascending by time and strike. Raises ImportError where it is not installed.
    """
    from arbitragerepair import constraints

    # It numbers its zero strikes not at all, and never looks the number up.
    with patch.object(constraints, "_prepare_dataframe", _frame), np.errstate(invalid="ignore"):
        matrix, bound, rows, broken = constraints.detect(years, strike, call, tolerance)
    return Constraints(
        matrix,
        bound,
        dict(zip(CATEGORIES, map(int, rows), strict=True)),
        dict(zip(CATEGORIES, map(int, broken), strict=True)),
    )


def _frame(years: Array, strike: Array, call: Array) -> Any:
    """The calls with one of strike zero before each expiry, and what the package wants beside."""
    import pandas

    times = np.unique(years)
    quoted = {"T": years, "K": strike, "C": call, "raw_index": np.arange(years.size)}
    at_zero = {"T": times, "K": np.zeros(times.size), "C": np.ones(times.size)}
    frame = pandas.concat([pandas.DataFrame(quoted), pandas.DataFrame(at_zero)])
    frame = frame.sort_values(by=["T", "K"]).reset_index(drop=True)
    expiry = frame.groupby("T")
    frame["T_order"] = expiry.ngroup()
    frame["K_m1"] = expiry["K"].shift(1).fillna(0.0)
    frame["K_m2"] = expiry["K"].shift(2).fillna(0.0)
    frame["K_p1"] = expiry["K"].shift(-1).fillna(1e10)
    frame["K_order"] = expiry.cumcount()
    frame["K_order_max"] = expiry["K"].transform("size") - 1
    return frame
