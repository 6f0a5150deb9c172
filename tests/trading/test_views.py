"""The signals page and Why, as a browser receives them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.factories import TOLD, seqs_by_kind, told_in_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from django.test import Client

HTMX = {"HX-Request": "true"}


@pytest.fixture(scope="module", autouse=True)
def told() -> Iterator[str]:
    with told_in_store() as name:
        yield name


@pytest.fixture
def desk(client: Client, viewer: User) -> Client:
    client.force_login(viewer)
    return client


def row_seqs(body: str) -> list[str]:
    return re.findall(r'<tr id="row-(\d+)"', body)


def test_the_list_costs_few_queries(desk: Client, django_assert_max_num_queries: object) -> None:
    # Session, user with roles, sessions in the store, signals with gates and trades, mirror.
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        response = desk.get("/signals/")
    assert len(response.content) < 60_000


def test_fragments_cost_fewer(desk: Client, django_assert_max_num_queries: object) -> None:
    seq = seqs_by_kind("signal.emitted")[-1][0]
    with django_assert_max_num_queries(3):  # type: ignore[operator]
        desk.get(f"/signals/{TOLD}/{seq}/", headers=HTMX)


def test_a_copied_address_shows_the_same_rows(desk: Client, operator: User) -> None:
    from django.test import Client

    address = f"/signals/?session={TOLD}&fired=yes&underlying=NIFTY"
    elsewhere = Client()
    elsewhere.force_login(operator)
    rows = row_seqs(desk.get(address).content.decode())
    assert rows
    assert row_seqs(elsewhere.get(address).content.decode()) == rows


def test_htmx_gets_the_rows_and_the_panel_is_emptied(desk: Client) -> None:
    body = desk.get(f"/signals/?session={TOLD}&fired=yes", headers=HTMX).content.decode()
    assert "<html" not in body
    assert body.strip().startswith('<div id="rows"')
    assert '<div id="why" hx-swap-oob="innerHTML"></div>' in body


def test_going_back_gets_the_page_again(desk: Client) -> None:
    headers = {**HTMX, "HX-History-Restore-Request": "true"}
    assert "<html" in desk.get(f"/signals/?session={TOLD}", headers=headers).content.decode()


def test_caches_tell_pages_from_fragments(desk: Client) -> None:
    assert "HX-Request" in desk.get("/signals/").headers["Vary"]


def test_row_links_keep_the_filters(desk: Client) -> None:
    body = desk.get(f"/signals/?session={TOLD}&verdict=refused").content.decode()
    assert re.search(rf'href="/signals/{TOLD}/\d+/\?session={TOLD}&amp;verdict=refused"', body)


def test_times_are_ist_with_utc_beside_them(desk: Client) -> None:
    body = desk.get("/signals/").content.decode()
    shown = re.search(
        r'<time datetime="2026-02-26T(\d\d):(\d\d):[\d.]+Z"[^>]*>(\d\d):(\d\d):', body
    )
    assert shown is not None
    utc, ist = int(shown[1]) * 60 + int(shown[2]), int(shown[3]) * 60 + int(shown[4])
    assert ist - utc == 330
    assert "All times IST" in body


def test_synthetic_and_gross_are_said(desk: Client) -> None:
    body = desk.get(f"/signals/?session={TOLD}&verdict=admitted").content.decode()
    assert 'class="synthetic"' in body
    assert "SYNTHETIC" in body
    assert "GROSS" in body


def test_an_empty_answer_says_why_and_what_to_do(desk: Client) -> None:
    body = desk.get(f"/signals/?session={TOLD}&strategy=S1").content.decode()
    assert "No signals here" in body
    assert "Show all of this session" in body


@pytest.mark.parametrize(
    "address", ["/signals/?session=never", "/signals/never/1/", f"/why/{TOLD}/99999999/"]
)
def test_what_is_not_there_is_a_404(desk: Client, address: str) -> None:
    assert desk.get(address).status_code == 404


# --- Why ------------------------------------------------------------------------------------------


def stages(body: str) -> list[str]:
    return re.findall(r'data-stage="([^"]+)"', body)


def test_why_of_a_traded_signal_goes_from_data_to_outcome(desk: Client) -> None:
    admitted = next(seq for seq, data in seqs_by_kind("gate.decided") if data["verdict"] == "pass")
    body = desk.get(f"/why/{TOLD}/{admitted}/").content.decode()
    told = list(dict.fromkeys(stages(body)))
    wanted = [
        "DATA",
        "FEATURES",
        "CONDITIONS",
        "SIGNAL",
        "GATES",
        "ORDER",
        "SUBMITTED",
        "REPORT",
        "POSITION",
        "OUTCOME",
    ]
    assert [stage for stage in told if stage in wanted] == wanted
    assert "GROSS" in body


def test_why_not_names_the_smallest_change(desk: Client) -> None:
    seq = next(
        seq
        for seq, data in seqs_by_kind("signal.emitted")
        if str(data["reason"]).startswith("abs_z_score")
    )
    body = desk.get(f"/signals/{TOLD}/{seq}/", headers=HTMX).content.decode()
    assert "<html" not in body
    assert "WHY NOT" in body
    assert "did not fire" in body
    assert "≥ 1.5 was needed" in body


def test_why_of_a_refusal_names_the_gate_and_its_numbers(desk: Client) -> None:
    seq, data = next(
        (seq, data) for seq, data in seqs_by_kind("gate.decided") if data["verdict"] == "block"
    )
    body = desk.get(f"/why/{TOLD}/{seq}/").content.decode()
    assert "refused, blocked by gate 2 session window" in body
    gate = next(gate for gate in data["gates"] if gate["number"] == 2)
    clock = f"{gate['value'] // 3600:02d}:{gate['value'] // 60 % 60:02d}:{gate['value'] % 60:02d}"
    assert f"{clock} IST" in body
    assert "10:00:00 IST" in body


def test_the_panel_stands_beside_the_list_at_its_own_address(desk: Client) -> None:
    seq = seqs_by_kind("signal.emitted")[-1][0]
    body = desk.get(f"/signals/{TOLD}/{seq}/?fired=no").content.decode()
    assert row_seqs(body)
    assert f'data-row="{seq}"' in body
    assert '<option value="no" selected>' in body


def test_every_kind_of_event_can_be_asked_about(desk: Client) -> None:
    from journal.events import DERIVED_KINDS, INPUT_KINDS

    asked = 0
    for kind in sorted(INPUT_KINDS | DERIVED_KINDS):
        for seq, _ in seqs_by_kind(kind)[:1]:
            assert desk.get(f"/why/{TOLD}/{seq}/").status_code == 200, kind
            assert desk.get(f"/journal/{TOLD}/{seq}/").status_code == 200, kind
            asked += 1
    assert asked >= 14


def test_the_raw_event_says_where_it_lies(desk: Client) -> None:
    seq = seqs_by_kind("signal.emitted")[0][0]
    body = desk.get(f"/journal/{TOLD}/{seq}/", headers=HTMX).content.decode()
    assert "<html" not in body
    assert re.search(r"2026-02-26\.jsonl:\d+ ", body)
    assert "its bytes hash to this hash" in body
