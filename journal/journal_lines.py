"""What the journals of a session say on a terminal: a line or a JSON object for each signal and
each order. Pure: records in, text out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from journal.figures import NO_DATA, count, ist_text, rupees, signed_rupees, span

if TYPE_CHECKING:
    from journal.execution_journal import Anomaly, ExecutionJournal, Fill, OrderRecord
    from journal.payloads.shapes import Contract
    from journal.signal_journal import JudgedSignal, SignalAnomaly, SignalJournal

MOMENT = "%Y-%m-%d %H:%M:%S"


# --- signals --------------------------------------------------------------------------------------


def signal_line(judged: JudgedSignal) -> str:
    """Return one line: seq, IST time, strategy, what became of it and why."""
    signal = judged.signal
    name = f"{signal.strategy} {signal.underlying}"
    told = f"{judged.verdict.value:<10}  {signal.direction or '-':<4}"
    return f"{judged.seq:>8}  {ist_text(judged.ts, MOMENT)}  {name:<14}  {told}  {_why(judged)}"


def signal_row(judged: JudgedSignal) -> dict[str, Any]:
    """Return a signal with the decision on it, as plain values."""
    row = {"seq": judged.seq, "ts": judged.ts, "verdict": judged.verdict.value}
    row["signal"] = msgspec.to_builtins(judged.signal)
    row["answer"] = msgspec.to_builtins(judged.answer)
    return row


def signal_summary(journal: SignalJournal) -> str:
    """Return the number of signals by verdict, and what could not be placed."""
    told = [f"{number} {verdict.value}" for verdict, number in journal.counts.items() if number]
    return _summary(", ".join(told) or "no signals", journal.left_off, journal.anomaly_count)


def signal_anomaly_line(anomaly: SignalAnomaly) -> str:
    """Return one line on an event that contradicts the rest."""
    return f"  anomaly at seq {anomaly.seq}: {anomaly.kind} {anomaly.reason}"


def _why(judged: JudgedSignal) -> str:
    if judged.answer is None:
        return judged.signal.reason or "no decision yet"
    decision = judged.answer.decision
    for gate in decision.gates:
        if gate.number == decision.decided_by:
            return f"gate {gate.number} {gate.name}: {gate.reason or NO_DATA}"
    return f"trade {decision.trade}, {decision.lots} lots"


# --- orders ---------------------------------------------------------------------------------------


def order_lines(record: OrderRecord, anomalies: list[Anomaly]) -> list[str]:
    """Return an order's line, one for each of its fills, and one for what contradicts it."""
    intent = record.intent
    head = (
        f"{record.order:<16}  {ist_text(record.intended_at, MOMENT)}  {intent.purpose:<5}  "
        f"{intent.side:<4} {record.filled} of {intent.quantity} {_contract(intent.contract)}  "
        f"{record.state.value}" + (f": {record.reason}" if record.reason else "")
    )
    fills = [_fill_line(fill) for fill in record.fills]
    return [head, *fills, *(order_anomaly_line(anomaly) for anomaly in anomalies)]


def order_row(record: OrderRecord, anomalies: list[Anomaly]) -> dict[str, Any]:
    """Return an order with its fills and its contradictions, as plain values."""
    row: dict[str, Any] = msgspec.to_builtins(record)
    row |= {
        "order": record.order,
        "filled": record.filled,
        "average_paise": record.average_paise,
        "slippage_value_paise": record.slippage_value_paise,
        "charges_paise": record.charges_paise,
    }
    row["anomalies"] = [anomaly_row(anomaly) for anomaly in anomalies]
    return row


def anomaly_row(anomaly: Anomaly) -> dict[str, Any]:
    """Return what contradicts the rest, with the whole event, as plain values."""
    return {
        "order": anomaly.order,
        "reason": anomaly.reason,
        "event": anomaly.event.body(),
    }


def order_summary(journal: ExecutionJournal) -> str:
    """Return the number of orders by state, and what could not be placed."""
    told = [f"{number} {state.value}" for state, number in sorted(journal.states().items())]
    return _summary(", ".join(told) or "no orders", journal.left_off, journal.anomaly_count)


def order_anomaly_line(anomaly: Anomaly) -> str:
    """Return one line on an event that contradicts the rest."""
    event = anomaly.event
    return f"    anomaly at seq {event.seq}: {event.kind} {anomaly.reason}"


def _fill_line(fill: Fill) -> str:
    cost = fill.slippage_value_paise
    slippage = NO_DATA if cost is None else signed_rupees(-cost)
    return (
        f"    {count(fill.quantity)} at ₹{rupees(fill.price_paise)}, "
        f"expected ₹{rupees(fill.expected_paise)}, slippage {slippage}, "
        f"after {span(fill.latency_us)}, charges "
        + _charges(fill.charges_paise, fill.charges_reason)
    )


def _contract(contract: Contract) -> str:
    strike, paise = divmod(contract.strike_paise, 100)
    shown = f"{strike}.{paise:02d}" if paise else str(strike)
    return f"{contract.underlying} {contract.expiry} {shown} {contract.right}"


def _charges(paise: int | None, reason: str | None) -> str:
    return f"none ({reason})" if paise is None else f"₹{rupees(paise)}"


def _summary(told: str, left_off: int, anomalies: int) -> str:
    older = f"; {left_off} older ones are left off" if left_off else ""
    odd = f"; {anomalies} anomalies" if anomalies else ""
    return f"{told}{older}{odd}"
