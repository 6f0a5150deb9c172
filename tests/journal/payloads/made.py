"""Events made up by hypothesis from the payload structs themselves."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal, Union

import msgspec
from hypothesis import strategies as st

from journal.events import BOOKKEEPING_KINDS, Event
from journal.payloads import SCHEMAS, Schema
from journal.payloads.market import COLUMNS, FrameBlock, PrintColumns
from journal.payloads.orders import FILLS, BrokerReport
from journal.payloads.shapes import Fees
from journal.payloads.standing import (
    PortfolioSnapshot,
    PositionSettled,
    SettledLeg,
    Waterfall,
)

SAFE = 2**53 - 1
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
DATES = st.dates().map(lambda day: day.isoformat())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def events_of_every_kind() -> st.SearchStrategy[Event]:
    """Events whose payloads fit."""
    return st.sampled_from(sorted(SCHEMAS)).flatmap(lambda name: _events(SCHEMAS[name]))


def _events(schema: Schema) -> st.SearchStrategy[Event]:
    return values_of(schema.payload).map(lambda data: _event(schema, data))


def _event(schema: Schema, data: dict[str, Any]) -> Event:
    bookkeeping = schema.kind in BOOKKEEPING_KINDS
    payload = msgspec.convert(data, schema.payload)
    key = schema.key(payload) if schema.key is not None else None
    return Event(
        session="s",
        seq=None if bookkeeping else 9,
        ts=1,
        kind=schema.kind,
        data=data,
        cause=() if bookkeeping else (1, 8),
        key=key,
    )


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Plain JSON values that fit a type of a payload."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _limited(arguments[0], arguments[1])
    if origin in (types.UnionType, Union):
        parts = [argument for argument in arguments if argument is not msgspec.UnsetType]
        return st.one_of([values_of(part) for part in parts])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values_of(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(TEXT, values_of(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _objects(hint)
    return {
        int: st.integers(-SAFE, SAFE),
        float: st.floats(-1e300, 1e300),
        str: TEXT,
        bool: st.booleans(),
        type(None): st.none(),
        Any: JSON,
    }[hint]


def _limited(hint: Any, meta: msgspec.Meta) -> st.SearchStrategy[Any]:
    if hint is str and meta.pattern:
        return DIGESTS if "a-f" in meta.pattern else DATES
    if hint is str:
        return TEXT.filter(bool)
    if hint is int:
        return st.integers(0 if meta.gt is None else 1, SAFE)
    return st.floats(1e-9, 1e300) if meta.gt is not None else st.floats(-1e300, 1e300)


def _objects(shape: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    hints = typing.get_type_hints(shape, include_extras=True)
    made = st.fixed_dictionaries(
        {name: values_of(hint) for name, hint in hints.items() if not _may_be_left_out(hint)},
        optional={name: values_of(hint) for name, hint in hints.items() if _may_be_left_out(hint)},
    )
    if shape is FrameBlock:
        return made.map(_even)
    if shape is PrintColumns:
        return made.map(_even_prints)
    if shape is Fees:
        return made.map(_summed)
    if shape is Waterfall:
        return made.map(_falling)
    if shape is PortfolioSnapshot:
        return made.map(_balanced)
    if shape is SettledLeg:
        return made.map(_settled)
    if shape is PositionSettled:
        return made.map(_paid)
    return made.map(_consistent) if shape is BrokerReport else made


def _may_be_left_out(hint: Any) -> bool:
    return msgspec.UnsetType in typing.get_args(hint)


def _even(block: dict[str, Any]) -> dict[str, Any]:
    """Cut or fill the columns of a block to one length."""
    length = len(block["strike_paise"])
    return block | {name: (block[name] + [None] * 3)[:length] for name in COLUMNS}


def _even_prints(block: dict[str, Any]) -> dict[str, Any]:
    shortest = min(len(value) for value in block.values() if isinstance(value, list))
    return {n: v[:shortest] if isinstance(v, list) else v for n, v in block.items()}


def _summed(fees: dict[str, Any]) -> dict[str, Any]:
    """Small enough to have a sum, and the sum."""
    lines = {name: value % 10**12 for name, value in fees.items() if name != "total"}
    return lines | {"total": sum(lines.values())}


def _falling(steps: dict[str, Any]) -> dict[str, Any]:
    """Small enough to have sums, and the sums."""
    gross, slippage = steps["gross_paise"], steps["slippage_paise"] % 10**12
    funding, fees = steps["funding_paise"], steps["fees"]
    gross = None if gross is None else gross % 10**12
    funding = None if funding is None else funding % 10**12
    net = None
    if gross is not None and fees is not None:
        net = gross - fees["total"] - (funding or 0)
    return steps | {
        "gross_paise": gross,
        "slippage_paise": slippage,
        "expected_paise": None if gross is None else gross + slippage,
        "funding_paise": funding,
        "net_paise": net,
    }


def _balanced(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Cash and value small enough to have a sum, and the sum."""
    cash, value = snapshot["cash_paise"] % 10**12, snapshot["value_paise"]
    value = None if value is None else value % 10**12
    equity = None if value is None else cash + value
    return snapshot | {"cash_paise": cash, "value_paise": value, "equity_paise": equity}


def _settled(leg: dict[str, Any]) -> dict[str, Any]:
    """Small enough to have a value, the value, and the outcome that it is."""
    quantity, intrinsic = 1 + leg["quantity"] % 10**5, leg["intrinsic_paise"] % 10**7
    paid = "EXERCISED" if leg["side"] == "BUY" else "ASSIGNED"
    return leg | {
        "quantity": quantity,
        "intrinsic_paise": intrinsic,
        "value_paise": quantity * intrinsic,
        "outcome": paid if intrinsic else "LAPSED",
    }


def _paid(settled: dict[str, Any]) -> dict[str, Any]:
    """The cash of the legs."""
    signs = {"BUY": 1, "SELL": -1}
    cash = sum(signs[leg["side"]] * leg["value_paise"] for leg in settled["legs"])
    return settled | {"cash_paise": cash}


def _consistent(report: dict[str, Any]) -> dict[str, Any]:
    fill = report["status"] in FILLS
    return report | {
        "quantity": max(1, report["quantity"]) if fill else 0,
        "filled": report["filled"] + max(1, report["quantity"]) if fill else report["filled"],
        "price_paise": (report["price_paise"] or 5) if fill else None,
        "price_basis": (report["price_basis"] or "MODELLED") if fill else None,
        "charges_reason": "GROSS" if report["charges_paise"] is None else None,
    }
