"""The market pages, as a browser receives them."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.market_rows import at, chain_rows, store_rows
from tests.trading.market.conftest import WriteFile, snapshot, write_file
from trading.market.figures import UNCONFIRMED as UNCONFIRMED_STATUS
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.market.uncertain import uncertain_figures

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

__all__ = ["write_file"]

HTMX = {"HX-Request": "true"}
TABS = ("", "coverage/", "rejections/", "files/")
EVERY_TAB = (*TABS, "figures/", "uncertain/")
LINE = "chain_snapshots.NIFTY.intraday"
FRIDAY = date(2026, 2, 20)


@pytest.fixture
def desk(client: Client, viewer: User) -> Client:
    client.force_login(viewer)
    return client


@pytest.fixture
def root(var_dir: Path) -> Path:
    """The store of this test's `VAR_DIR`: NIFTY recorded, BANKNIFTY made up."""
    root = var_dir / "market"
    store_rows(root, "chain_snapshots", chain_rows(at(FRIDAY, "10:00")))
    later = chain_rows(at(date(2026, 2, 25), "10:00"))
    store_rows(root, "chain_snapshots", later, name="later")
    made_up = chain_rows(at(FRIDAY, "10:00"), underlying="BANKNIFTY")
    store_rows(root, "chain_snapshots", made_up, name="made-up", synthetic=True)
    return root


def get(desk: Client, address: str, **headers: str) -> str:
    response = desk.get(f"/market/{address}", headers=headers or None)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.usefixtures("var_dir")
@pytest.mark.parametrize("tab", TABS)
def test_an_empty_store_says_why_and_what_to_do(desk: Client, tab: str) -> None:
    body = get(desk, tab)
    assert "No market data yet" in body
    assert "manage.py market import PATH" in body


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("tab", EVERY_TAB)
def test_pages_cost_few_queries_and_htmx_gets_the_rows(
    desk: Client, tab: str, django_assert_max_num_queries: object
) -> None:
    # Session, user with roles, mirror.
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        body = get(desk, tab)
    assert '<a href="/market/"' in body
    assert 'aria-current="page">Market</a>' in body
    part = get(desk, tab, **HTMX)
    assert "<html" not in part
    assert part.strip().startswith('<div id="rows"')
    assert "HX-Request" in desk.get(f"/market/{tab}").headers["Vary"]


@pytest.mark.usefixtures("root")
def test_what_is_held_says_its_days_and_how_far_behind(desk: Client) -> None:
    body = get(desk, "")
    row = re.search(r'<tr id="row-chain_snapshots".*?</tr>', body, re.DOTALL)
    assert row is not None
    assert "2026-02-20" in row[0]
    assert "2026-02-25" in row[0]
    assert "market days behind" in row[0]
    assert "2 days" in row[0]  # 23 and 24 February, no weekend
    assert "PARTLY SYNTHETIC" in row[0]
    assert f"/market/coverage/?line={LINE}" in row[0]


@pytest.mark.usefixtures("root")
def test_coverage_marks_days_and_lists_gaps_on_market_days(desk: Client) -> None:
    body = get(desk, f"coverage/?line={LINE}&from=2026-02-16&to=2026-02-28")
    levels = re.findall(r'data-level="([a-z ]+)"\s+title="2026-02-(\d\d)', body)
    assert ("partial", "20") in levels
    assert ("none", "23") in levels
    assert "21" not in {day for _, day in levels}  # a Saturday
    assert re.search(r"<td>2026-02-23</td>\s*<td>2026-02-24</td>", body)
    assert "09:15–10:00, 10:15–15:30" in body
    assert 'value="2026-02-16"' in body
    assert f'<option value="{LINE}" selected>' in body
    assert "tag-synthetic" not in body


