"""Market frames with a known answer, and sessions run over them by the real runner."""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from journal.log.writer import Durability
from trading.engine.configuration import Configuration, configuration_from_data
from trading.engine.plan import Plan, World, no_halts_told, paper_broker
from trading.engine.runner import SessionRunner
from trading.execution.closing import Closes, no_closes
from trading.execution.settlement import Settlements, no_settlements
from trading.market.calendar import expires_at_us, session_hours
from trading.market.frames import ExpiryBlock, FrameSource, MarketFrame
from trading.market.quality import MISSING, FrameQuality, InputQuality, State
from trading.pricing.black import black_price, years_between

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from trading.engine.engine import Engine
    from trading.execution.broker import Broker
    from trading.market.feed import FeedItem

MINUTE_US = 60_000_000
DAYS = (date(2026, 2, 26), date(2026, 2, 27))
EXPIRY = {"NIFTY": date(2026, 3, 2), "BANKNIFTY": date(2026, 3, 30)}
FORWARD_PAISE = {"NIFTY": 2_532_140, "BANKNIFTY": 5_891_205}
STEP_PAISE = {"NIFTY": 5_000, "BANKNIFTY": 10_000}
SPOOL_KEY = "k" * 64


def chain_frame(
    underlying: str,
    at_us: int,
    volatility: float,
    *,
    quantity: int | None = 10_000,
    hidden_strikes: Sequence[int] = (),
    flags: tuple[str, ...] = (),
    chain_quality: InputQuality | None = None,
    each_side: int = 4,
) -> MarketFrame:
    """A frame whose strikes are quoted one tick around Black-76 at one volatility.

    `hidden_strikes` (paise) are quoted on neither side. The chain is FRESH unless told otherwise.
    """
    chain_quality = chain_quality or quality_of(at_us=at_us)
    forward, step = FORWARD_PAISE[underlying], STEP_PAISE[underlying]
    expiry = EXPIRY[underlying]
    expires = expires_at_us(expiry)
    middle = round(forward / step) * step
    strikes = tuple(middle + step * i for i in range(-each_side, each_side + 1))
    years = years_between(at_us, expires)
    columns: dict[str, tuple[int | None, ...]] = {}
    for right, side in (("CE", "call"), ("PE", "put")):
        values = [black_price(forward, strike, years, volatility, right) for strike in strikes]
        shown = [strike not in hidden_strikes for strike in strikes]
        bids = [max(5, 5 * math.floor(value / 5)) for value in values]
        columns[f"{side}_bid_paise"] = _shown(bids, shown)
        columns[f"{side}_ask_paise"] = _shown([bid + 10 for bid in bids], shown)
        columns[f"{side}_last_paise"] = _shown(bids, shown)
        for name in ("bid_quantity", "ask_quantity", "oi", "volume"):
            columns[f"{side}_{name}"] = tuple(quantity for _ in strikes)
    block = ExpiryBlock(
        expiry=expiry.isoformat(),
        expires_at_us=expires,
        forward_paise=forward,
        forward_pairs=5,
        forward_spread_paise=10,
        strike_paise=strikes,
        **columns,
    )
    return MarketFrame(
        underlying=underlying,
        as_of=at_us - 1_000_000,
        available_at=at_us,
        exchange_stamp=None,
        collection_stamp=None,
        source=FrameSource(name="factory", digest="0" * 64, synthetic=True, seed=1),
        flags=flags,
        cadence_us=MINUTE_US,
        spot_paise=None,
        future_paise=None,
        future_expiry=None,
        vix=None,
        prints=(),
        quality=FrameQuality(
            spot=MISSING, future=MISSING, vix=MISSING, prints=MISSING, chain=chain_quality
        ),
        chain=(block,),
    )


def bare_frame(underlying: str, at_us: int) -> MarketFrame:
    """A frame that brings a level of the index and no chain; the last was a minute before."""
    frame = chain_frame(underlying, at_us, 0.12)
    before = quality_of(at_us=at_us - MINUTE_US)
    quality = msgspec.structs.replace(frame.quality, spot=quality_of(at_us=at_us), chain=before)
    return msgspec.structs.replace(
        frame, chain=(), quality=quality, spot_paise=FORWARD_PAISE[underlying]
    )


