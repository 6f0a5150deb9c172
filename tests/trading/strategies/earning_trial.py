"""What S4 earns over days of a synthetic market, by the real engine, gates, paper broker and costs.

The market begins on the trial's first day, so that a seed costs its own days alone. A frame shows
the nearest expiry with a few strikes each side of the forward: S4 declares the chain as its only
input and reads no more of it.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.trading.engine.memory_session import MINUTE_US, MemorySession
from trading.engine.configuration import configuration_from_data
from trading.execution.market_quotes import opposite_quote
from trading.execution.orders import FILLS, Contract
from trading.execution.settlement import SettlementPrice, Settlements
from trading.market.feeds.assembly import Assembly
from trading.market.feeds.chains import ordered, snapshots
from trading.market.frames import FrameSource, MarketFrame
from trading.market.synthetic.market import (
    GENERATOR_VERSION,
    SOURCE_NAME,
    MarketPlan,
    chain_snapshots,
    day_tables,
    parameters_digest,
)
from trading.market.synthetic.process import History, history
from trading.market.synthetic.sessions import trading_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journal.events import Event
    from trading.engine.configuration import Configuration
    from trading.market.synthetic.modes import Mode

CADENCE_MINUTES = 5
# Wide enough for every exit: an underlying that runs out of a narrower window leaves straddles that
# were sold, and lost, open, and the trades that are closed look better than they are.
STRIKES_EACH_SIDE = 15
# BANKNIFTY's options expire on 2026-01-27 and 2026-02-24: no trade meets an expiry before this day.
LAST_DAY = date(2026, 2, 20)
_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank"}


class Earning(NamedTuple):
    """A closed trade, paise: gross at its fills and what it was charged.

    `at_mid_paise` is what it makes when each fill meets the mid of the frame it was filled on,
    `leaked_paise` the same with entries at the mids of the snapshot before the one it was decided
    on, two before the fill. A contract that a frame does not quote on both sides counts at its
    fill.
    """

    side: str
    gross_paise: int
    net_paise: int
    at_mid_paise: float
    leaked_paise: float


class Outcome(NamedTuple):
    """The closed trades of a seed in order, and how many were open at the end."""

    earnings: tuple[Earning, ...]
    left_open: int

    def of(self, field: str) -> np.ndarray:
        return np.array([getattr(each, field) for each in self.earnings], dtype=np.float64)


def trial_configuration(underlying: str) -> Configuration:
    """S4 on two hours of snapshots, held for twenty minutes and out on the day it came in, one lot,
    at Zerodha's costs. With five crore of capital one lot is within every gate, as in trial.toml.
    """
    return configuration_from_data(
        {
            "name": "earning",
            "underlyings": [underlying],
            "desk": {"capital_rupees": 50_000_000},
            "costs": {"profile": "ZERODHA"},
            "gates": {"first_entry": "09:20", "last_entry": "14:50", "chain_age_seconds": 180},
            "strategies": {"S4": {"lookback_snapshots": 24, "entry_z": 1.5, "hold_minutes": 20}},
        },
        where="earning trial",
    )


class Market:
    """The last `count` market days up to LAST_DAY of a seed, as frames of one underlying."""

    def __init__(self, seed: int, mode: Mode, count: int, underlying: str) -> None:
        self.underlying = underlying
        self.past: History = history(seed, mode, trading_days(LAST_DAY)[-count:])
        self._plan = MarketPlan(seed, mode, CADENCE_MINUTES, 1)
        self._frames: dict[date, list[MarketFrame]] = {}

    @property
    def days(self) -> list[date]:
        return [day.date for day in self.past.days]

    def frames_of(self, day: date) -> list[MarketFrame]:
        """The frames of a day as the feed of a recorded one makes them of the same rows."""
        if day not in self._frames:
            self._frames[day] = self._assembled(day)
        return self._frames[day]

    def settlements_of(self, day: date) -> Settlements:
        """The official close of the index."""
        rows = day_tables(self._plan, self.past, day)["index_closes"]
        (row,) = np.flatnonzero(rows["index"] == _INDEX_NAMES[self.underlying]).tolist()
        price = SettlementPrice(
            price_paise=int(rows["close_paise"][row]),
            source="index_closes",
            row=f"index_closes: {self.underlying} on {day}",
            digest=parameters_digest(self._plan, day),
            published_at=int(rows["available_at"][row]),
            synthetic=True,
        )
        return {self.underlying: price}

    def _assembled(self, day: date) -> list[MarketFrame]:
        columns = chain_snapshots(self._plan, self.past, day, self.underlying)
        one = np.zeros(len(columns["as_of"]), dtype=np.int64)
        columns |= {"underlying_index": one, "source_index": one}
        source = FrameSource(
            name=SOURCE_NAME,
            digest=parameters_digest(self._plan, day),
            synthetic=True,
            seed=self.past.seed,
            generator_version=GENERATOR_VERSION,
            mode=self.past.mode.text,
        )
        cadence_us = CADENCE_MINUTES * MINUTE_US
        shown = snapshots(ordered(columns), [source], [cadence_us], 1, STRIKES_EACH_SIDE)
        assembly, frames = Assembly(self.underlying), []
        for _, snapshot in shown:
            assembly.take_chain(snapshot)
            if assembly.is_due:
                frames.append(assembly.frame(snapshot.available_at))
        return frames


def earned(
    seed: int,
    mode: Mode,
    *,
    days: int,
    underlying: str = "BANKNIFTY",
    tick_minutes: int = CADENCE_MINUTES,
) -> Outcome:
    """Run a session over the last market days of a seed; the clock ticks with the snapshots."""
    market = Market(seed, mode, days, underlying)
    session = MemorySession(
        trial_configuration(underlying),
        tick_minutes=tick_minutes,
        settlements_of=market.settlements_of,
    )
    session.run(market.days, market.frames_of)
    frames = [frame for day in market.days for frame in market.frames_of(day)]
    return Outcome(
        earnings=earnings_of(session.events, frames),
        left_open=len(session.engine.state.trades),
    )


def earnings_of(events: Sequence[Event], frames: Sequence[MarketFrame]) -> tuple[Earning, ...]:
    """The trades that were closed, beside what they make at other prices of the same frames."""
    place = {frame.available_at: number for number, frame in enumerate(frames)}
    orders = {
        each.data["order"]: each.data
        for each in events
        if each.kind == "order.intended" and each.data["purpose"] != "cancel"
    }
    spread: dict[str, float] = {}
    moved: dict[str, float] = {}
    for event in events:
        if event.kind != "broker.report" or event.data["status"] not in FILLS:
            continue
        order = orders[event.data["order"]]
        price, units = event.data["price_paise"], event.data["quantity"]
        sign = 1 if order["side"] == "BUY" else -1
        contract, number = Contract(**order["contract"]), place[event.ts]
        mid = _mid(frames[number], contract, else_paise=price)
        name = order["trade"]
        spread[name] = spread.get(name, 0.0) + sign * units * (price - mid)
        if order["purpose"] == "entry":
            early = _mid(frames[max(number - 2, 0)], contract, else_paise=mid)
            moved[name] = moved.get(name, 0.0) + sign * units * (mid - early)
    return tuple(
        Earning(
            side=data["legs"][0]["side"],
            gross_paise=data["gross_paise"],
            net_paise=data["net_paise"],
            at_mid_paise=data["gross_paise"] + spread[data["trade"]],
            leaked_paise=data["gross_paise"] + spread[data["trade"]] + moved[data["trade"]],
        )
        for data in (each.data for each in events if each.kind == "position.changed")
        if data["state"] == "ARCHIVE" and data["trade"] in spread
    )


def _mid(frame: MarketFrame, contract: Contract, *, else_paise: float) -> float:
    bid, ask = (opposite_quote(frame, contract, side)[0] for side in ("SELL", "BUY"))
    return else_paise if bid is None or ask is None else (bid + ask) / 2
