"""The risk page and the figures in force, as a browser receives them."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from journal.kill_file import kill_file
from journal.log.reader import read_session
from journal.secrets import read_or_create_secret
from journal.spool import read_command, waiting_commands
from tests.factories import GOVERNED, governed_in_store, governed_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from django.contrib.auth.models import User
    from django.test import Client

    from journal.events import Event

HTMX = {"HX-Request": "true"}
PAGE = f"/risk/?session={GOVERNED}"


@pytest.fixture(scope="module", autouse=True)
def governed() -> Iterator[str]:
    with governed_in_store() as name:
        yield name


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def events(kind: str) -> list[Event]:
    return [
        event for line in read_session(governed_log()) if (event := line.to_event()).kind == kind
    ]


def body(client: Client, address: str = PAGE, **headers: Any) -> str:
    response = client.get(address, **headers)
    assert response.status_code == 200
    return response.content.decode()


def rows_of(page: str) -> list[str]:
    """The rows of the tables, each as its words."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    return [unescape(" ".join(re.sub(r"<[^>]+>", " ", each).split())) for each in rows]


def row(page: str, words: str) -> str:
    """The row that begins with some words."""
    return next(each for each in rows_of(page) if each.startswith(words))


def test_it_costs_few_queries(desk: Client, django_assert_max_num_queries: Any) -> None:
    # Session, user with roles, mirror, parity; sessions, days, changes, snapshot, minutes, end,
    # blocks, the first features.
    with django_assert_max_num_queries(13):
        response = desk.get(PAGE)
    assert len(response.content) < 120_000


def test_switches_stand_as_the_log_says(desk: Client) -> None:
    page = body(desk)
    assert row(page, "kill switch closed").startswith("kill switch closed")
    assert "asha, approved by ravi" in row(page, "kill switch closed")
    stopped = row(page, "kill switch S4")
    assert "open and keeps what is held" in stopped
    assert "reason 5" in stopped
    for name in ("consecutive losses", "daily drawdown", "gate failure"):
        assert row(page, f"breaker {name}").startswith(f"breaker {name} closed")
    assert row(page, "strategy S4").startswith("strategy S4 enabled")


def test_every_gate_has_its_line_with_the_minutes_it_stopped(desk: Client) -> None:
    page = body(desk)
    snapshots = events("portfolio.snapshot")
    for number in range(1, 21):
        stopped = sum(
            any(
                gate["number"] == number and gate["verdict"] in {"block", "queued"}
                for gate in snapshot.data["gates"]
            )
            for snapshot in snapshots
            if snapshot.data["gates"]
        )
        said = re.search(rf'aria-label="gate {number}: stopped (\d+) of (\d+) minutes"', page)
        assert said is not None
        assert int(said[1]) == stopped
        assert int(said[2]) == sum(bool(snapshot.data["gates"]) for snapshot in snapshots)


def test_blocks_are_counted_and_lead_to_why(desk: Client) -> None:
    decided = [event for event in events("gate.decided") if event.data["decided_by"] == 1]
    assert decided
    page = body(desk)
    line = next(
        each for each in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
        if f"/why/{GOVERNED}/{decided[-1].seq}/" in each
    )  # fmt: skip
    words = " ".join(re.sub(r"<[^>]+>", " ", line).split())
    assert words.startswith(f"1 kill switch {len(decided)} {len(decided)}")
    assert "set by asha: reason 5" in words
    assert desk.get(f"/why/{GOVERNED}/{decided[-1].seq}/").status_code == 200


def test_changes_of_limits_say_who_when_and_why(desk: Client) -> None:
    changes = rows_of(body(desk).partition('aria-label="Changes"')[2])
    (said,) = [each for each in changes if "order_lots" in each]
    assert "order_lots 50 40 asha reason 1" in said


def test_what_waits_may_be_approved_by_another(
    client: Client, operator: User, compliance: User, viewer: User
) -> None:
    for person, offered in ((operator, True), (compliance, True), (viewer, False)):
        client.force_login(person)
        page = body(client)
        assert "messages_per_second 5 → 7" in page
        assert ("Approve" in page) is offered


def test_nobody_approves_what_they_asked_for(client: Client, operator: User) -> None:
    operator.username = "asha"
    operator.save()
    client.force_login(operator)
    page = body(client)
    assert "another person approves" in page
    assert 'value="approve"' not in page