def quality_of(
    state: State = State.FRESH, *, at_us: int, age_us: int = 1_000_000, reason: str | None = None
) -> InputQuality:
    """The quality of an input received at an instant; old by a second unless told otherwise."""
    return InputQuality(
        state=state,
        age_us=age_us,
        limit_us=2 * MINUTE_US,
        as_of=at_us - age_us,
        available_at=at_us,
        source="0" * 64,
        reason=reason,
    )


def _shown(values: list[int], shown: list[bool]) -> tuple[int | None, ...]:
    return tuple(value if seen else None for value, seen in zip(values, shown, strict=True))


def day_frames(day: date, *, count: int = 60, seed: int = 3) -> list[MarketFrame]:
    """Both underlyings once a minute from 09:16 IST, volatility a noisy walk that fires S4."""
    start = session_hours(day).open_us + MINUTE_US
    frames = []
    for offset, underlying in enumerate(("NIFTY", "BANKNIFTY")):
        walk = random.Random(f"{seed} {day} {underlying}")
        level = 0.12
        for minute in range(count):
            level = 0.12 + 0.9 * (level - 0.12) + walk.gauss(0, 0.002)
            jump = 0.01 if walk.random() < 0.08 else 0.0
            quantity = 40 if walk.random() < 0.3 else 10_000
            at_us = start + minute * MINUTE_US + offset * (minute % 3) * 7_000_000
            frames.append(chain_frame(underlying, at_us, level + jump, quantity=quantity))
    return sorted(frames, key=lambda frame: (frame.available_at, frame.underlying == "BANKNIFTY"))


def factory_configuration(
    *, costs: dict[str, Any] | None = None, broker: dict[str, Any] | None = None, **strategy: Any
) -> Configuration:
    """A quick S4: ten snapshots, |z| ≥ 1.5, held five minutes; GROSS unless `costs` are given."""
    s4 = {"lookback_snapshots": 10, "entry_z": 1.5, "hold_minutes": 5, "lots": 1, **strategy}
    return configuration_from_data(
        {
            "name": "factory",
            "underlyings": ["NIFTY", "BANKNIFTY"],
            "desk": {"capital_rupees": 50_000_000},
            "costs": costs or {"profile": "GROSS"},
            "gates": {"first_entry": "09:20", "last_entry": "10:00", "chain_age_seconds": 180},
            "strategies": {"S4": s4},
            "broker": broker or {},
        },
        where="factory",
    )


@dataclass
class Rig:
    """A runner on files of its own; `on_progress` sees each progress line as it is said."""

    var_dir: Path
    session: str = "day1"
    days: Sequence[date] = DAYS
    configuration: Configuration = field(default_factory=factory_configuration)
    frames_of: Callable[[date], Sequence[FeedItem]] = day_frames
    closes_of: Callable[[date], Closes] = no_closes
    settlements_of: Callable[[date], Settlements] = no_settlements
    halts_from: Callable[[date], Mapping[str, int]] = no_halts_told
    speed: float | None = None
    pack: bool = False  # tests look into the files of closed days
    durability: Durability = Durability.COMMIT
    said: list[str] = field(default_factory=list)
    on_progress: Callable[[str], None] | None = None
    stopping: Callable[[], bool] = lambda: False
    broker_of: Callable[[Configuration], Broker] = paper_broker
    spool_key: str = SPOOL_KEY
    runner: SessionRunner | None = None  # of the last run

    @property
    def directory(self) -> Path:
        return self.var_dir / "sessions" / self.session

    def run(self) -> Engine:
        """Run, or continue, the session to its end."""
        plan = Plan(
            session=self.session,
            configuration=self.configuration,
            days=self.days,
            frames_of=self.frames_of,
            closes_of=self.closes_of,
            settlements_of=self.settlements_of,
            halts_from=self.halts_from,
            code_version="test",
            speed=self.speed,
            pack=self.pack,
            durability=self.durability,
        )
        world = World(
            var_dir=self.var_dir,
            spool_key=self.spool_key,
            clock=lambda: time.time_ns() // 1000,
            sleep=asyncio.sleep,
            stopping=self.stopping,
            progress=self._say,
            broker_of=self.broker_of,
        )
        self.runner = SessionRunner(plan, world)
        return self.runner.run()

    def _say(self, text: str) -> None:
        self.said.append(text)
        if self.on_progress is not None:
            self.on_progress(text)
