"""The reference page of kinds and their data (`docs/events.md`), made of the payload structs."""

from __future__ import annotations

import inspect
import re
import types
import typing
from typing import Any, Literal, Union

import msgspec

from journal.events import BOOKKEEPING_KINDS, DERIVED_KINDS, INPUT_KINDS, KINDS
from journal.payloads.registry import SCHEMAS, Schema

if typing.TYPE_CHECKING:
    from journal.payloads.shapes import Shape

_FIELD_LINE = re.compile(r"(?P<name>[a-z]\w*): (?P<text>.*)\Z")
_PLAIN = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "null",
    msgspec.UnsetType: "left out",
    Any: "any JSON value",
}
_INTRODUCTION = """# Events: kinds and their data

Generated from the structs in `journal/payloads/` by `make docs`; a test fails when it is stale.

An event is written only when its kind and version are known, `data` has exactly these fields with
exactly these types, and its key is the one named. A log of a newer version stays readable: `log
verify` names what it does not know. Money is integer paise, quantities integer units, times integer
µs UTC. A field that may be null is never left out; one that may be left out says so.
"""


class UndescribedError(Exception):
    """A struct's docstring does not say what its fields are."""


def schema_reference() -> str:
    """Return the page, Markdown."""
    parts: dict[str, type[Shape]] = {}
    schemas = [SCHEMAS[name] for name in sorted(SCHEMAS)]
    kinds = "\n".join(_kind_section(schema, parts) for schema in schemas)
    shown: dict[str, str] = {}
    while waiting := [name for name in parts if name not in shown]:
        for name in waiting:
            shown[name] = _part_section(parts[name], parts)
    nested = "\n".join(shown[name] for name in sorted(shown))
    reserved = ", ".join(f"`{kind}`" for kind in sorted(KINDS - {name for name, _ in SCHEMAS}))
    return (
        f"{_INTRODUCTION}\nReserved, refused until something writes them: {reserved}.\n\n"
        f"{kinds}\n## Parts\n\n{nested}"
    )


def field_texts(shape: type[Shape]) -> tuple[str, dict[str, str]]:
    """Return what a struct's docstring says of it and of each field.

    Raises UndescribedError when a field has no line, or a line no field.
    """
    lead: list[str] = []
    texts: dict[str, str] = {}
    for line in inspect.cleandoc(shape.__doc__ or "").splitlines():
        found = _FIELD_LINE.match(line)
        if found:
            texts[found["name"]] = found["text"]
        elif texts and line.startswith(" "):
            last = next(reversed(texts))
            texts[last] += " " + line.strip()
        elif line:
            lead.append(line)
    if list(texts) != list(shape.__struct_fields__):
        raise UndescribedError(
            f"{shape.__name__}: its docstring tells of {', '.join(texts) or 'nothing'}, "
            f"its fields are {', '.join(shape.__struct_fields__)}"
        )
    return " ".join(lead), texts


def _kind_section(schema: Schema, parts: dict[str, type[Shape]]) -> str:
    lead, table = _described(schema.payload, parts)
    facts = f"{_class_of(schema.kind)}, version {schema.version}, key: {schema.key_text}"
    return f"## {schema.kind}\n\n{lead}\n\n*{facts}.*\n\n{table}"


def _part_section(shape: type[Shape], parts: dict[str, type[Shape]]) -> str:
    lead, table = _described(shape, parts)
    return f"### {shape.__name__}\n\n{lead}\n\n{table}"


def _described(shape: type[Shape], parts: dict[str, type[Shape]]) -> tuple[str, str]:
    lead, texts = field_texts(shape)
    if not texts:
        return lead, "`data` is empty.\n"
    hints = typing.get_type_hints(shape, include_extras=True)
    rows = "".join(
        f"| `{name}` | {_type_text(hints[name], parts)} | {text} |\n"
        for name, text in texts.items()
    )
    return lead, f"| field | type | meaning |\n|---|---|---|\n{rows}"


def _class_of(kind: str) -> str:
    if kind in BOOKKEEPING_KINDS:
        return "Bookkeeping"
    if kind in INPUT_KINDS:
        return "Input"
    return "Derived" if kind in DERIVED_KINDS else "Desk"


def _type_text(hint: Any, parts: dict[str, type[Shape]]) -> str:
    """Say a type in words, noting the structs it is made of."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type_text(arguments[0], parts) + _limit_text(arguments[1])
    if origin in (types.UnionType, Union):
        return " or ".join(_type_text(argument, parts) for argument in arguments)
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is list:
        return f"list of ({_type_text(arguments[0], parts)})"
    if origin is dict:
        return f"map of {_type_text(arguments[1], parts)}"
    parts[hint.__name__] = hint
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


def _limit_text(meta: msgspec.Meta) -> str:
    if meta.pattern is not None:
        return {r"^[0-9a-f]{64}$": ", 64 hexadecimal digits"}.get(meta.pattern, ", YYYY-MM-DD")
    if meta.min_length:
        return ", not empty"
    if meta.gt is not None:
        return " > 0"
    return " ≥ 0" if meta.ge == 0 else ", finite"
