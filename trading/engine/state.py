"""Everything the engine remembers between inputs, and its dump.

The state holds integers, text, `Fees` and `FloatWindow`s; a bare float has no place in it (JSON
would not keep −0.0 or NaN), so the dump restores bit for bit.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

import msgspec

from journal.log.canonical import canonical_bytes
from trading.costs.fees import Fees
from trading.execution.booked import BookedOrder, Reconciliation
from trading.execution.positions import Trade
from trading.execution.slippage import Slippage
from trading.features.window import FloatWindow
from trading.risk.breakers import Breaker, Outcome
from trading.risk.snapshot import RecentOrder


class Quote(msgspec.Struct, frozen=True):
    """Best bid and ask, last price and forward of a contract in paise at the last frame that showed
    it, and when it expires; `at` is that frame's `available_at`. `valid_bid_paise` and
    `valid_ask_paise` are the last there were.
    """

    bid_paise: int | None
    ask_paise: int | None
    at: int
    last_paise: int | None = None
    forward_paise: int | None = None
    expires_at_us: int | None = None
    valid_bid_paise: int | None = None
    valid_ask_paise: int | None = None

    def exit_paise(self, sign: int, *, halted: bool) -> int | None:
        """What a holding of a sign would be closed at: the bid when it was bought, the ask when it
        was sold; in a halt the last there was. None without one.
        """
        if sign > 0:
            return self.valid_bid_paise if halted else self.bid_paise
        return self.valid_ask_paise if halted else self.ask_paise

    def after(self, earlier: Quote | None) -> Quote:
        """This quote, which follows an earlier one of its contract."""
        bid, ask = self.bid_paise, self.ask_paise
        if earlier is not None:
            bid = earlier.valid_bid_paise if bid is None else bid
            ask = earlier.valid_ask_paise if ask is None else ask
        return msgspec.structs.replace(self, valid_bid_paise=bid, valid_ask_paise=ask)

    @property
    def mid_paise(self) -> int | None:
        """Half way between bid and ask, to the paisa below; None when a side is missing."""
        if self.bid_paise is None or self.ask_paise is None:
            return None
        return (self.bid_paise + self.ask_paise) // 2


class Terms(msgspec.Struct, frozen=True):
    """What the exchange asks of orders in an underlying's options: its largest order in units,
    price and strike steps in paise.
    """

    freeze_quantity: int
    tick_paise: int
    strike_step_paise: int


class DayState(msgspec.Struct):
    """The open day: IST date, market hours and when contracts that expire on it stop trading, in µs
    UTC, IST midnight in µs UTC, the seq of its day.opened, the rates in force and the yearly rate
    blocked margin costs, 10^-9 (None while costs are GROSS).
    """

    date: str
    midnight_us: int
    open_us: int
    close_us: int
    expiring_close_us: int
    seq: int
    limits: dict[str, int]
    lot_sizes: dict[str, dict[str, int]]  # underlying -> expiry -> units
    terms: dict[str, Terms] = {}  # by underlying
    tariff: dict[str, Any] | None = None
    funding_rate_e9: int | None = None
    closed: bool = False

    def last_trade_us(self, expiry: str) -> int:
        """When contracts of an expiry (ISO date) stop trading on the day, µs UTC."""
        return self.expiring_close_us if expiry == self.date else self.close_us


class SeenInput(msgspec.Struct, frozen=True):
    """An input as the last frame judged it: when it was received, the age its feed allows (µs), its
    state and why it is not FRESH.
    """

    at: int
    limit_us: int
    state: str
    reason: str | None


class UnderlyingState(msgspec.Struct):
    """What was last seen of an underlying. `chain_at` is when its last chain was received,
    `surface_at` the last whole one of the day, `surface_slot` the part of the day (counted from its
    opening) in which a surface was last fitted, None when none was; `halted_at` when trading
    stopped and `halt_reason` why; `fresh_chains` counts those since it went on, None when nothing
    has to be waited for.
    `index_paise` is its level (the index, failing that the nearest forward), `volatility_ppm` that
    at the money, both None until they were seen. Times µs UTC.
    """

    implied_window: FloatWindow
    frame_seq: int = 0
    as_of: int | None = None
    available_at: int | None = None
    flags: list[str] = []
    chain_at: int | None = None
    chain_state: str = "MISSING"
    chain_reason: str | None = None
    chain_limit_us: int = 0
    surface_at: int | None = None
    surface_slot: int | None = None
    rung: str = "NONE"
    halted_at: int | None = None
    halt_reason: str | None = None
    fresh_chains: int | None = None
    quotes: dict[str, Quote] = {}  # by contract label, of the contracts in open trades
    spot: SeenInput | None = None
    index_paise: int | None = None
    volatility_ppm: int | None = None
    shows_closes: bool = False  # its last chain was a day's record, not a market

    @property
    def halted(self) -> bool:
        return self.halted_at is not None


class Kill(msgspec.Struct, frozen=True):
    """A kill switch as set: by which command (seq), by whom and why; whether what is held stays."""

    seq: int
    actor: str
    reason: str
    hold: bool = False


class Request(msgspec.Struct, frozen=True):
    """A command that waits for a second person: its seq, what it asks for in words, its data."""

    seq: int
    what: str
    command: dict[str, Any]


class Funding(msgspec.Struct):
    """What the nights of the session have cost, paise, and how many could not be charged because no
    margin was known; the margin of what is held when it was last known.
    """

    paise: int = 0
    unfunded_nights: int = 0
    margin_paise: int | None = None


class RiskState(msgspec.Struct):
    """What gates and breakers need to remember: equity at the day's opening, when last known, at
    its highest and at its highest of the day; when messages went in the last minute, and which
    orders; entries of the day by strategy; what each open trade can lose, by its id; trades whose
    exit waits for a halt's end; limits that were changed; strategies that are off, with the reason;
    breakers that are not closed; what waits for a second person; losing trades in a row; how orders
    of the last minutes ended; slippage of fills and changes of equity by the minute, of these the
    last and the trades it was of.
    """

    opening_equity_paise: int | None = None
    equity_paise: int | None = None
    highest_equity_paise: int | None = None
    day_highest_equity_paise: int | None = None
    messages_at: list[int] = []
    recent: list[RecentOrder] = []
    entries: dict[str, int] = {}
    at_stake: dict[str, int] = {}
    queued: list[str] = []
    limit_changes: dict[str, int] = {}
    disabled: dict[str, str] = {}
    breakers: dict[str, Breaker] = {}
    requests: dict[str, Request] = {}
    losses: int = 0
    outcomes: list[Outcome] = []
    slippage_paise: list[int] = []
    changes_paise: list[int] = []
    minute_equity_paise: int | None = None
    minute_trades: list[str] = []


class EngineState(msgspec.Struct):
    """The whole memory of the engine."""

    next_seq: int = 1
    ts: int = 0
    number: int = 0
    day: DayState | None = None
    kill: Kill | None = None
    strategy_kills: dict[str, Kill] = {}
    underlyings: dict[str, UnderlyingState] = {}
    trades: dict[str, Trade] = {}  # not yet archived, by id
    orders: dict[str, BookedOrder] = {}  # of the day, by id
    reconciliation: Reconciliation = msgspec.field(default_factory=Reconciliation)
    realised_paise: int = 0
    risk: RiskState = msgspec.field(default_factory=RiskState)
    fees_today: Fees = msgspec.field(default_factory=Fees)
    fees_billed: dict[str, int] = {}  # paise by line, of the days that are closed
    slippage: Slippage = msgspec.field(default_factory=Slippage)  # of all fills
    funding: Funding = msgspec.field(default_factory=Funding)
    snapshot_seq: int = 0
    snapshot_minute: int = -1
    command_ids: list[str] = []
    counts: dict[str, int] = {}
    ended: bool = False


def dump_state(state: EngineState) -> dict[str, Any]:
    """Return the state as a JSON value that `restore_state` turns back into an equal one."""
    return cast("dict[str, Any]", msgspec.to_builtins(state, enc_hook=_encode))


def restore_state(data: dict[str, Any]) -> EngineState:
    """Return the state of a dump; raises msgspec.ValidationError when it is not one."""
    return msgspec.convert(data, EngineState, dec_hook=_decode)


def in_log_order(dumped: dict[str, Any]) -> dict[str, Any]:
    """Return a dump with its keys in the order it has when it is read back from a log."""
    return cast("dict[str, Any]", msgspec.json.decode(canonical_bytes(dumped)))


def state_digest(dumped: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of a dump's canonical bytes."""
    return sha256(canonical_bytes(dumped)).hexdigest()


def _encode(value: object) -> object:
    if isinstance(value, FloatWindow | Fees):
        return value.dump()
    raise NotImplementedError(f"{type(value).__name__} has no place in the engine's state")


def _decode(wanted: type, value: Any) -> object:
    if wanted is FloatWindow:
        return FloatWindow.restore(value)
    if wanted is Fees:
        return Fees.restore(value)
    raise NotImplementedError(f"{wanted.__name__} has no place in the engine's state")
