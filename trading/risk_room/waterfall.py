"""From what was hoped for to what is left: the steps of a waterfall with their bars, and the
waterfalls of single trades. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.figures import count, signed_rupees, taken
from journal.portfolio_lines import FEE_NAMES
from trading.execution.portfolio import waterfall_of
from trading.execution.slippage import Slippage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Data = dict[str, Any]
BAR_UNITS = 1000  # the width of the picture all bars of a table share
_BROKER_SILENT = "the broker has not answered yet"
_UNTOLD = "logged without a waterfall"


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar: where it begins and how wide it is, in units of the picture. `tone` is
    `sum` for a result, else what it does to the profit: `gain` or `loss`.
    """

    start: int
    width: int
    tone: str


@dataclass(frozen=True, slots=True)
class Rung:
    """A step: its label, its figure in words, the bar of what it changes (None where that is not
    known, or nothing), whether it is a result, and a note.
    """

    label: str
    figure: str
    bar: Bar | None = None
    is_sum: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Paise as units of a picture; zero is always in it."""

    low: int
    high: int

    @property
    def zero(self) -> int:
        return self._at(0)

    def bar(self, start: int | None, end: int | None, *, is_sum: bool = False) -> Bar | None:
        """The bar from a level of profit to another; what is not nothing is at least a unit wide
        and may be seen.
        """
        if start is None or end is None or start == end:
            return None
        first, last = sorted((self._at(start), self._at(end)))
        width = max(1, last - first)
        tone = "sum" if is_sum else "gain" if end > start else "loss"
        return Bar(min(first, BAR_UNITS - width), width, tone)

    def _at(self, paise: int) -> int:
        """The nearest unit, half up."""
        room = self.high - self.low
        return (2 * (paise - self.low) * BAR_UNITS + room) // (2 * room) if room else 0


def scale_of(levels: Iterable[int | None]) -> Scale:
    """The scale that holds some levels of profit, those that are known."""
    known = [0, *(level for level in levels if level is not None)]
    return Scale(min(known), max(known))


def rungs_of(waterfall: Data) -> tuple[Rung, ...]:
    """The steps of one waterfall: expected − slippage = gross, gross − charges by line − funding =
    net. Where costs are GROSS nothing stands for what was not taken off.
    """
    expected, gross = waterfall["expected_paise"], waterfall["gross_paise"]
    scale = scale_of(_levels(waterfall))
    fills = waterfall["unpriced_fills"]
    unpriced = f"{count(fills)} fill{'' if fills == 1 else 's'} at their own price" if fills else ""
    slippage = taken(waterfall["slippage_paise"])
    return (
        Rung("Expected", signed_rupees(expected), scale.bar(0, expected, is_sum=True)),
        Rung("Slippage", slippage, scale.bar(expected, gross), note=unpriced),
        Rung("Gross", signed_rupees(gross), scale.bar(0, gross, is_sum=True), is_sum=True),
        *_after_gross(waterfall, scale),
    )


def _after_gross(waterfall: Data, scale: Scale) -> tuple[Rung, ...]:
    fees, gross, funding = waterfall["fees"], waterfall["gross_paise"], waterfall["funding_paise"]
    if fees is None:
        note = "costs are GROSS: nothing is taken off, so there is no net figure"
        return (Rung("Charges and net", "GROSS", note=note),)
    rungs, level = [], gross
    for name, label in FEE_NAMES.items():
        if name not in fees:
            continue
        below = _less(level, fees[name])
        rungs.append(Rung(label, taken(fees[name]), scale.bar(level, below)))
        level = below
    charged = _less(gross, fees["total"])
    rungs.append(Rung("Charges", taken(fees["total"]), scale.bar(gross, charged), is_sum=True))
    if funding is not None:
        bar = scale.bar(charged, _less(charged, funding))
        rungs.append(Rung("Funding of margin", taken(funding), bar))
    net = waterfall["net_paise"]
    bar = scale.bar(0, net, is_sum=True)
    rungs.append(Rung("Net", signed_rupees(net), bar, is_sum=True))
    return tuple(rungs)


def _levels(waterfall: Data) -> tuple[int | None, ...]:
    """The levels of profit it goes through; those between are between these."""
    fees, gross = waterfall["fees"], waterfall["gross_paise"]
    charged = _less(gross, fees["total"]) if fees else None
    return waterfall["expected_paise"], gross, charged, waterfall["net_paise"]


def _less(level: int | None, paise: int) -> int | None:
    return None if level is None else level - paise


@dataclass(frozen=True, slots=True)
class Move:
    """The last position.changed of a trade by some moment: its seq, its time (µs UTC), its data."""

    seq: int
    ts: int
    data: Data


@dataclass(frozen=True, slots=True)
class TradeLine:
    """A trade as it stood. `mark`: what the quotes of an open one are worth, empty for one that is
    flat; `modelled`: how many of its fills are; `waterfall`: None with a `note`.
    """

    trade: str
    strategy: str
    underlying: str
    state: str
    mark: str
    realised_paise: int
    unrealised_paise: int | None
    modelled: int
    seq: int | None
    ts: int | None
    waterfall: Data | None
    note: str = ""

    @property
    def is_open(self) -> bool:
        return self.state != "ARCHIVE"

    @property
    def charges_paise(self) -> int | None:
        fees = self.waterfall["fees"] if self.waterfall else None
        return fees["total"] if fees else None


def trade_lines(
    moves: Iterable[Move], positions: Sequence[Data], modelled: dict[str, int]
) -> tuple[TradeLine, ...]:
    """The trades of a session at a mark: those that are open, then the others, the newest first.

    `moves` are the last ones up to the mark, `positions` those the mark values, `modelled` counts
    the fills at a modelled price by trade.
    """
    held = {position["trade"]: position for position in positions}
    newest = sorted(moves, key=lambda move: -move.seq)
    moved = {move.data["trade"] for move in newest}
    silent = [_silent(position) for name, position in held.items() if name not in moved]
    lines = [
        _line(move, held.get(move.data["trade"]), modelled.get(move.data["trade"], 0))
        for move in newest
    ]
    return (
        *silent,
        *(line for line in lines if line.is_open),
        *(line for line in lines if not line.is_open),
    )


def _silent(position: Data) -> TradeLine:
    """A trade of which nothing but its orders is known."""
    return TradeLine(
        trade=position["trade"],
        strategy=position["strategy"],
        underlying=position["underlying"],
        state="",
        mark="",
        realised_paise=position["gross_paise"],
        unrealised_paise=position["unrealised_paise"],
        modelled=0,
        seq=None,
        ts=None,
        waterfall=None,
        note=_BROKER_SILENT,
    )


def _line(move: Move, position: Data | None, modelled: int) -> TradeLine:
    data = move.data
    waterfall = data.get("waterfall")
    unrealised = 0 if position is None else position["unrealised_paise"]
    if waterfall is not None and position is not None:
        waterfall = marked_waterfall(waterfall, unrealised)
    return TradeLine(
        trade=data["trade"],
        strategy=data["strategy"],
        underlying=data["underlying"],
        state=data["state"] or "",
        mark="" if position is None else position["mark"],
        realised_paise=data["gross_paise"],
        unrealised_paise=unrealised,
        modelled=modelled,
        seq=move.seq,
        ts=move.ts,
        waterfall=waterfall,
        note="" if waterfall is not None else _UNTOLD,
    )


def marked_waterfall(waterfall: Data, unrealised_paise: int | None) -> Data:
    """The waterfall of an open trade: that of its fills with what closing the rest now brings. No
    figure that needs a missing quote is in it.
    """
    realised = waterfall["gross_paise"]
    gross = None if unrealised_paise is None else realised + unrealised_paise
    slippage = Slippage(waterfall["slippage_paise"], waterfall["unpriced_fills"])
    return waterfall_of(gross, slippage, waterfall["fees"], waterfall["funding_paise"])._asdict()


@dataclass(frozen=True, slots=True)
class TradeBars:
    """Three pieces under one another, on the scale of the whole table: what slippage made of the
    expected profit, what charges made of the gross one, and what is left (`end`: net, or gross
    where costs are GROSS).
    """

    slippage: Bar | None
    charges: Bar | None
    end: Bar | None


def trade_scale(lines: Iterable[TradeLine]) -> Scale:
    """The scale that holds the bars of some trades."""
    return scale_of(level for line in lines if line.waterfall for level in _levels(line.waterfall))


def trade_bars(line: TradeLine, scale: Scale) -> TradeBars:
    """The bars of a trade; none where its figures are not known."""
    told = line.waterfall
    if told is None:
        return TradeBars(None, None, None)
    gross, net = told["gross_paise"], told["net_paise"]
    end = gross if told["fees"] is None else net
    return TradeBars(
        slippage=scale.bar(told["expected_paise"], gross),
        charges=scale.bar(gross, net),
        end=scale.bar(0, end, is_sum=True),
    )


@dataclass(frozen=True, slots=True)
class Total:
    """Several trades together; a figure is None as soon as that of one of them is."""

    trades: int
    realised_paise: int
    unrealised_paise: int | None
    expected_paise: int | None
    slippage_paise: int | None
    gross_paise: int | None
    charges_paise: int | None
    net_paise: int | None


def total_of(lines: Sequence[TradeLine]) -> Total:
    """Add trades up. One whose orders nobody has answered has cost and brought nothing."""
    told = [line for line in lines if line.seq is not None]

    def figure(name: str) -> int | None:
        return _sum(line.waterfall[name] if line.waterfall else None for line in told)

    return Total(
        trades=len(lines),
        realised_paise=sum(line.realised_paise for line in lines),
        unrealised_paise=_sum(line.unrealised_paise for line in lines),
        expected_paise=figure("expected_paise"),
        slippage_paise=figure("slippage_paise"),
        gross_paise=figure("gross_paise"),
        charges_paise=_sum(line.charges_paise for line in told),
        net_paise=figure("net_paise"),
    )


def _sum(figures: Iterable[int | None]) -> int | None:
    total = 0
    for paise in figures:
        if paise is None:
            return None
        total += paise
    return total
