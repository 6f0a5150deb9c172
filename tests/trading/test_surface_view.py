"""The surface page as a browser receives it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_rows import chain_rows, store_rows
from tests.trading.conftest import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

NOON_ADDRESS = "/surface/?underlying=NIFTY&at=2026-02-26T12:00:00&profile=fast"


@pytest.fixture
def desk(client: Client, viewer: User, synthetic_var: Path, settings: Any) -> Client:
    settings.VAR_DIR = synthetic_var
    client.force_login(viewer)
    return client


def body_of(desk: Client, address: str = NOON_ADDRESS) -> str:
    response = desk.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_it_tells_the_fit_and_draws_the_nearest_expiry(desk: Client) -> None:
    body = body_of(desk)
    assert "<h1>Surface</h1>" in body
    for text in ("Smile of 2026-03-02", "Errors of 2026-03-02", "Density of 2026-03-02"):
        assert text in body
    assert "Solve times of 2026-02-26" in body
    assert re.search(r"rung FIRST, Solved", body)
    assert body.count("<svg") == 4
    assert len(re.findall(r'class="plot-(?:mark|point) ', body)) > 60


def test_every_plot_has_its_words_and_a_table(desk: Client) -> None:
    body = body_of(desk)
    for name in ("smile", "errors", "density", "history"):
        assert f'aria-labelledby="{name}-title {name}-summary"' in body
        assert f'id="{name}-title"' in body
        assert re.search(rf'id="{name}-summary"[^>]*>[^<]+<', body)
    for label in ("Expiries", "Quotes", "Quantiles", "Fits of the day"):
        assert f'aria-label="{label}"' in body


def test_another_expiry_is_an_address(desk: Client) -> None:
    body = body_of(desk)
    link = re.search(r'href="(\?[^"]*expiry=2026-03-30[^"]*)"', body)
    assert link is not None
    other = body_of(desk, "/surface/" + link[1].replace("&amp;", "&"))
    assert "Smile of 2026-03-30" in other
    assert 'value="2026-02-26T12:00:00"' in other


def test_neighbouring_snapshots_keep_the_rest_of_the_address(desk: Client) -> None:
    body = body_of(desk, NOON_ADDRESS + "&expiry=2026-03-10")
    later = re.search(r'href="(\?[^"]*)"[^>]*>\s*Later', body)
    assert later is not None
    assert "at=2026-02-26T12%3A00%3A02" in later[1]
    assert "expiry=2026-03-10" in later[1]
    assert "profile=fast" in later[1]


def test_it_is_provenance_to_the_foot(desk: Client) -> None:
    body = body_of(desk)
    assert "SYNTHETIC" in body
    assert "All times IST" in body
    assert re.search(r'surface\s+<span class="hash"\s+title="[0-9a-f]{64}">', body)
    assert "synthetic-market" in body


def test_it_works_without_scripts_and_breaks_no_policy(desk: Client) -> None:
    body = body_of(desk)
    assert '<button type="submit">Show</button>' in body
    assert 'style="' not in body
    assert "<script>" not in body
    assert not re.search(r"\son[a-z]+=", body)


def test_figures_in_drawings_are_plain(desk: Client) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", body_of(desk), re.S))
    for attribute in ("x1", "x2", "y1", "y2", "cx", "cy", "x", "y"):
        for value in re.findall(rf'\s{attribute}="([^"]*)"', drawings):
            assert re.fullmatch(r"-?\d+(\.\d+)?", value), (attribute, value)


def test_it_asks_the_database_for_nothing_of_its_own(
    desk: Client, django_assert_max_num_queries: Any
) -> None:
    body_of(desk)
    # Session and user with roles; the frame has no live session here.
    with django_assert_max_num_queries(4):
        response = desk.get(NOON_ADDRESS)
    assert len(response.content) < 120_000


def test_what_is_typed_comes_back_as_text(desk: Client) -> None:
    body = body_of(desk, "/surface/?at=%3Cb%3E&expiry=%3Cscript%3E&underlying=%22%3E%3Ci%3E")
    assert "<b>" not in body.replace("<b>fired</b>", "")
    assert "<script>" not in body
    assert "Smile of" in body


def test_a_time_without_a_chain_says_why_and_what_to_do(desk: Client) -> None:
    body = body_of(desk, "/surface/?underlying=NIFTY&at=2026-02-26T09:00:00")
    assert "No surface here" in body
    assert "the first of that day came at 09:30:02" in body
    assert "Show the newest chain of NIFTY" in body


def test_an_empty_store_says_how_to_fill_it(client: Client, viewer: User, var_dir: Path) -> None:
    client.force_login(viewer)
    body = body_of(client, "/surface/")
    assert "The market store holds no NIFTY chain." in body
    assert "manage.py market import PATH" in body


def test_a_refused_fit_says_what_each_expiry_lacks(
    client: Client, viewer: User, var_dir: Path
) -> None:
    rows = chain_rows(NOON, strikes_each_side=3)
    store_rows(var_dir / "market", "chain_snapshots", rows, synthetic=False)
    client.force_login(viewer)
    body = body_of(client, "/surface/")
    assert "Refused: NO_EXPIRY" in body
    assert "refused: TOO_FEW_QUOTES" in body
    assert "SYNTHETIC" not in body


def test_only_reading_is_allowed(desk: Client) -> None:
    assert desk.post("/surface/").status_code == 405


def test_the_way_there_is_in_the_navigation(desk: Client) -> None:
    assert re.search(r'<a href="/surface/"\s+data-key="u"\s+aria-current="page"', body_of(desk))
