"""The book against what the broker says.

Both are compared contract by contract and order by order. While they differ nothing is entered;
what closes a holding still leaves. They agree again when a later comparison finds no difference, or
when two people have accepted those that were found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from journal.events import public_id
from trading.engine.approvals import ask_approval, refuse
from trading.execution.booked import Due
from trading.execution.broker import Holding, OpenOrder, Statement
from trading.execution.orders import Contract

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.engine.step import Step
    from trading.execution.positions import Trade

DAY_OPENED, RESTART, DOUBT, ASKED = "DAY_OPENED", "RESTART", "DOUBT", "ASKED"
AGREES, DIFFERS, ACCEPTED = "AGREES", "DIFFERS", "ACCEPTED"
NOT_AT_BROKER, NOT_IN_BOOK = "NOT_AT_BROKER", "NOT_IN_BOOK"

Row = dict[str, Any]


def book_holdings(trades: Iterable[Trade]) -> list[Holding]:
    """What the trades hold, by contract, in ascending order."""
    units: dict[Contract, int] = {}
    for trade in trades:
        for leg in trade.legs:
            units[leg.contract] = units.get(leg.contract, 0) + leg.sign * leg.open_quantity
    return [Holding(contract, units[contract]) for contract in sorted(units) if units[contract]]


def book_orders(step: Step) -> list[OpenOrder]:
    """The orders of the day that work by the book, in ascending order."""
    return sorted(
        OpenOrder(name, each.contract, each.side, each.quantity, each.filled)
        for name, each in step.state.orders.items()
        if not each.over
    )


def statement_data(
    statement: Statement | None, *, broker: str, why: str, detail: str | None, problem: str | None
) -> dict[str, Any]:
    """The data of a broker.statement; without a statement, `problem` says why there is none."""
    orders, holdings = statement or ((), ())
    return {
        "broker": broker,
        "why": why,
        "detail": detail,
        "problem": problem,
        "orders": msgspec.to_builtins(orders),
        "holdings": msgspec.to_builtins(holdings),
    }


def want_reconciliation(step: Step, why: str, detail: str) -> None:
    """Have the broker asked what it works and holds; the first to want it is named."""
    state = step.state.reconciliation
    state.due = state.due or Due(why, detail, step.seq)


def doubt(step: Step, reason: str) -> None:
    """Let nothing in until book and broker are reconciled; the first reason stands."""
    state = step.state.reconciliation
    state.doubt = state.doubt or reason
    want_reconciliation(step, DOUBT, reason)


def on_broker_statement(step: Step) -> None:
    """Compare what the broker works and holds with the book, and say how they differ."""
    data, state = step.event.data, step.state.reconciliation
    state.due = None
    orders, positions = [], []
    if data["problem"] is None:
        orders, positions = _order_rows(step), _position_rows(step)
    differences = sum(_is_open(row) for row in (*orders, *positions))
    state.orders = [row["order"] for row in orders if _is_open(row)]
    state.units = [_difference(row) for row in positions if _is_open(row)]
    state.doubt = _doubt_after(step, data, differences)
    state.seq = step.emit(
        "book.reconciled",
        {
            "broker": data["broker"],
            "why": data["why"],
            "detail": data["detail"],
            "problem": data["problem"],
            "orders": orders,
            "positions": positions,
            "differences": differences,
            "blocks": state.doubt is not None,
        },
        cause=(step.seq,),
    )


def _doubt_after(step: Step, data: dict[str, Any], differences: int) -> str | None:
    if data["problem"] is not None:
        return f"{data['broker']} could not be asked: {data['problem']}"
    if differences:
        return f"{differences} differences in {step.next_id()}"
    return None


def _is_open(row: Row) -> bool:
    """Whether a row is a difference that nobody has accepted."""
    return row["verdict"] not in {AGREES, ACCEPTED}


def _difference(row: Row) -> Holding:
    contract = msgspec.convert(row["contract"], Contract)
    return Holding(contract, row["broker_units"] - row["book_units"])


def _order_rows(step: Step) -> list[Row]:
    """Each order that works at the broker or by the book, with both sides' figures."""
    stated = msgspec.convert(step.event.data["orders"], list[OpenOrder])
    broker = {each.order: each for each in stated}
    book = {each.order: each for each in book_orders(step)}
    accepted = step.state.reconciliation.accepted_orders
    rows = []
    for name in sorted(broker.keys() | book.keys()):
        there, here = broker.get(name), book.get(name)
        verdict = _order_verdict(there, here)
        shown = there or here
        assert shown is not None  # noqa: S101 - the name is one of theirs
        rows.append(
            {
                "order": name,
                "contract": msgspec.to_builtins(shown.contract),
                "side": shown.side,
                "broker_quantity": there and there.quantity,
                "broker_filled": there and there.filled,
                "book_quantity": here and here.quantity,
                "book_filled": here and here.filled,
                "verdict": ACCEPTED if verdict != AGREES and name in accepted else verdict,
            }
        )
    return rows


