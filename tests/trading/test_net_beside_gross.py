"""What a finished trade made, before and after its charges, on the pages that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from journal.figures import signed_rupees
from journal.log.reader import read_session
from tests.factories import MARRED, TOLD, marred_in_store, marred_log, told_in_store, told_log
from trading.selectors import SignalFilters, SignalRow, signal_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = pytest.mark.django_db
LOGS = {TOLD: told_log, MARRED: marred_log}


@pytest.fixture(scope="module", autouse=True)
def stored() -> Iterator[None]:
    with told_in_store(), marred_in_store():
        yield


@pytest.fixture
def desk(client: Client, viewer: User) -> Client:
    client.force_login(viewer)
    return client


def last_changes(session: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """Return each trade's last change with its seq, from the log itself."""
    return {
        line.body["data"]["trade"]: (line.body["seq"], line.body["data"])
        for line in read_session(LOGS[session]())
        if line.body["kind"] == "position.changed"
    }


def finished(session: str) -> list[SignalRow]:
    rows = signal_page(SignalFilters(session=session, verdict="admitted")).rows
    return [row for row in rows if row.state == "ARCHIVE"]


def test_a_row_has_the_net_of_the_log_which_is_less_than_the_gross() -> None:
    changes = last_changes(MARRED)
    rows = finished(MARRED)
    assert rows
    for row in rows:
        told = changes[row.trade][1]
        assert (row.gross_paise, row.net_paise) == (told["gross_paise"], told["net_paise"])
        assert row.net_paise is not None
        assert row.gross_paise is not None
        assert row.net_paise < row.gross_paise


def test_without_rates_there_is_no_net_and_the_page_says_gross(desk: Client) -> None:
    assert {row.net_paise for row in finished(TOLD)} == {None}
    body = desk.get(f"/signals/?session={TOLD}&verdict=admitted").content.decode()
    assert body.count('<span class="tag tag-gross">GROSS</span>') == len(finished(TOLD))


def test_the_page_shows_net_beside_gross(desk: Client) -> None:
    body = desk.get(f"/signals/?session={MARRED}&verdict=admitted").content.decode()
    assert "GROSS</span>" not in body
    for row in finished(MARRED):
        cells = body.split(f'id="row-{row.seq}"')[1].split("</tr>")[0].split("<td")
        assert signed_rupees(row.gross_paise) in cells[-2]
        assert signed_rupees(row.net_paise) in cells[-1]


def test_why_tells_both_where_the_trade_ends(desk: Client) -> None:
    for seq, told in last_changes(MARRED).values():
        if told["state"] != "ARCHIVE":
            continue
        body = desk.get(f"/why/{MARRED}/{seq}/").content.decode()
        gross, net = signed_rupees(told["gross_paise"]), signed_rupees(told["net_paise"])
        assert f"{gross} gross, {net} net" in body


def test_why_tells_a_gross_profit_alone_where_there_are_no_rates(desk: Client) -> None:
    seq, told = next(item for item in last_changes(TOLD).values() if item[1]["state"] == "ARCHIVE")
    body = desk.get(f"/why/{TOLD}/{seq}/").content.decode()
    assert signed_rupees(told["gross_paise"]) in body
    assert " net<" not in body