def test_synthetic_is_said(desk: Client) -> None:
    assert "SYNTHETIC" in body(desk).partition('id="page"')[2]
    assert (
        "SYNTHETIC" in body(desk, f"/risk/in-force/?session={GOVERNED}").partition('id="page"')[2]
    )


def test_a_viewer_sees_and_cannot_act(client: Client, viewer: User, var_dir: Path) -> None:
    client.force_login(viewer)
    page = body(client).partition('id="page"')[2]
    assert '<form method="post"' not in page
    answer = client.post("/risk/tell/", tell("rearm", "kill switch S4"))
    assert answer.status_code == 403


def tell(command: str, subject: str, **more: object) -> dict[str, object]:
    return {"session": GOVERNED, "command": command, "subject": subject, "reason": "seen", **more}


@pytest.fixture
def spooled(desk: Client) -> Iterator[Any]:
    """What waits in the session's spool after a test's commands; removed at its end."""
    from django.conf import settings

    def waiting() -> list[Any]:
        key = read_or_create_secret(settings.VAR_DIR / "secrets" / "spool.key")
        paths = waiting_commands(var_dir=settings.VAR_DIR, session=GOVERNED)
        return [read_command(path, key=key) for path in paths]

    yield waiting
    for path in waiting_commands(var_dir=settings.VAR_DIR, session=GOVERNED):
        path.unlink()


@pytest.mark.parametrize(
    ("command", "subject", "more", "arguments"),
    [
        ("rearm", "kill switch S4", {}, {"breaker": "kill switch S4"}),
        ("disable", "S4", {}, {"strategy": "S4"}),
        ("enable", "S4", {}, {"strategy": "S4"}),
        ("approve", "6d1f3c52-8a0e-4b7e-9d5b-0c9a4f2e7b11", {}, None),
        ("limit", "order_lots", {"value": "30"}, {"name": "order_lots", "value": 30}),
    ],
)
def test_what_is_told_is_in_the_spool(
    desk: Client,
    spooled: Any,
    command: str,
    subject: str,
    more: dict[str, str],
    arguments: dict[str, object] | None,
) -> None:
    answer = desk.post("/risk/tell/", tell(command, subject, **more))
    assert answer.headers["Location"] == PAGE
    (told,) = spooled()
    assert (told.command, told.actor, told.reason) == (command, "operator", "seen")
    assert told.arguments == (arguments or {"request": subject})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (tell("rearm", "kill switch") | {"reason": " "}, "A reason is required"),
        (tell("kill", "all"), "command: "),
        (tell("limit", "order_lots", value="many"), "value: "),
        (tell("rearm", "kill switch") | {"session": "nowhere"}, "Not told: "),
        (tell("rearm", "kill switch") | {"session": "../x"}, "Not told: "),
    ],
)
def test_what_is_not_understood_tells_nothing(
    desk: Client, spooled: Any, form: dict[str, object], words: str
) -> None:
    answer = desk.post("/risk/tell/", form, follow=True)
    assert words in answer.content.decode()
    assert spooled() == []


def test_compliance_approves_and_asks_for_nothing(
    client: Client, compliance: User, spooled: Any
) -> None:
    client.force_login(compliance)
    assert client.post("/risk/tell/", tell("rearm", "kill switch S4")).status_code == 403
    assert spooled() == []
    assert client.post("/risk/tell/", tell("approve", str(uuid4()))).status_code == 302
    assert len(spooled()) == 1


def test_a_strategy_is_stopped_from_the_page(desk: Client, spooled: Any) -> None:
    from django.conf import settings

    form = {"strategy": "S4", "reason": "odd fills", "command_id": str(uuid4())}
    try:
        assert desk.post("/stop/", form).status_code == 302
        assert "The file KILL says S4 STOPPED" in body(desk)
    finally:
        kill_file(settings.VAR_DIR).unlink()
    (told,) = spooled()
    assert (told.command, told.arguments) == ("kill", {"strategy": "S4"})


@pytest.mark.parametrize("address", ["/risk/?session=no", f"{PAGE}&day=2020-01-01",
                                     "/risk/in-force/?session=no"])  # fmt: skip
def test_what_is_not_there_is_not_found(desk: Client, address: str) -> None:
    assert desk.get(address).status_code == 404


