"""A live session holds options into their expiry; their price is published when nobody runs, and
settles them as the next day opens. Real processes, a feed that grows, a store that is written.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.market_factory import EXPIRY
from tests.market_rows import record_rows, store_rows
from tests.trading.test_live_trade import (
    CONFIGURATION,
    RATE,
    SECOND_US,
    Desk,
    assert_ordered,
    assert_replays,
    wait_until,
    writing,
)
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from journal.events import Event

EXPIRES, NEXT = EXPIRY["NIFTY"], date(2026, 3, 4)
SETTLED_AT = 2_498_015
HELD = CONFIGURATION.replace("hold_minutes = 2", "hold_minutes = 5000")


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


@pytest.mark.slow
def test_a_price_published_after_the_session_stopped_settles_as_the_next_day_opens(
    tmp_path: Path,
) -> None:
    hours = session_hours(EXPIRES)
    desk = Desk(tmp_path, start_us=hours.open_us + 3600 * SECOND_US)
    desk.configuration.write_text(HELD)
    with writing(desk), desk.trading(*desk.configured(), "--to", NEXT.isoformat()) as process:
        wait_until(lambda: desk.count("position.changed") >= 2, process)
        process.terminate()
        process.wait(30)

    # The close: nobody knows the price, and that is said.
    desk.move_to(hours.close_us - 30 * SECOND_US)
    assert desk.trade().returncode == 0
    (unsettled,) = of_kind(desk.events(), "position.unsettled")
    assert (unsettled.ts, unsettled.data["expiry"]) == (hours.close_us, EXPIRES.isoformat())
    assert not of_kind(desk.events(), "settlement.published")

    # A made-up price is no price of a real market; the exchange's record is.
    store = tmp_path / "market"
    made = record_rows(EXPIRES, known=NEXT, expiry=EXPIRES, settlement_paise=1)
    store_rows(store, "bhavcopy_options", made, name="made", synthetic=True)
    desk.move_to(session_hours(NEXT).open_us - 15 * 60 * SECOND_US)
    with desk.trading() as process:
        wait_until(lambda: desk.count("day.opened") == 2, process)
        wait_until(lambda: desk.now() > session_hours(NEXT).open_us + RATE * SECOND_US, process)
    assert not of_kind(desk.events(), "settlement.published")

    rows = record_rows(EXPIRES, known=NEXT, expiry=EXPIRES, settlement_paise=SETTLED_AT)
    digest = store_rows(store, "bhavcopy_options", rows)
    with desk.trading() as process:
        wait_until(lambda: desk.count("settlement.published") == 1, process)
    events = desk.events()
    assert_ordered(events)
    (settlement,) = of_kind(events, "settlement.published")
    assert settlement.data["price_paise"] == SETTLED_AT
    assert (settlement.data["digest"], settlement.data["synthetic"]) == (digest, False)
    last = of_kind(events, "position.changed")[-1]
    assert last.data["state"] == "ARCHIVE"
    assert all(leg["filled"] == leg["closed"] > 0 for leg in last.data["legs"])
    paid = sum(max(0, payoff(leg)) * leg["closed"] for leg in last.data["legs"])
    assert sum(leg["exit_value_paise"] for leg in last.data["legs"]) == paid > 0
    assert_replays(desk)


def payoff(leg: dict[str, Any]) -> int:
    contract = leg["contract"]
    sign = 1 if contract["right"] == "CE" else -1
    return sign * (SETTLED_AT - contract["strike_paise"])