def _order_verdict(there: OpenOrder | None, here: OpenOrder | None) -> str:
    if there is None:
        return NOT_AT_BROKER
    if here is None:
        return NOT_IN_BOOK
    return AGREES if there == here else DIFFERS


def _position_rows(step: Step) -> list[Row]:
    """Each contract that is held at the broker or by the book. What expired before the day is
    settled and no longer asked about.
    """
    stated = msgspec.convert(step.event.data["holdings"], list[Holding])
    broker = {each.contract: each.units for each in stated}
    book = {each.contract: each.units for each in book_holdings(step.state.trades.values())}
    accepted = {each.contract: each.units for each in step.state.reconciliation.accepted_units}
    rows = []
    for contract in sorted(broker.keys() | book.keys()):
        if contract.expiry < step.day.date:
            continue
        there, here = broker.get(contract, 0), book.get(contract, 0)
        verdict = AGREES if there == here else DIFFERS
        if verdict == DIFFERS and there - here == accepted.get(contract):
            verdict = ACCEPTED
        rows.append(
            {
                "contract": msgspec.to_builtins(contract),
                "broker_units": there,
                "book_units": here,
                "verdict": verdict,
            }
        )
    return rows


# --- people ---


def ask_reconciliation(step: Step, data: dict[str, Any]) -> None:
    """Have book and broker compared because somebody asks for it."""
    want_reconciliation(step, ASKED, f"{data['actor']}: {data['reason']}")


def ask_acceptance(step: Step, data: dict[str, Any]) -> None:
    """Let the differences of the last reconciliation stand, when a second person agrees."""
    wanted = data["arguments"].get("reconciliation")
    problem = acceptance_problem(step, wanted)
    if problem is not None:
        refuse(step, data, problem)
        return
    state = step.state.reconciliation
    found = [f"{each.contract.label} {each.units:+d} units" for each in state.units]
    found += [f"order {name}" for name in state.orders]
    ask_approval(step, data, f"accept {wanted}: {', '.join(found)}")


def acceptance_problem(step: Step, wanted: object) -> str | None:
    """Why the differences of a reconciliation cannot be accepted now; None when they can."""
    state = step.state.reconciliation
    if not (state.units or state.orders):
        return "no differences are open"
    last = public_id(step.session, state.seq)
    return None if wanted == last else f"{wanted} is not the last reconciliation, {last} is"


def accept_differences(
    step: Step, data: dict[str, Any], *, approver: str, causes: tuple[int, ...]
) -> None:
    """Let what differed in the last reconciliation differ from now on."""
    state = step.state.reconciliation
    replaced = {each.contract for each in state.units}
    kept = [
        each
        for each in state.accepted_units
        if each.contract not in replaced and each.contract.expiry >= step.day.date
    ]
    step.emit(
        "reconciliation.accepted",
        {
            "reconciliation": data["arguments"]["reconciliation"],
            "positions": msgspec.to_builtins(state.units),
            "orders": list(state.orders),
            "actor": data["actor"],
            "approver": approver,
            "reason": data["reason"],
        },
        cause=(state.seq, *causes),
    )
    state.accepted_units = sorted([*kept, *state.units])
    state.accepted_orders = sorted({*state.accepted_orders, *state.orders})
    state.units, state.orders, state.doubt = [], [], None
