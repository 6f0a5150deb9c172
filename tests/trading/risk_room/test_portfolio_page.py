"""The page of the portfolio: its figures against the logs they come from, and as it is served."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest

from journal.figures import count, rupees, signed_rupees
from journal.log.reader import read_session
from journal.selectors import UnknownEventError
from tests.factories import (
    GOVERNED,
    MARRED,
    TOLD,
    governed_in_store,
    governed_log,
    marred_in_store,
    marred_log,
    told_in_store,
    told_log,
)
from trading.risk_room import portfolio_selectors
from trading.risk_room.portfolio_selectors import portfolio_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from django.contrib.auth.models import User
    from django.test import Client

    from journal.events import Event

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
LOGS = {TOLD: told_log, GOVERNED: governed_log, MARRED: marred_log}


@pytest.fixture(scope="module", autouse=True)
def stored() -> Iterator[None]:
    with told_in_store(), governed_in_store(), marred_in_store():
        yield


@pytest.fixture
def desk(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


def events(session: str) -> list[Event]:
    return [line.to_event() for line in read_session(LOGS[session]()) if line.body["seq"]]


def marks(session: str) -> list[Event]:
    return [event for event in events(session) if event.kind == "portfolio.snapshot"]


def body(client: Client, session: str = GOVERNED, query: str = "", **headers: Any) -> str:
    response = client.get(f"/risk/portfolio/?session={session}{query}", **headers)
    assert response.status_code == 200
    return response.content.decode()


def rows_of(page: str, region: str) -> list[str]:
    """The rows of a region's table, each as its words."""
    table = page.partition(f'aria-label="{region}"')[2].partition("</table>")[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.DOTALL)
    return [unescape(" ".join(re.sub(r"<[^>]+>", " ", each).split())) for each in rows]


def tiles_of(page: str) -> dict[str, str]:
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
    return {
        unescape(label): unescape(" ".join(re.sub(r"<[^>]+>", " ", said).split()))
        for label, said in found
    }


