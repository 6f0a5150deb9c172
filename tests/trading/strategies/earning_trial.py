"""What a strategy earns in the synthetic market, seed by seed: whole sessions of the real runner,
engine, gates, paper broker and costs on days that are generated, stored and read like any others.

    python -m tests.trading.strategies.earning_trial [--seeds N] [--planted-seeds N]

prints the null test and the power curve of docs/synthetic.md (twenty minutes on two cores).
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys
import tempfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import t as student

from journal.log.reader import read_session
from journal.log.writer import Durability
from tests.market_factory import Rig
from tests.trading.market.synthetic.chance import skewed_t
from trading.engine.configuration import Configuration, configuration_from_data
from trading.market.calendar import calendar
from trading.market.feed import feed_items, settlements
from trading.market.frames import MarketFrame
from trading.market.store import MarketStore
from trading.market.synthetic.modes import Mode, mode_of
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from journal.events import Event
    from trading.market.feed import FeedItem

FIRST, LAST = date(2023, 4, 10), date(2023, 4, 21)  # nine days, two expiries among them
CADENCE_MINUTES = 5
STRIKES_EACH_SIDE = 10
SIZES = (0.1, 0.2, 0.3, 0.4, 0.6)  # of the planted reversion


class Earned(NamedTuple):
    """Profits of the closed trades of a seed, paise: net of spread and charges, and as if every
    fill had been at the middle of its quotes and free.
    """

    net_paise: tuple[float, ...]
    middle_paise: tuple[float, ...]


def configuration() -> Configuration:
    """S4 with a window of an hour; lots and capital so large that a fixed fee decides nothing and
    no gate is met because of them.
    """
    return configuration_from_data(
        {
            "name": "earnings",
            "underlyings": ["NIFTY"],
            "desk": {"capital_rupees": 1_000_000_000},
            "costs": {"profile": "ZERODHA"},
            "surface": {"every_minutes": 400},
            "gates": {"first_entry": "09:20", "last_entry": "14:45", "chain_age_seconds": 400},
            "strategies": {
                "S4": {"lookback_snapshots": 12, "entry_z": 1.5, "hold_minutes": 30, "lots": 10}
            },
        },
        where="earning_trial",
    )


def earned(seed: int, mode: Mode, last: date = LAST) -> Earned:
    """What S4 earns in the market of a seed from FIRST to a day."""
    days = list(calendar().market_days(FIRST, last))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        market_synthesise(
            root=root / "market",
            seed=seed,
            from_date=FIRST,
            to_date=last,
            mode=mode,
            cadence_minutes=CADENCE_MINUTES,
            expiries=1,
        )
        store = MarketStore(root / "market")
        frames = {day: _chains(store, day) for day in days}
        rig = Rig(
            var_dir=root,
            days=days,
            configuration=configuration(),
            frames_of=frames.__getitem__,
            settlements_of=lambda day: settlements(store, ["NIFTY"], day),
            durability=Durability.DAY,
        )
        rig.run()
        events = [line.to_event() for line in read_session(rig.directory)]
    shown = (item for day in days for item in frames[day] if isinstance(item, MarketFrame))
    return Earned(tuple(_net(events)), tuple(_at_middle(events, shown)))


def _chains(store: MarketStore, day: date) -> list[FeedItem]:
    """The day's chains; minute bars in between would tell S4 nothing."""
    items = feed_items(store, ["NIFTY"], day, day, expiries=1, strikes_each_side=STRIKES_EACH_SIDE)
    return [item for item in items if not isinstance(item, MarketFrame) or item.chain]


def _net(events: Iterable[Event]) -> list[float]:
    return [
        float(event.data["net_paise"])
        for event in events
        if event.kind == "position.changed" and event.data["state"] == "ARCHIVE"
    ]


def _at_middle(events: Iterable[Event], frames: Iterable[MarketFrame]) -> list[float]:
    """The profit of each trade with every fill at the middle of the quotes that filled it."""
    shown = {frame.available_at: frame for frame in frames}
    intended: dict[str, Event] = {}
    profit: defaultdict[str, float] = defaultdict(float)
    for event in events:
        if event.kind == "order.intended":
            intended[event.data["order"]] = event
        if event.kind == "broker.report" and event.data["quantity"]:
            order = intended[event.data["order"]].data
            sign = 1 if order["side"] == "SELL" else -1
            middle = _middle(shown[event.ts], order["contract"])
            profit[order["trade"]] += sign * event.data["quantity"] * middle
    return list(profit.values())


def _middle(frame: MarketFrame, contract: dict[str, object]) -> float:
    (block,) = (block for block in frame.chain if block.expiry == contract["expiry"])
    place = block.strike_paise.index(contract["strike_paise"])
    bids, asks = (
        (block.call_bid_paise, block.call_ask_paise)
        if contract["right"] == "CE"
        else (block.put_bid_paise, block.put_ask_paise)
    )
    bid, ask = bids[place], asks[place]
    assert bid is not None
    assert ask is not None
    return (bid + ask) / 2


def rejects(profits: Sequence[float], *, sign: int = 1) -> bool:
    """Whether a one-sided test at 5 % says that the trades of a seed earn more than nothing; less,
    with a `sign` of -1. Johnson's t against Student's quantile.
    """
    values = sign * np.array(profits)
    return bool(skewed_t(values) > student.ppf(0.95, len(values) - 1))


def many(seeds: Sequence[int], mode: Mode) -> list[Earned]:
    """`earned` of many seeds, a process a core."""
    with multiprocessing.get_context("spawn").Pool() as pool:
        return pool.map(functools.partial(earned, mode=mode), seeds, chunksize=1)


def shares(found: Sequence[Earned]) -> dict[str, float]:
    """How many of the seeds, in a hundred, are said to earn, or lose, at the middle and net."""
    counts = {
        "net": [rejects(each.net_paise) for each in found],
        "middle, gain": [rejects(each.middle_paise) for each in found],
        "middle, loss": [rejects(each.middle_paise, sign=-1) for each in found],
    }
    return {name: 100.0 * sum(told) / len(told) for name, told in counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--planted-seeds", type=int, default=40)
    asked = parser.parse_args()
    modes = [("null", mode_of("null"), asked.seeds)]
    for size in SIZES:
        mode = mode_of("planted", {"reversion": size})
        modes.append((mode.text, mode, asked.planted_seeds))
    for text, mode, count in modes:
        found = many(range(1, count + 1), mode)
        trades = [len(each.net_paise) for each in found]
        net = np.concatenate([each.net_paise for each in found])
        middle = np.concatenate([each.middle_paise for each in found])
        told = ", ".join(f"{name} {share:.1f} %" for name, share in shares(found).items())
        sys.stdout.write(
            f"{text}, {count} seeds, {min(trades)} to {max(trades)} trades: {told}; "
            f"a trade {net.mean() / 100:.0f} rupees net, {middle.mean() / 100:.0f} at the middle, "
            f"deviation {middle.std() / 100:.0f}\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