def test_htmx_gets_the_figures_alone(desk: Client) -> None:
    for address in (PAGE, f"/risk/in-force/?session={GOVERNED}"):
        fragment = body(desk, address, headers=HTMX)
        assert "<html" not in fragment
        assert fragment.strip().startswith('<div id="rows"')


# --- in force at an instant -----------------------------------------------------------------------


def in_force(client: Client, at: str = "") -> str:
    return body(client, f"/risk/in-force/?session={GOVERNED}&at={at}")


def test_before_and_after_a_change(desk: Client) -> None:
    (change,) = [each for each in events("limits.changed") if each.data["what"] == "order_lots"]
    before, at = ist(change.ts - 1_000_000), ist(change.ts)
    assert row(in_force(desk, before), "order lots").startswith("order lots 50 the desk's limits")
    later = row(in_force(desk, at), "order lots")
    assert later.startswith("order lots 40, opened with 50")
    assert later.endswith("asha: reason 1")
    assert f"/why/{GOVERNED}/{change.seq}/" in in_force(desk, at)
    assert row(in_force(desk), "order lots") == later


def ist(ts: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime.fromtimestamp(ts // 1_000_000, UTC) + timedelta(hours=5, minutes=30)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def test_every_limit_rate_and_lot_of_the_opening_is_there_with_its_source(desk: Client) -> None:
    (opened,) = events("day.opened")
    page = in_force(desk)
    rows = re.findall(r"<tr>\s*<td", page)
    tariff = opened.data["rates"]["tariff"]
    lots = opened.data["contracts"]["lot_sizes"]
    expected = len(opened.data["limits"]) + 2 + sum(len(each) + 3 for each in lots.values())
    expected += 1 + len(tariff["own"]) + len(tariff["levies"])
    assert len(rows) == expected
    for rate in tariff["levies"]:
        assert rate["first"] in page
    assert "ZERODHA" in page
    assert "Market-wide halts" in page
    assert "not counted from the index" in page  # of a feed made up without a close


def test_unconfirmed_figures_are_marked(desk: Client) -> None:
    (opened,) = events("day.opened")
    statuses = [
        status
        for each in opened.data["contracts"]["lot_statuses"].values()
        for status in each.values()
    ]
    tariff = opened.data["rates"]["tariff"]
    statuses += [each["freeze_status"] for each in opened.data["contracts"]["terms"]]
    statuses += [rate["status"] for rate in (*tariff["own"], *tariff["levies"])]
    statuses += [tariff["rounding_status"], opened.data["calendar"]["status"]]
    assert in_force(desk).count("tag-unconfirmed") == statuses.count("UNCONFIRMED")


def test_before_the_first_day_nothing_was_known(desk: Client) -> None:
    assert "Nothing was in force yet" in in_force(desk, "2020-01-01T00:00")


@pytest.mark.parametrize("at", ["noon", "2026-13-01T00:00", "9" * 60])
def test_an_instant_that_is_none_says_so(desk: Client, at: str) -> None:
    page = in_force(desk, at)
    assert "is no instant, expected one as 2026-02-26T12:00 (IST)" in page
    assert "order lots" in page


RECONCILIATION = f"/risk/reconciliation/?session={GOVERNED}"


def test_comparisons_stand_side_by_side_and_lead_to_why(desk: Client) -> None:
    (compared,) = events("book.reconciled")
    page = body(desk, RECONCILIATION)
    assert f'/why/{GOVERNED}/{compared.seq}/"' in page
    assert f"{GOVERNED}.{compared.seq} ASKED, asha: reason 7" in unescape(page)
    assert "no open difference" in page
    shown = [each for each in rows_of(page) if each.endswith("AGREES")]
    assert len(shown) == len(compared.data["orders"]) + len(compared.data["positions"])
    for each in compared.data["positions"]:
        units = f"{each['broker_units']} units {each['book_units']} units AGREES"
        assert any(units in line for line in shown)


def test_comparisons_are_filtered_by_the_address(desk: Client) -> None:
    page = body(desk, f"{RECONCILIATION}&only=differences", headers=HTMX)
    assert "<html" not in page
    assert "Nothing blocked entries" in page
    assert desk.get(f"{RECONCILIATION}&day=1999-01-01").status_code == 404
    assert desk.get("/risk/reconciliation/?session=nobody").status_code == 404


def test_comparisons_are_for_who_signed_in(client: Client) -> None:
    assert client.get(RECONCILIATION).status_code == 302