def at(ts: int) -> str:
    """An instant as the form sends it."""
    moment = datetime.fromtimestamp(ts // 1_000_000, UTC) + timedelta(hours=5, minutes=30)
    return f"&at={moment.strftime('%Y-%m-%dT%H:%M:%S')}"


# --- what it reads --------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [TOLD, GOVERNED, MARRED])
def test_the_trades_add_up_to_the_session_at_each_of_its_marks(session: str) -> None:
    """The portfolio keeps its sums fill by fill; the page adds the trades' last moves up."""
    held = [mark for mark in marks(session) if mark.data["positions"]]
    assert len(held) > 10
    billed = 0  # estimates of days that are closed have become bills
    day = held[0].ts // 86_400_000_000
    for mark in [*held, marks(session)[-1]]:
        page = portfolio_page(session=session, at_us=mark.ts)
        assert page.mark is not None
        assert page.trades is not None
        state = page.mark.state
        assert page.mark.ts == mark.ts
        total, told = page.trades.total, state["waterfall"]
        assert total.realised_paise == state["realised_paise"]
        assert total.unrealised_paise == state["unrealised_paise"]
        assert total.gross_paise == told["gross_paise"]
        assert total.expected_paise == told["expected_paise"]
        assert total.slippage_paise == told["slippage_paise"]
        if told["fees"] is None:
            assert (total.charges_paise, page.of_no_trade_paise, page.is_gross) == (
                None,
                None,
                True,
            )
        elif mark.ts // 86_400_000_000 == day:
            # Each trade's lines are rounded to the paisa for themselves.
            assert page.of_no_trade_paise is not None
            assert abs(page.of_no_trade_paise) <= 6 * total.trades
        else:
            billed += 1
    assert bool(billed) is (session == MARRED)


def test_the_mark_is_the_last_at_or_before_the_instant() -> None:
    first, second = marks(GOVERNED)[4:6]
    for at_us, mark in (
        (first.ts, first),
        (second.ts - 1, first),
        (second.ts, second),
        (None, marks(GOVERNED)[-1]),
        (10**17, marks(GOVERNED)[-1]),
    ):
        page = portfolio_page(session=GOVERNED, at_us=at_us)
        assert page.mark is not None
        assert (page.mark.seq, page.mark.ts) == (mark.seq, mark.ts)
        assert page.age_us == (None if at_us is None else at_us - mark.ts)
    assert page.mark is not None
    assert "gates" not in page.mark.state


def test_a_mark_knows_nothing_that_came_after_it() -> None:
    """The trades are those of the log up to the mark, also where one was closed a moment later."""
    log = events(GOVERNED)
    for mark in marks(GOVERNED)[:20]:
        states: dict[str, str] = {}
        for event in log:
            if event.kind == "position.changed" and event.seq < mark.seq:
                states[event.data["trade"]] = event.data["state"]
        page = portfolio_page(session=GOVERNED, at_us=mark.ts)
        assert page.trades is not None
        shown = {each.line.trade: each.line.state for each in page.trades.shown if each.line.seq}
        assert shown == states


def test_modelled_fills_are_counted_by_trade() -> None:
    fills: dict[str, int] = defaultdict(int)
    log = events(MARRED)
    trade_of = {
        event.data["order"]: event.data["trade"]
        for event in log
        if event.kind == "order.intended" and event.data["purpose"] != "cancel"
    }
    for event in log:
        if event.kind == "broker.report" and event.data["price_basis"] == "MODELLED":
            fills[trade_of[event.data["order"]]] += 1
    page = portfolio_page(session=MARRED, at_us=None)
    assert page.trades is not None
    assert {each.line.trade: each.line.modelled for each in page.trades.shown} == fills
    page = portfolio_page(session=GOVERNED, at_us=None)
    assert page.trades is not None
    assert {each.line.modelled for each in page.trades.shown} == {0}


def test_flat_trades_that_are_not_shown_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = portfolio_page(session=TOLD, at_us=None)
    assert whole.trades is not None
    assert whole.trades.earlier is None
    monkeypatch.setattr(portfolio_selectors, "TRADES_SHOWN", 2)
    cut = portfolio_page(session=TOLD, at_us=None)
    assert cut.trades is not None
    assert cut.trades.earlier is not None
    assert cut.trades.total == whole.trades.total
    assert len(cut.trades.shown) == 2
    assert cut.trades.earlier.trades == whole.trades.total.trades - 2
    shown = sum(each.line.realised_paise for each in cut.trades.shown)
    assert cut.trades.earlier.realised_paise + shown == whole.trades.total.realised_paise


@pytest.mark.parametrize(
    "asked",
    [{"session": "nowhere"}, {"session": TOLD, "trade": "told.1"},
     {"session": TOLD, "trade": f"{GOVERNED}.99"}],
)  # fmt: skip
def test_a_session_or_trade_that_is_not_there_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(UnknownEventError):
        portfolio_page(at_us=None, **asked)  # type: ignore[arg-type]


# --- what a browser gets --------------------------------------------------------------------------


def test_it_costs_few_queries(desk: Client, django_assert_max_num_queries: Any) -> None:
    # Session, user with roles, mirror, parity; sessions, mark, moves, modelled fills, the day, the
    # first features.
    with django_assert_max_num_queries(11):
        response = desk.get(f"/risk/portfolio/?session={MARRED}")
    assert len(response.content) < 120_000


def held_mark(session: str) -> Event:
    """A mark with an open trade, and one that is flat."""
    return next(
        mark
        for mark in marks(session)
        if len(mark.data["positions"]) == 1 and mark.data["realised_paise"]
    )


def test_figures_are_those_of_the_mark(desk: Client) -> None:
    mark = held_mark(GOVERNED)
    page = body(desk, query=at(mark.ts))
    tiles, state = tiles_of(page), mark.data
    assert tiles["Cash"] == rupees(state["cash_paise"])
    assert tiles["Held, at what closing brings"] == rupees(state["value_paise"])
    assert tiles["Equity"] == rupees(state["equity_paise"])
    assert tiles["Realised"] == signed_rupees(state["realised_paise"])
    assert tiles["Unrealised"] == signed_rupees(state["unrealised_paise"])
    assert tiles["Day's drawdown"] == rupees(state["day_drawdown_paise"])
    assert tiles["Drawdown from the peak"] == rupees(state["peak_drawdown_paise"])
    assert tiles["Margin, SPAN-like"] == rupees(state["margin_paise"])
    assert tiles["Delta, of +1 %"] == signed_rupees(state["greeks"]["delta_paise"])
    assert tiles["Theta, of a day"] == signed_rupees(state["greeks"]["theta_paise"])
    assert "the bid of what was bought, the ask of what was sold" in page
    assert f'<a href="/why/{GOVERNED}/{mark.seq}/">Why</a>' in page
    assert f'<a href="/journal/{GOVERNED}/{mark.seq}/">Line of the log</a>' in page
    for address in (f"/why/{GOVERNED}/{mark.seq}/", f"/journal/{GOVERNED}/{mark.seq}/"):
        assert desk.get(address).status_code == 200


def test_the_session_goes_from_expected_to_net_by_line(desk: Client) -> None:
    mark = held_mark(GOVERNED)
    told = mark.data["waterfall"]
    page = body(desk, query=at(mark.ts))
    rows = rows_of(page, "From gross to net")[1:]
    fees = told["fees"]
    assert rows == [
        f"Expected {signed_rupees(told['expected_paise'])}",
        f"Slippage {rupees(-told['slippage_paise'])}",
        f"Gross {signed_rupees(told['gross_paise'])}",
        f"Brokerage {rupees(-fees['brokerage'])}",
        f"STT {rupees(-fees['stt'])}",
        f"Exchange, with IPFT {rupees(-fees['exchange'])}",
        f"SEBI fee {rupees(-fees['sebi'])}",
        f"Stamp duty {rupees(-fees['stamp'])}",
        f"GST {rupees(-fees['gst'])}",
        f"Charges {rupees(-fees['total'])}",
        "Funding of margin 0.00",
        f"Net {signed_rupees(told['net_paise'])}",
    ]
    bars = re.findall(r'<rect class="bar-(\w+)" x="(\d+)" y="1" width="(\d+)"', page)
    assert len(bars) == len(rows) - 1  # of the funding, which is nothing, none
    assert all(int(x) + int(width) <= 1000 for _, x, width in bars)


def test_a_trade_has_steps_of_its_own_at_its_own_address(desk: Client) -> None:
    archived = next(
        event
        for event in events(GOVERNED)
        if event.kind == "position.changed" and event.data["state"] == "ARCHIVE"
    )
    trade, told = archived.data["trade"], archived.data["waterfall"]
    whole = body(desk)
    assert f"&amp;trade={trade}" in whole
    line = next(row for row in rows_of(whole, "Trades") if row.startswith(f"{trade} "))
    for paise in (told["expected_paise"], told["gross_paise"], told["net_paise"]):
        assert signed_rupees(paise) in line
    assert rupees(-told["fees"]["total"]) in line
    assert f"/why/{GOVERNED}/{archived.seq}/" in whole
    assert f"/journal/{GOVERNED}/{archived.seq}/" in whole
    assert line.endswith(count(archived.seq))
    page = body(desk, query=f"&trade={trade}")
    rows = rows_of(page, "From gross to net")
    assert f"From gross to net: {trade}" in page
    assert f"Net {signed_rupees(told['net_paise'])}" in rows
    assert not any(row.startswith("Funding") for row in rows)


def test_a_gross_session_says_gross_and_shows_no_charge(desk: Client) -> None:
    mark = held_mark(TOLD)
    page = body(desk, TOLD, at(mark.ts))
    rows = rows_of(page, "From gross to net")
    assert rows[-1].startswith("Charges and net GROSS costs are GROSS")
    assert [row.split()[0] for row in rows[1:]] == ["Expected", "Slippage", "Gross", "Charges"]
    trades = rows_of(page, "Trades")
    assert len(trades) > 3
    assert all("GROSS" in row for row in trades[1:])
    assert "Brokerage" not in page
    assert "tag-gross" in page.partition('class="provenance"')[2]


def test_what_cannot_be_marked_says_why(desk: Client) -> None:
    last = marks(MARRED)[-1]
    (position,) = last.data["positions"]
    page = body(desk, MARRED)
    tiles = tiles_of(page)
    why = "no data NO_QUOTE: a quote it would be closed at is missing"
    for label in ("Unrealised", "Equity", "Day's drawdown", "Margin, SPAN-like", "Vega, of +1 vol "
                  "point"):  # fmt: skip
        assert tiles[label] == why
    assert tiles["Realised"] == signed_rupees(last.data["realised_paise"])
    assert '<b class="warn">MISSING</b>' in page
    rows = rows_of(page, "From gross to net")
    assert "Net no data" in rows
    assert f"Charges {rupees(-last.data['waterfall']['fees']['total'])}" in rows
    line = next(row for row in rows_of(page, "Trades") if row.startswith(position["trade"]))
    assert "MISSING" in line
    assert line.count("no data") == 4  # unrealised, expected, gross, net


def test_modelled_fills_and_synthetic_data_are_said(desk: Client) -> None:
    page = body(desk, MARRED)
    assert "MODELLED 4 fills" in page
    assert "MODELLED" not in body(desk, GOVERNED)
    for session in LOGS:
        foot = body(desk, session).partition('id="page"')[2].partition('class="provenance"')[2]
        assert "tag-synthetic" in foot


def test_billed_days_are_told_from_estimated_trades(desk: Client) -> None:
    page = portfolio_page(session=MARRED, at_us=None)
    assert page.of_no_trade_paise
    said = f"The session's charges are {rupees(page.of_no_trade_paise)} above those of its trades"
    assert said in unescape(body(desk, MARRED))


def test_before_the_first_mark_there_is_none(desk: Client) -> None:
    page = body(desk, query="&at=2020-01-01T00:00")
    assert "No mark yet" in page
    assert "Its first is of" in page
    assert "From gross to net" not in page


@pytest.mark.parametrize("instant", ["noon", "2026-13-01T00:00", "9" * 60])
def test_an_instant_that_is_none_says_so_in_a_line(desk: Client, instant: str) -> None:
    page = body(desk, query=f"&at={instant}")
    assert page.count("is no instant, expected one as 2026-02-26T12:00 (IST)") == 1
    assert "From gross to net" in page


@pytest.mark.parametrize(
    "query",
    [
        "session=nowhere",
        "session=%00",
        f"session={GOVERNED}&trade=x",
        f"session={GOVERNED}&trade={TOLD}.99",
    ],
)
def test_what_is_not_there_is_not_found(desk: Client, query: str) -> None:
    assert desk.get(f"/risk/portfolio/?{query}").status_code == 404


def test_htmx_gets_the_figures_alone(desk: Client) -> None:
    fragment = body(desk, headers=HTMX)
    assert "<html" not in fragment
    assert fragment.strip().startswith('<div id="rows"')


def test_it_is_for_who_signed_in(client: Client) -> None:
    assert client.get("/risk/portfolio/").status_code == 302


def test_the_tab_stands_beside_the_others(desk: Client) -> None:
    tabs = body(desk).partition('aria-label="Of risk"')[2].partition("</nav>")[0]
    assert re.search(r'href="/risk/portfolio/\?session=governed" aria-current="page"', tabs)
    assert "/risk/portfolio/" in desk.get("/risk/").content.decode()
