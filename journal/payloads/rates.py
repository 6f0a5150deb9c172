"""What trading costs on a day, as it was in force."""

from __future__ import annotations

from journal.payloads.shapes import Count, DateText, Shape, Text


class Rate(Shape, frozen=True):
    """One rate in force on the day.

    charge: what it is, such as `STT`.
    levied_by: who takes it.
    instrument: `OPTION` or `FUTURE`.
    side: whose side of a trade or an exercise pays it.
    base: what it is taken of.
    first: ISO date from which it is in force.
    last: last ISO date; null where the end is not known.
    rate_e9: 10^-9 of its base; of a paisa for each order where the base is `ORDER`.
    status: how sure the figure is, in the table's words.
    source: where it comes from.
    """

    charge: Text
    levied_by: Text
    instrument: Text
    side: Text
    base: Text
    first: DateText
    last: DateText | None
    rate_e9: Count
    status: Text
    source: Text


class Tariff(Shape, frozen=True):
    """What a broker takes on the day and what is levied of what goes through it.

    broker: name of the broker.
    gst_on_investor_protection: whether it takes GST on the investor protection charge.
    rounding_status: how sure it is that its contract notes round as ours do.
    rounding_source: where that comes from.
    exchanges: the underlyings it answers for, by exchange.
    own: its own rates.
    levies: what exchange and government take.
    """

    broker: Text
    gst_on_investor_protection: bool
    rounding_status: Text
    rounding_source: Text
    exchanges: dict[str, list[Text]]
    own: list[Rate]
    levies: list[Rate]
