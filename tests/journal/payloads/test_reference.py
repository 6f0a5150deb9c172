"""The page of kinds is the structs': complete, and the one in the repository is the current one."""

from __future__ import annotations

import pytest

from brahmastra_site.launcher.environment import REPOSITORY
from journal.payloads import SCHEMAS
from journal.payloads.reference import UndescribedError, field_texts, schema_reference
from journal.payloads.shapes import Shape, Text


def test_the_page_in_the_repository_is_the_current_one() -> None:
    stored = (REPOSITORY / "docs" / "events.md").read_text()
    assert stored == schema_reference(), "run `make docs`"


def test_every_kind_and_every_field_is_on_the_page() -> None:
    page = schema_reference()
    for (kind, version), schema in SCHEMAS.items():
        section = page.split(f"\n## {kind}\n")[1].split("\n## ")[0]
        assert f"version {version}, key: {schema.key_text}." in section
        for field in schema.payload.__struct_fields__:
            assert f"\n| `{field}` | " in section
    for part in ("FrameBlock", "Condition", "Gate", "PositionLeg", "Contract", "PreviousFile"):
        assert f"\n### {part}\n" in page
        assert f"(#{part.lower()})" in page


def test_a_field_without_a_line_in_the_docstring_is_refused() -> None:
    class Half(Shape, frozen=True):
        """Half told.

        first: the first,
            on two lines.
        """

        first: Text
        second: Text

    with pytest.raises(UndescribedError, match="Half: its docstring tells of first, its fields"):
        field_texts(Half)


def test_a_docstring_gives_a_lead_and_a_text_for_each_field() -> None:
    class Whole(Shape, frozen=True):
        """All
        told.

        first: the first,
            on two lines.
        """

        first: Text

    assert field_texts(Whole) == ("All told.", {"first": "the first, on two lines."})
