"""Sessions and days: how they open and how they end."""

from __future__ import annotations

from operator import attrgetter

from journal.payloads.rates import Tariff
from journal.payloads.registry import payload_of
from journal.payloads.shapes import Count, DateText, Digest, Fees, Opaque, Positive, Shape, Text


@payload_of("session.opened")
class SessionOpened(Shape, frozen=True):
    """The first event of a session.

    configuration: everything the session was told, as its TOML file says it; the engine checks it
        against `trading.engine.configuration` before it takes the event.
    configuration_digest: SHA-256 of the configuration's canonical bytes.
    code_version: version of the code that opened it.
    number: number of the session in its `VAR_DIR`.
    """

    configuration: Opaque
    configuration_digest: Digest
    code_version: Text
    number: Positive


class DayCalendar(Shape, frozen=True):
    """The market's hours on the day, as known when the day opened.

    midnight_us: 00:00 IST of the day, µs UTC.
    open_us: first moment of trading, µs UTC.
    close_us: last moment of trading, µs UTC.
    expiring_close_us: when contracts that expire on the day stop trading, µs UTC; never later.
    status: how sure the figure is, in the calendar's own words (`CONFIRMED`).
    source: where the figure comes from.
    halts_from_paise: the previous close of NIFTY from which the day's feed counts market-wide
        halts, paise; null where it counts none from NIFTY.
    halts_from_sensex_paise: the previous close of SENSEX, paise, where it is held: whichever index
        reaches a level first halts. Without it NIFTY alone is followed.
    """

    midnight_us: int
    open_us: int
    close_us: int
    expiring_close_us: int
    status: Text
    source: str
    halts_from_paise: Positive | None = None
    halts_from_sensex_paise: Positive | None = None


class DayTerms(Shape, frozen=True):
    """What the exchange asks of orders in an underlying's options.

    underlying: name of the index.
    freeze_quantity: largest order, units.
    freeze_status: how sure that figure is.
    tick_paise: price step, paise.
    strike_step_paise: distance of neighbouring strikes, paise.
    """

    underlying: Text
    freeze_quantity: Positive
    freeze_status: Text
    tick_paise: Positive
    strike_step_paise: Positive


class DayContracts(Shape, frozen=True):
    """Contracts of the day; one without a known lot is left out.

    lot_sizes: units in a lot, by underlying, by expiry (ISO date).
    lot_statuses: how sure each figure is, by underlying, by expiry.
    terms: what orders must respect; an underlying outside the tables is left out.
    """

    lot_sizes: dict[str, dict[str, Positive]]
    lot_statuses: dict[str, dict[str, Text]]
    terms: list[DayTerms]


class DayRates(Shape, frozen=True):
    """Rates of costs for the day.

    profile: name of the cost profile, with its stress where that is not 1; `GROSS` takes nothing
        off.
    tariff: the rates; null where costs are `GROSS`.
    funding_rate_e9: what blocked margin costs a year, 10^-9; null likewise.
    """

    profile: Text
    tariff: Tariff | None
    funding_rate_e9: Count | None


@payload_of("day.opened", key=attrgetter("date"), key_text="`date`")
class DayOpened(Shape, frozen=True):
    """A day begins, with all that is needed to replay it on its own.

    date: ISO date (IST).
    configuration: as in `session.opened`.
    configuration_digest: SHA-256 of the configuration's canonical bytes.
    code_version: version of the code that opened the day.
    calendar: hours of the market.
    contracts: lots of the contracts.
    limits: limits of the risk gates as the day begins, by name, the unit in the name
        (`docs/gates.md`); changes made in the session come on top.
    limits_since: ISO date from which the desk's limits hold.
    limits_digest: SHA-256 of the desk's limits in canonical bytes.
    rates: rates of costs.
    history: rows of earlier days that became available since the last day; no source gives any yet,
        so their shape is not fixed.
    state: the engine's complete dump, its own format; `Engine.restore` checks it.
    state_digest: SHA-256 of the dump's canonical bytes.
    """

    date: DateText
    configuration: Opaque
    configuration_digest: Digest
    code_version: Text
    calendar: DayCalendar
    contracts: DayContracts
    limits: dict[str, Positive]
    limits_since: DateText
    limits_digest: Digest
    rates: DayRates
    history: list[Opaque]
    state: Opaque
    state_digest: Digest


class ExactCharges(Shape, frozen=True):
    """Charges before rounding, rupees as decimal text.

    brokerage: what the broker takes.
    stt: securities transaction tax.
    exchange: the exchange's charge, with the investor protection charge.
    sebi: the regulator's fee.
    stamp: stamp duty.
    gst: goods and services tax.
    """

    brokerage: Text
    stt: Text
    exchange: Text
    sebi: Text
    stamp: Text
    gst: Text


class Note(Shape, frozen=True):
    """The contract note of the day.

    exact: charges before rounding.
    billed: charges as billed: each line of the day rounded by its rule, paise.
    """

    exact: ExactCharges
    billed: Fees


@payload_of("day.closed", key=attrgetter("date"), key_text="`date`")
class DayClosed(Shape, frozen=True):
    """The answer to the first tick at or after the market's close.

    date: ISO date (IST).
    state_digest: SHA-256 of the state as the next `day.opened` will find it.
    counts: derived events of the session so far, by kind.
    note: the day's contract note; null for a day without a fill or an exercise, and where costs
        are `GROSS`.
    costs: name of the cost profile, with its stress where that is not 1.
    """

    date: DateText
    state_digest: Digest
    counts: dict[str, Count]
    note: Note | None
    costs: Text


@payload_of("session.ended")
class SessionEnded(Shape, frozen=True):
    """Nothing more will come in.

    reason: why, in words.
    """

    reason: str


@payload_of("session.closed")
class SessionClosed(Shape, frozen=True):
    """The engine's last word: the totals of the session.

    counts: derived events of the session, by kind.
    realised_paise: profit of all archived trades, paise, before charges.
    fees: charges of the session by line, paise; null where costs are `GROSS`.
    funding_paise: what blocked margin has cost, paise; null likewise.
    net_paise: that profit less charges and funding, paise; null likewise.
    costs: name of the cost profile, with its stress where that is not 1.
    """

    counts: dict[str, Count]
    realised_paise: int
    fees: Fees | None
    funding_paise: Count | None
    net_paise: int | None
    costs: Text
