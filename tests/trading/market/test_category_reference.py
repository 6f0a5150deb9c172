"""docs/market.md says what the categories say."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from brahmastra_site.launcher.environment import REPOSITORY
from trading.market.categories import CATEGORIES, Category, columns_of
from trading.market.category_reference import category_reference


def test_the_page_is_not_stale() -> None:
    stored = (REPOSITORY / "docs" / "market.md").read_text()
    assert stored == category_reference(), "run `make docs`"


def test_the_command_writes_it() -> None:
    out = StringIO()
    call_command("market", "schema", stdout=out)
    assert out.getvalue() == category_reference()


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_every_category_is_described_column_by_column(category: Category) -> None:
    text = category_reference()
    assert f"## {category.title} (`{category.name}`)" in text
    assert category.description in text
    assert set(category.key) <= set(columns_of(category.name))
    for name in columns_of(category.name):
        assert f"| `{name}` |" in text
