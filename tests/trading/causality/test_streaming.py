"""Live objects against batches, across restarts and late starts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tests.trading.causality import zoo
from trading.causality.answers import Answer
from trading.causality.harness import check
from trading.causality.streaming import (
    as_function,
    fed,
    late_start,
    restart_difference,
    streaming_difference,
)
from trading.features.window import FloatWindow

if TYPE_CHECKING:
    from trading.causality.streaming import Row
    from trading.causality.tables import Tables

TABLES = zoo.make_tables()
STOPS = (1, 7, 8, 90, 150)


class LiveMean:
    """The mean of the last ten volumes."""

    def __init__(self, window: FloatWindow | None = None) -> None:
        self.window = window or FloatWindow(zoo.WINDOW)

    def on(self, row: Row) -> dict[str, float] | None:
        self.window.append(row["volume"])
        if len(self.window) < self.window.capacity:
            return None
        return {"mean": float(np.mean(np.array(list(self.window))))}

    def dump(self) -> Any:
        return self.window.dump()


class LiveAverage:
    """A decaying average of the volume, from the first one on."""

    def __init__(self, level: float | None = None) -> None:
        self.level = level

    def on(self, row: Row) -> dict[str, float]:
        volume = row["volume"]
        self.level = volume if self.level is None else self.level + 0.3 * (volume - self.level)
        return {"level": self.level}

    def dump(self) -> Any:
        return None if self.level is None else self.level.hex()


class Forgetful(LiveMean):
    """Its dump loses the last digits."""

    def dump(self) -> Any:
        return [round(value, -1) for value in self.window]


def restored_mean(dump: Any) -> LiveMean:
    return LiveMean(FloatWindow.restore(dump))


def restored_average(dump: Any) -> LiveAverage:
    return LiveAverage(None if dump is None else float.fromhex(dump))


def restored_forgetful(dump: Any) -> Forgetful:
    window = FloatWindow(zoo.WINDOW)
    for value in dump:
        window.append(value)
    return Forgetful(window)


def batch_mean(tables: Tables) -> Answer:
    bars = tables["bars"]
    means = np.mean(sliding_window_view(bars["volume"], zoo.WINDOW), axis=-1)
    return Answer(bars.available_at[zoo.WINDOW - 1 :], {"mean": means})


def batch_mean_running(tables: Tables) -> Answer:
    """The same mean by adding and taking away: not the same bits."""
    bars = tables["bars"]
    sums = np.cumsum(np.concatenate([[0.0], bars["volume"] / 7]))
    means = (sums[zoo.WINDOW :] - sums[: -zoo.WINDOW]) * 7 / zoo.WINDOW
    return Answer(bars.available_at[zoo.WINDOW - 1 :], {"mean": means})


def test_a_window_fed_row_by_row_has_the_bits_of_the_batch() -> None:
    assert streaming_difference(batch_mean, LiveMean(), TABLES, "bars") is None


def test_a_batch_with_other_roundings_is_found_out() -> None:
    difference = streaming_difference(batch_mean_running, LiveMean(), TABLES, "bars")
    assert difference is not None
    assert difference.column == "mean"


def test_a_live_feature_takes_every_poison() -> None:
    for make in (LiveMean, LiveAverage):
        report = check(as_function(make, "bars"), TABLES, zoo.CUTS[:8])
        assert report.is_causal, str(report)


def test_a_restart_from_a_dump_changes_nothing() -> None:
    bars = TABLES["bars"]
    assert restart_difference(LiveMean, restored_mean, bars, STOPS) is None
    assert restart_difference(LiveAverage, restored_average, bars, STOPS) is None


def test_a_dump_that_forgets_is_found_out() -> None:
    difference = restart_difference(Forgetful, restored_forgetful, TABLES["bars"], STOPS)
    assert difference is not None
    assert difference.at_us is not None
    assert difference.at_us > TABLES["bars"].available_at[STOPS[0] - 1]


def test_a_window_started_late_is_equal_once_it_is_full() -> None:
    late = late_start(LiveMean, TABLES["bars"], skipped=37, warm_up=zoo.WINDOW)
    assert late == (None, 0.0)
    too_soon = late_start(LiveMean, TABLES["bars"], skipped=37, warm_up=3)
    assert too_soon.difference is not None


def test_a_decaying_average_started_late_comes_within_its_tolerance() -> None:
    deviations = [
        late_start(LiveAverage, TABLES["bars"], skipped=5, warm_up=warm_up).largest
        for warm_up in (5, 40, 80)
    ]
    assert deviations[0] > deviations[1] > deviations[2]
    spread = float(np.ptp(TABLES["bars"]["volume"]))
    assert deviations[2] <= spread * 0.7**80 + math.ulp(spread)


def test_rows_come_in_the_order_they_became_available() -> None:
    seen: list[int] = []

    class Watching(LiveMean):
        def on(self, row: Row) -> dict[str, float] | None:
            seen.append(row["available_at"])
            return super().on(row)

    fed(Watching(), TABLES["bars"])
    assert seen == sorted(seen)
    assert len(seen) == len(TABLES["bars"])
