"""What the page of the portfolio shows, read from the audit store: the last mark at or before an
instant, and the trades as they stood at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from journal.portfolio_lines import money_rows, risk_rows
from journal.selectors import UnknownEventError
from trading.risk_room.store import ids_of, is_synthetic, one_of, rows, session_numbers
from trading.risk_room.waterfall import (
    Move,
    Rung,
    Scale,
    Total,
    TradeBars,
    TradeLine,
    rungs_of,
    total_of,
    trade_bars,
    trade_lines,
    trade_scale,
)
from trading.risk_room.wording import reason_text

if TYPE_CHECKING:
    from journal.portfolio_lines import Row

TRADES_SHOWN = 50  # of those that are flat; open ones are all shown
GROSS = "GROSS"


@dataclass(frozen=True, slots=True)
class PortfolioMark:
    """A portfolio.snapshot: its place in the store, its seq, its time (µs UTC), its data without
    the gates.
    """

    id: int
    seq: int
    ts: int
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShownTrade:
    """A trade of the table with its bars."""

    line: TradeLine
    bars: TradeBars


@dataclass(frozen=True, slots=True)
class Trades:
    """The trades of a session at a mark: those shown, the flat ones before them together (None
    where all are shown), all together, and the scale of the bars.
    """

    shown: tuple[ShownTrade, ...]
    earlier: Total | None
    total: Total
    scale: Scale


@dataclass(frozen=True, slots=True)
class PortfolioPage:
    """A portfolio at an instant (µs UTC; None: the end of what the session has). Without a mark
    `first_ts` is the time of the first there is, None before one.

    `rungs` are of the session, or of the trade that is `chosen`.
    """

    session: str
    sessions: tuple[str, ...]
    at_us: int | None = None
    first_ts: int | None = None
    mark: PortfolioMark | None = None
    figures: tuple[Row, ...] = ()
    chosen: TradeLine | None = None
    rungs: tuple[Rung, ...] = ()
    trades: Trades | None = None
    synthetic: bool = False

    @property
    def is_gross(self) -> bool:
        return self.mark is not None and self.mark.state["costs"] == GROSS

    @property
    def age_us(self) -> int | None:
        """How long before the instant asked for the mark was made."""
        if self.mark is None or self.at_us is None:
            return None
        return self.at_us - self.mark.ts

    @property
    def of_no_trade_paise(self) -> int | None:
        """What the session's charges are above those of its trades: days are billed as a whole, to
        the rupee and the paisa; trades are estimates.
        """
        if self.mark is None or self.trades is None:
            return None
        fees, of_trades = self.mark.state["waterfall"]["fees"], self.trades.total.charges_paise
        return None if fees is None or of_trades is None else int(fees["total"]) - of_trades


def portfolio_page(*, session: str, at_us: int | None, trade: str = "") -> PortfolioPage:
    """Return the portfolio of a session at an instant: six queries. `trade` is the one whose steps
    are asked for. Raises UnknownEventError for a session that the store does not have and for a
    trade that the session did not have by then.
    """
    sessions = session_numbers()
    session = one_of(session, tuple(sessions))
    if not session:
        return PortfolioPage("", tuple(sessions))
    number = sessions[session]
    mark = _mark(number, at_us)
    if mark is None:
        return PortfolioPage(session, tuple(sessions), at_us, first_ts=_first_mark(number))
    until = {**ids_of(number), "until": mark.id}
    moves = [Move(*row) for row in rows(_MOVES, until)]
    lines = trade_lines(moves, mark.state["positions"], dict(rows(_MODELLED, until)))
    chosen = _chosen(lines, trade)
    waterfall = mark.state["waterfall"] if chosen is None else chosen.waterfall
    return PortfolioPage(
        session=session,
        sessions=tuple(sessions),
        at_us=at_us,
        mark=mark,
        figures=_figures(mark.state),
        chosen=chosen,
        rungs=rungs_of(waterfall) if waterfall else (),
        trades=_trades(lines),
        synthetic=is_synthetic(_day_id(until), until["after"]),
    )


def _figures(state: dict[str, Any]) -> tuple[Row, ...]:
    """Cash, profit, drawdowns, margin and greeks; what is missing says why in words."""
    return tuple(
        replace(row, note=reason_text(row.note)) for row in (*money_rows(state), *risk_rows(state))
    )


def _chosen(lines: tuple[TradeLine, ...], trade: str) -> TradeLine | None:
    if not trade:
        return None
    found = next((line for line in lines if line.trade == trade), None)
    if found is None:
        raise UnknownEventError(trade)
    return found


def _trades(lines: tuple[TradeLine, ...]) -> Trades:
    held = [line for line in lines if line.is_open]
    flat = [line for line in lines if not line.is_open]
    shown, earlier = [*held, *flat[:TRADES_SHOWN]], flat[TRADES_SHOWN:]
    scale = trade_scale(shown)
    return Trades(
        shown=tuple(ShownTrade(line, trade_bars(line, scale)) for line in shown),
        earlier=total_of(earlier) if earlier else None,
        total=total_of(lines),
        scale=scale,
    )


def _mark(number: int, at_us: int | None) -> PortfolioMark | None:
    found = rows(_MARK, {**ids_of(number), "at": at_us})
    return PortfolioMark(*found[0]) if found else None


def _first_mark(number: int) -> int | None:
    found = rows(_FIRST_MARK, ids_of(number))
    return found[0][0] if found else None


def _day_id(until: dict[str, Any]) -> int:
    """The store id of the opening of the mark's day."""
    return int(rows(_DAY_OF, until)[0][0])


_MARK = """
    SELECT id, seq, ts, (payload->'data') - 'gates'
      FROM audit.event
     WHERE kind = 'portfolio.snapshot' AND id >= %(first)s AND id < %(after)s
       AND (%(at)s::bigint IS NULL OR ts <= %(at)s::bigint)
     ORDER BY id DESC LIMIT 1
"""
_FIRST_MARK = """
    SELECT ts FROM audit.event
     WHERE kind = 'portfolio.snapshot' AND id >= %(first)s AND id < %(after)s
     ORDER BY id LIMIT 1
"""
_DAY_OF = """
    SELECT coalesce(max(id), %(first)s) FROM audit.event
     WHERE kind = 'day.opened' AND id >= %(first)s AND id < %(until)s
"""
_MOVES = """
    SELECT DISTINCT ON (key) seq, ts, (payload->'data') - 'legs'
      FROM audit.event
     WHERE kind = 'position.changed' AND id >= %(first)s AND id < %(until)s
     ORDER BY key, id DESC
"""
# The trade of a fill is that of its order.
_MODELLED = """
    SELECT o.payload->'data'->>'trade', count(*)
      FROM audit.event r
      JOIN audit.event o
        ON o.key = r.payload->'data'->>'order' AND o.kind = 'order.intended'
       AND o.payload->'data'->>'purpose' <> 'cancel' AND o.id >= %(first)s AND o.id < r.id
     WHERE r.kind = 'broker.report' AND r.id >= %(first)s AND r.id < %(until)s
       AND r.payload->'data'->>'price_basis' = 'MODELLED'
     GROUP BY 1
"""
