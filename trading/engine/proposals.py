"""Orders before the gates: what a strategy wants to enter, what leaves a trade, and what an entry
that is not yet made would be asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.book import (
    Line,
    Missing,
    book_lines,
    known,
    lines_of,
    margin_paise,
    valued_book,
)
from trading.engine.desk import limits_in_force
from trading.engine.intents import leaving_now, orders_of
from trading.execution.closing import modelled_price
from trading.execution.orders import OPPOSITE
from trading.risk.proposal import (
    FutureEquivalent,
    OrderProposal,
    ProposedLeg,
    ProposedRisk,
    Terms,
)
from trading.risk.scenarios import PaidOption, largest_loss_paise, no_greeks
from trading.strategies import s4_iv_reversion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trading.engine.state import Quote
    from trading.engine.step import Step
    from trading.execution.orders import Contract, Side
    from trading.execution.positions import Trade
    from trading.strategies.base import Declaration, LegPlan

DECLARATIONS: dict[str, Declaration] = {s4_iv_reversion.NAME: s4_iv_reversion.DECLARATION}
# Gates that halve: as often can lots be halved before the margin is asked for.
_HALVINGS = 2


def entry_proposal(
    step: Step,
    plans: Sequence[LegPlan],
    quotes: Mapping[str, Quote],
    *,
    strategy: str,
    underlying: str,
    signal_seq: int,
    lots: int,
) -> OrderProposal:
    """What a fired signal asks for at its full lots; `quotes` are its contracts', by label."""
    legs = tuple(_entry_leg(step, plan, quotes, lots) for plan in plans)
    return OrderProposal(
        client=step.next_id(),
        signal=str(signal_seq),
        strategy=DECLARATIONS[strategy],
        underlying=underlying,
        lots=lots,
        legs=legs,
        risk=_entry_risk(step, legs, quotes, lots),
    )


def exit_proposal(step: Step, trade: Trade) -> OrderProposal:
    """What leaves a trade now, as one lot of itself; its risk is that of all that is to leave."""
    quotes = step.underlying(trade.underlying).quotes
    legs = tuple(
        _leg(
            step,
            leg.contract,
            OPPOSITE[leg.side],
            orders,
            quotes.get(leg.contract.label),
        )
        for leg, orders in leaving_now(step, trade)
    )
    leaving = valued_book(
        [line._replace(units=-line.units) for line in lines_of(step, trade)], step.ts
    )
    margin = known(margin_paise(step, book_lines(step, but=trade.id)))
    return OrderProposal(
        client=step.next_id(),
        signal=str(trade.position_seq),
        strategy=DECLARATIONS[trade.strategy],
        underlying=trade.underlying,
        lots=1,
        legs=legs,
        reducing=True,
        risk=ProposedRisk(
            largest_loss_paise=0,
            greeks=known(leaving.greeks),
            future_equivalent=leaving.equivalent(trade.underlying),
            margin_after_paise=None if margin is None else {1: margin},
        ),
    )


def standing_proposal(underlying: str, strategy: str, margin_paise: int | None) -> OrderProposal:
    """An entry without contracts: what the gates say to it they would say to any. `margin_paise`
    is that of the book, None when it cannot be had.
    """
    return OrderProposal(
        client="",
        signal="",
        strategy=DECLARATIONS[strategy],
        underlying=underlying,
        lots=0,
        legs=(),
        risk=ProposedRisk(
            largest_loss_paise=0,
            greeks=no_greeks(),
            future_equivalent=FutureEquivalent(),
            margin_after_paise=None if margin_paise is None else {0: margin_paise},
        ),
    )


def _entry_leg(step: Step, plan: LegPlan, quotes: Mapping[str, Quote], lots: int) -> ProposedLeg:
    contract = plan.contract
    lot_size = _lot_size(step, contract) or 0
    orders = orders_of(step, contract, lots * lot_size, lot_size=lot_size)
    return _leg(step, contract, plan.side, orders, quotes.get(contract.label))


def _leg(
    step: Step, contract: Contract, side: Side, orders: Sequence[int], quote: Quote | None
) -> ProposedLeg:
    return ProposedLeg(
        contract=contract,
        side=side,
        quantity=sum(orders),
        largest_order=max(orders, default=0),
        orders=len(orders),
        terms=_terms(step, contract),
        price_paise=_price(step, contract, side, quote),
        reference_paise=_reference(quote),
    )


def _price(step: Step, contract: Contract, side: Side, quote: Quote | None) -> int | None:
    """What an order at the market meets: the opposite quote, or a record's close made worse."""
    if quote is None:
        return None
    price = quote.ask_paise if side == "BUY" else quote.bid_paise
    if price is not None and step.underlying(contract.underlying).shows_closes:
        return modelled_price(price, side)
    return price


def _reference(quote: Quote | None) -> int | None:
    """The mid; failing that the last trade, which may be an old one."""
    if quote is None:
        return None
    return quote.last_paise if quote.mid_paise is None else quote.mid_paise


def _terms(step: Step, contract: Contract) -> Terms | None:
    lot_size, known = _lot_size(step, contract), step.day.terms.get(contract.underlying)
    if lot_size is None or known is None:
        return None
    return Terms(lot_size, known.freeze_quantity, known.tick_paise, known.strike_step_paise)


def _lot_size(step: Step, contract: Contract) -> int | None:
    return step.day.lot_sizes.get(contract.underlying, {}).get(contract.expiry)


def _entry_risk(
    step: Step, legs: Sequence[ProposedLeg], quotes: Mapping[str, Quote], lots: int
) -> ProposedRisk:
    signs = {"BUY": 1, "SELL": -1}
    lines = [
        Line(leg.contract, signs[leg.side] * leg.quantity // lots, quotes.get(leg.contract.label))
        for leg in legs
    ]
    added = valued_book(lines, step.ts)
    return ProposedRisk(
        largest_loss_paise=_largest_loss(step, legs, lots),
        greeks=known(added.greeks),
        future_equivalent=added.equivalent(legs[0].contract.underlying) if legs else None,
        margin_after_paise=_margins(step, lines, lots),
    )


def _largest_loss(step: Step, legs: Sequence[ProposedLeg], lots: int) -> int | None:
    """What one lot can lose, paise; None when a price or the level of the index is missing."""
    paid = []
    for leg in legs:
        if leg.price_paise is None:
            return None
        units = leg.quantity // lots * (1 if leg.side == "BUY" else -1)
        contract = leg.contract
        paid.append(PaidOption(units, contract.strike_paise, contract.right, leg.price_paise))
    index = step.underlying(legs[0].contract.underlying).index_paise if legs else None
    if index is None:
        return None
    return largest_loss_paise(paid, index, limits_in_force(step).worst_move_ppm)


def _margins(step: Step, lines: Sequence[Line], lots: int) -> dict[int, int] | None:
    """The margin of the book with the order, by the lots that may be left of it."""
    book = book_lines(step)
    found = {}
    for halvings in range(_HALVINGS + 1):
        left = lots >> halvings
        if not left:
            break
        added = [line._replace(units=left * line.units) for line in lines]
        margin = margin_paise(step, [*book, *added])
        if isinstance(margin, Missing):
            return None
        found[left] = margin
    return found