@pytest.mark.usefixtures("root")
def test_the_synthetic_line_is_marked(desk: Client) -> None:
    body = get(desk, "coverage/?line=chain_snapshots.BANKNIFTY.intraday")
    assert 'class="days synthetic"' in body
    assert "tag-synthetic" in body
    rows = re.findall(r'<tr class="synthetic">.*?</tr>', get(desk, "files/"), re.DOTALL)
    assert len(rows) == 1
    assert "made-up" in rows[0]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("coverage/?from=soon", "from: &#x27;soon&#x27; is not a date, expected YYYY-MM-DD."),
        ("coverage/?to=2026-02-30", "to: &#x27;2026-02-30&#x27; is not a date"),
        ("coverage/?from=2026-02-02&to=2026-02-01", "to: 2026-02-01 is before 2026-02-02"),
        ("coverage/?line=gold", "line: the store holds nothing of gold"),
        ("rejections/?skip=-1", "skip: &#x27;-1&#x27; is not a number of rows"),
        ("files/?skip=9999999999", "skip: &#x27;9999999999&#x27; is not a number of rows"),
        ("figures/?day=soon", "day: &#x27;soon&#x27; is not a date"),
        ("figures/?day=2030-01-01", "the trading calendar goes from 2012-01-01 to"),
        ("figures/?known=later", "known: &#x27;later&#x27; is not known, expected then."),
        ("uncertain/?status=SURE", "status: &#x27;SURE&#x27; is not known, expected UNCONFIRMED"),
    ],
)
def test_a_bad_parameter_is_one_clear_line_and_left_out(
    desk: Client, address: str, said: str
) -> None:
    body = get(desk, address)
    assert said in body
    assert body.count('role="alert"') == 1
    assert "It was left out." in body


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "address",
    [
        f"coverage/?line={LINE}&from=0001-01-01&to=0001-01-02",
        f"coverage/?line={LINE}&from=9999-12-30&to=9999-12-31",
        f"coverage/?line={LINE}&from=9999-12-31",
        f"coverage/?line={LINE}&to=0001-01-01",
        "rejections/?reason=%00&file=%27%3B--&skip=999999999",
        "files/?source=nobody",
        "files/?skip=500",
    ],
)
def test_far_values_are_answered(desk: Client, address: str) -> None:
    assert 'role="alert"' not in get(desk, address)


UNCONFIRMED = '<span class="tag tag-unconfirmed">UNCONFIRMED</span>'


@pytest.mark.usefixtures("var_dir")
def test_what_nobody_confirmed_is_marked_beside_its_value(desk: Client) -> None:
    body = get(desk, "figures/?day=2026-11-26")
    assert re.search(rf"1,800 units\s*{UNCONFIRMED}", body)
    assert re.search(r'50\.00\s*<span class="quiet">confirmed</span>', body)
    marked = body.count(UNCONFIRMED)
    assert marked > 2
    assert f"{marked} of these figures unconfirmed" in body
    assert 'value="2026-11-26"' in body
    assert "as known today" in body


@pytest.mark.usefixtures("var_dir")
def test_figures_as_they_were_known_when_the_day_began(desk: Client) -> None:
    body = get(desk, "figures/?day=2024-11-01&known=then")
    assert "as known <time" in body
    assert '<option value="then" selected>' in body
    assert "yes: Muhurat" in body


@pytest.mark.usefixtures("var_dir")
def test_every_uncertain_figure_is_listed(desk: Client) -> None:
    for status in (UNCONFIRMED_STATUS, "INFERRED", "SINGLE_SOURCE"):
        figures = uncertain_figures([status])
        body = get(desk, f"uncertain/?status={status}")
        assert f"{len(figures)} figures" in body
        assert body.count("<tr>") == len(figures) + 1
    assert get(desk, "uncertain/").count(UNCONFIRMED) == len(uncertain_figures())


def test_a_damaged_catalogue_is_one_line(desk: Client, root: Path) -> None:
    (root / "catalogue.json").write_text("{")
    for tab in TABS:
        body = get(desk, tab)
        assert body.count('role="alert"') == 1
        assert "catalogue.json: unreadable market catalogue" in body


def test_refused_rows_are_shown_as_they_were(
    desk: Client, var_dir: Path, write_file: WriteFile
) -> None:
    root = var_dir / "market"
    rows = [*snapshot(), *(row for _ in range(15) for row in snapshot(Symbol="<b>SENSEX"))]
    market_import(root=root, paths=[write_file("a.parquet", rows)], now_us=at(FRIDAY, "08:00"))
    body = get(desk, "rejections/")
    assert body.count("UNKNOWN_UNDERLYING</span>") == 50
    assert "50 of 60 refused rows shown" in body
    assert "&lt;b&gt;SENSEX" in body
    (digest,) = (made.source.digest for made in MarketStore(root).catalogue().imports)
    older = re.search(r'id="older"\s+href="([^"]+)"', get(desk, f"rejections/?file={digest}"))
    assert older is not None
    last = get(desk, "rejections/" + older[1].replace("&amp;", "&"))
    assert "10 of 60 refused rows shown, after the first 50" in last
    assert f'<option value="{digest}" selected>' in last
    assert "Show every refused row" in get(desk, "rejections/?reason=NEVER")
    (stored,) = (root / "rejected").iterdir()
    stored.write_bytes(b"PAR1")
    assert stored.name in get(desk, "rejections/")
    files = get(desk, "files/")
    assert f'href="/market/rejections/?file={digest}">60</a>' in files
    assert "2026-02-20 08:00:00" in files
