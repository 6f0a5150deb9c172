"""A portfolio as a person reads it: rows of a label and a figure in rupees. Pure: text out of data.

What is not known says why; a field that an older log does not have is no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.figures import NO_DATA, count, ist_text, rupees, signed_rupees, taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journal.log.portfolio_file import PortfolioState

Data = dict[str, Any]

FEE_NAMES = {
    "brokerage": "Brokerage",
    "stt": "STT",
    "exchange": "Exchange, with IPFT",
    "sebi": "SEBI fee",
    "stamp": "Stamp duty",
    "gst": "GST",
}
_GREEKS = {
    "delta_paise": "Delta, of +1 %",
    "gamma_paise": "Gamma, of the next 1 %",
    "vega_paise": "Vega, of +1 vol point",
    "theta_paise": "Theta, of a day",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its figure, as text. `is_sum` marks a step's result, `note` says more."""

    label: str
    figure: str
    note: str = ""
    is_sum: bool = False


def waterfall_rows(waterfall: Data) -> list[Row]:
    """Return the steps from what was hoped for to what is left."""
    fills = waterfall.get("unpriced_fills")
    unpriced = f"{count(fills)} fill{'' if fills == 1 else 's'} at their own price" if fills else ""
    return [
        Row("Expected", signed_rupees(waterfall.get("expected_paise"))),
        Row("Slippage", taken(waterfall.get("slippage_paise")), unpriced),
        Row("Gross", signed_rupees(waterfall.get("gross_paise")), is_sum=True),
        *_fee_rows(waterfall.get("fees")),
        Row("Funding", taken(waterfall.get("funding_paise"))),
        Row("Net", signed_rupees(waterfall.get("net_paise")), is_sum=True),
    ]


def _fee_rows(fees: Data | None) -> Iterator[Row]:
    if fees is None:
        yield Row("Charges", NO_DATA, "costs are GROSS")
        return
    for name, label in FEE_NAMES.items():
        if name in fees:
            yield Row(label, taken(fees[name]))
    yield Row("Charges", taken(fees["total"]), is_sum=True)


def money_rows(state: Data) -> list[Row]:
    """Return cash, profit and drawdowns."""
    why = _reason(state.get("unrealised_reason"))
    return [
        Row("Cash", rupees(state.get("cash_paise"))),
        Row("Held, at what closing brings", rupees(state.get("value_paise")), why),
        Row("Equity", rupees(state.get("equity_paise")), why, is_sum=True),
        Row("Realised", signed_rupees(state.get("realised_paise"))),
        Row("Unrealised", signed_rupees(state.get("unrealised_paise")), why),
        Row("Day's profit", signed_rupees(state.get("day_profit_paise")), why),
        Row("Day's drawdown", rupees(state.get("day_drawdown_paise")), why),
        Row("Drawdown from the peak", rupees(state.get("peak_drawdown_paise")), why),
    ]


def risk_rows(state: Data) -> list[Row]:
    """Return margin and greeks."""
    greeks, why = state.get("greeks"), _reason(state.get("greeks_reason"))
    margin_why = _reason(state.get("margin_reason"))
    margin = Row("Margin, SPAN-like", rupees(state.get("margin_paise")), margin_why)
    return [
        margin,
        *(
            Row(label, signed_rupees(None if greeks is None else greeks[name]), why)
            for name, label in _GREEKS.items()
        ),
    ]


def portfolio_lines(portfolio: PortfolioState) -> list[str]:
    """Return all of a portfolio, line by line, its figures below one another."""
    state = portfolio.state
    held = len(state.get("positions") or [])
    head = (
        f"{portfolio.session}: portfolio of {ist_text(portfolio.ts, '%Y-%m-%d %H:%M:%S')} IST, "
        f"seq {portfolio.seq}, line {portfolio.line}, {portfolio.hash[:12]}"
    )
    positions = f"{held} position{'' if held == 1 else 's'} open"
    standing = f"{positions}; costs {state.get('costs')}; in rupees"
    rows = [*money_rows(state), *risk_rows(state)]
    return [
        head,
        f"{standing}; STOPPED" if state.get("killed") else standing,
        *_columns(rows),
        "From gross to net:",
        *_columns(waterfall_rows(state.get("waterfall") or {})),
        *_unfunded(state.get("unfunded_nights")),
    ]


def _unfunded(nights: int | None) -> list[str]:
    if not nights:
        return []
    return [f"{count(nights)} night{'' if nights == 1 else 's'} without funding: no margin known"]


def _columns(rows: list[Row]) -> list[str]:
    wide = max(len(row.label) for row in rows)
    room = max(len(row.figure) for row in rows)
    return [
        f"  {row.label:<{wide}}  {row.figure:>{room}}" + (f"  ({row.note})" if row.note else "")
        for row in rows
    ]


def _reason(code: str | None) -> str:
    return code or ""
