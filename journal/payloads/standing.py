"""What stands after a decision: positions, portfolio, limits, breakers; and who ordered it."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.decisions import Gate
from journal.payloads.registry import payload_of
from journal.payloads.shapes import (
    Contract,
    Count,
    Fees,
    Opaque,
    Positive,
    Scalar,
    Shape,
    Side,
    Text,
)

TradeState = Literal["OPEN", "HOLD", "EXIT", "ARCHIVE"]


@payload_of("operator.command", key=attrgetter("id"), key_text="`id`")
class OperatorCommand(Shape, frozen=True):
    """What a person told the session to do; the same id again changes nothing.

    id: id of the command.
    command: its name, such as `kill`.
    arguments: what it was given, by name; each command has its own.
    actor: who gave it.
    address: where the actor sat: an IP address, or `local`.
    reason: why, in the actor's words.
    issued_at: when it was given, wall clock, µs UTC.
    """

    id: Text
    command: Text
    arguments: Opaque
    actor: str
    address: str
    reason: str
    issued_at: int


class PositionLeg(Shape, frozen=True):
    """One contract of a trade.

    contract: the contract.
    side: side it was entered on.
    quantity: units intended.
    filled: units entered.
    closed: units left again.
    entry_value_paise: sum of quantity × price of the entry fills, paise.
    exit_value_paise: sum of quantity × price of the exit fills, paise.
    entry_paise: average entry price to the nearest paisa, half up; null before a fill.
    exit_paise: average exit price likewise.
    """

    contract: Contract
    side: Side
    quantity: Positive
    filled: Count
    closed: Count
    entry_value_paise: Count
    exit_value_paise: Count
    entry_paise: Count | None
    exit_paise: Count | None


@payload_of("position.changed", key=attrgetter("trade"), key_text="`trade`")
class PositionChanged(Shape, frozen=True):
    """A trade moved.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    state: `OPEN` entry working, `HOLD` entered, `EXIT` exit working, `ARCHIVE` flat for good.
    before: the state before; null for a new trade.
    reason: what moved it.
    legs: its legs as they stand.
    gross_paise: realised profit before costs, paise.
    fees_paise: charges of its fills so far, estimated to the paisa; null where costs are `GROSS`.
    net_paise: realised profit less those charges, paise; null likewise.
    costs: name of the cost profile, with its stress where that is not 1.
    """

    trade: Text
    strategy: Text
    underlying: Text
    state: TradeState | None
    before: TradeState | None
    reason: Text
    legs: list[PositionLeg]
    gross_paise: int
    fees_paise: Count | None
    net_paise: int | None
    costs: Text


class PortfolioPosition(Shape, frozen=True):
    """An open trade in a snapshot.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    state: its state; null before the broker answered.
    gross_paise: realised profit before costs, paise.
    unrealised_paise: profit of closing now at the opposite quotes, paise; null without a quote.
    mark: what those quotes are worth: `FRESH`, `STALE`, `MISSING`, or `HALTED` when they are the
        last before trading stopped.
    """

    trade: Text
    strategy: Text
    underlying: Text
    state: TradeState | None
    gross_paise: int
    unrealised_paise: int | None
    mark: Literal["FRESH", "STALE", "HALTED", "MISSING"]


class StandingGate(Gate, frozen=True):
    """What a gate would say to an entry now.

    number: number of the gate in the house's list.
    name: name of the gate.
    value: what was compared, in `unit`; null when it is not known.
    limit: what it was compared with, in `unit`; null when it is not known.
    unit: as in `gate.decided`.
    headroom: how far inside the limit, in `unit`; negative outside, null when not known.
    verdict: `pass`, `half` or `block`.
    reason: why it would not simply pass; null otherwise.
    underlying: name of the index the entry would be in.
    """

    underlying: Text


@payload_of("portfolio.snapshot")
class PortfolioSnapshot(Shape, frozen=True):
    """The portfolio, once a minute.

    realised_paise: profit of all archived trades, paise.
    unrealised_paise: profit of closing everything now, paise; null with a reason.
    unrealised_reason: `NO_QUOTE` when a quote is missing; null otherwise.
    fees: charges of the session by line, paise: closed days as billed, the open one as estimated;
        null where costs are `GROSS`.
    killed: whether the kill switch is set.
    positions: trades that are not archived.
    equity_paise: capital, realised and unrealised profit, paise; null with `unrealised_reason`.
    highest_equity_paise: highest equity of any snapshot, paise; null before the first.
    gates: what each gate would say to an entry now, for each underlying: to one that is not yet
        made, so what depends on its contracts is left open.
    costs: name of the cost profile.
    """

    realised_paise: int
    unrealised_paise: int | None
    unrealised_reason: Text | None
    fees: Fees | None
    killed: bool
    positions: list[PortfolioPosition]
    equity_paise: int | None
    highest_equity_paise: int | None
    gates: list[StandingGate]
    costs: Text


@payload_of("limits.changed", key=None, key_text="strategy, or none")
class LimitsChanged(Shape, frozen=True):
    """A limit was changed.

    what: name of the limit, with its unit.
    before: figure before.
    after: figure from now on.
    actor: who changed it.
    approver: the second person, who agreed to a looser one; null for a stricter one.
    reason: why.
    """

    what: Text
    before: Scalar
    after: Scalar
    actor: str
    approver: str | None
    reason: str


@payload_of("breaker.changed", key=None, key_text="strategy, or none")
class BreakerChanged(Shape, frozen=True):
    """A breaker was set or reset.

    what: name of the breaker, such as `kill switch`, or `kill switch S4` for one of a strategy.
    before: whether it was set before.
    after: whether it is set now.
    state: `open`, `half open` (one trade at a time, whose outcome decides) or `closed`.
    hard: whether it waits for people, whatever time goes by.
    flattens: whether what is held is exited while it is set.
    actor: who or what set it, or asked for its re-arming.
    approver: the second person, who agreed to its re-arming; null otherwise.
    reason: why.
    """

    what: Text
    before: bool
    after: bool
    state: Literal["open", "half open", "closed"]
    hard: bool
    flattens: bool
    actor: str
    approver: str | None
    reason: str


@payload_of("request.changed", key=attrgetter("request"), key_text="`request`")
class RequestChanged(Shape, frozen=True):
    """A command that lets more through waits for a second person, was approved, or cannot be
    obeyed.

    request: id of the command.
    what: what it asks for.
    state: `waiting`, `approved` or `refused`.
    actor: who asked.
    approver: the second person; null while it waits or when it was refused.
    reason: why, in the actor's or the approver's words; what is wrong with one refused.
    """

    request: Text
    what: Text
    state: Literal["waiting", "approved", "refused"]
    actor: str
    approver: str | None
    reason: str


@payload_of("strategy.disabled", key=None, key_text="strategy, or none")
class StrategyDisabled(Shape, frozen=True):
    """A strategy was switched off or on.

    what: name of the strategy.
    before: whether it was disabled before.
    after: whether it is disabled now.
    actor: who or what did it.
    reason: why.
    """

    what: Text
    before: bool
    after: bool
    actor: str
    reason: str
