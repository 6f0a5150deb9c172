"""Surfaces in a session: fitted to whole chains when due, told with their quality, never with the
time they took, and the same bytes whoever decides the day again.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from journal.facts import facts
from journal.log.reader import read_session
from journal.selectors import StoredEvent
from replay.recording import read_recording
from replay.ways import replay_session
from tests.market_factory import (
    DAYS,
    EXPIRY,
    MINUTE_US,
    Rig,
    bare_frame,
    chain_frame,
    factory_configuration,
    quality_of,
)
from tests.replay.conftest import make_workshop
from trading.engine.configuration import SurfaceConfiguration
from trading.market.calendar import session_hours
from trading.market.frames import MarketFrame
from trading.market.quality import State
from trading.pricing.arbitrage import arbitrage_check
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST
from trading.pricing.surface import Surface
from trading.why.spine import spine_from_events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from journal.events import Event

DAY = DAYS[0]
OPEN = session_hours(DAY).open_us
WIDE = 10  # strikes each side: a whole surface


def frame(minute: float, *, each_side: int = WIDE, **options: Any) -> MarketFrame:
    at_us = OPEN + round(minute * MINUTE_US)
    return chain_frame("NIFTY", at_us, 0.12, each_side=each_side, **options)


def rig_over(
    tmp_path: Path,
    feed: Sequence[MarketFrame] | Callable[[date], Sequence[MarketFrame]],
    *,
    days: Sequence[date] = (DAY,),
    **surface: Any,
) -> Rig:
    configuration = msgspec.structs.replace(
        factory_configuration(lookback_snapshots=5),
        surface=SurfaceConfiguration(**surface) if surface else None,
    )
    frames_of = feed if callable(feed) else lambda _: feed
    return Rig(var_dir=tmp_path, days=days, frames_of=frames_of, configuration=configuration)


def events_over(
    tmp_path: Path,
    feed: Sequence[MarketFrame] | Callable[[date], Sequence[MarketFrame]],
    **more: Any,
) -> list[Event]:
    rig = rig_over(tmp_path, feed, **more)
    rig.run()
    return [line.to_event() for line in read_session(rig.directory)]


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def fits(events: list[Event]) -> list[Event]:
    return of_kind(events, "surface.fitted")


def minutes(events: list[Event]) -> list[float]:
    return [(event.ts - OPEN) / MINUTE_US for event in events]


# --- when -----------------------------------------------------------------------------------------


def test_a_session_that_was_not_told_to_fits_none(tmp_path: Path) -> None:
    events = events_over(tmp_path, [frame(1), frame(2)])
    assert fits(events) == []
    features = of_kind(events, "features.computed")
    assert len(features) == 2
    assert all("surface_atm_iv" not in event.data["values"] for event in features)


def test_every_whole_chain_when_told_nought_minutes(tmp_path: Path) -> None:
    feed = [frame(1), frame(1.5), frame(2)]
    assert minutes(fits(events_over(tmp_path, feed, every_minutes=0))) == [1, 1.5, 2]


def test_one_in_each_part_of_the_day_however_frames_jitter(tmp_path: Path) -> None:
    """The parts count from the opening: late or early by a second, none is fitted twice or left
    out.
    """
    late = 1 / 60
    feed = [frame(m + (late if m % 2 else -late)) for m in range(1, 17)]
    found = minutes(fits(events_over(tmp_path, feed, every_minutes=5)))
    assert [int(m // 5) for m in found] == [0, 1, 2, 3]
    assert found == [pytest.approx(m) for m in (1 + late, 5 + late, 11 + late, 15 + late)]


def test_the_first_whole_chain_of_a_part_is_taken_where_it_comes(tmp_path: Path) -> None:
    feed = [frame(1), frame(5, each_side=4), frame(7), frame(8), frame(31), frame(32)]
    assert minutes(fits(events_over(tmp_path, feed, every_minutes=5))) == [1, 7, 31]


def test_each_underlying_has_its_own_and_each_day_begins_anew(tmp_path: Path) -> None:
    def feed(day: date) -> list[MarketFrame]:
        start = session_hours(day).open_us
        return [
            chain_frame(name, start + m * MINUTE_US, 0.12, each_side=WIDE)
            for m in (1, 2)
            for name in ("NIFTY", "BANKNIFTY")
        ]

    found = fits(events_over(tmp_path, feed, days=DAYS, every_minutes=60))
    assert [event.key for event in found] == ["NIFTY", "BANKNIFTY"] * len(DAYS)
    assert [event.data["underlying"] for event in found] == [event.key for event in found]


@pytest.mark.parametrize(
    "seen",
    [
        frame(1, each_side=4),
        frame(1, chain_quality=quality_of(State.CROSSED, at_us=OPEN + MINUTE_US, reason="CROSSED")),
        frame(1, chain_quality=quality_of(State.STALE, at_us=OPEN + MINUTE_US, reason="FROZEN")),
        frame(1, chain_quality=quality_of(State.HALTED, at_us=OPEN + MINUTE_US, reason="HALTED")),
        bare_frame("NIFTY", OPEN + MINUTE_US),
    ],
    ids=["thin", "crossed", "stale", "halted", "no chain"],
)
def test_nothing_is_fitted_to_less_than_a_whole_fresh_chain(
    tmp_path: Path, seen: MarketFrame
) -> None:
    assert fits(events_over(tmp_path, [seen], every_minutes=0)) == []


def test_nothing_is_fitted_to_closing_prices(tmp_path: Path) -> None:
    whole = frame(1)
    record = msgspec.structs.replace(
        whole, source=msgspec.structs.replace(whole.source, name="eod")
    )
    events = events_over(tmp_path, [record], every_minutes=0)
    (features,) = of_kind(events, "features.computed")
    assert features.data["quality"]["chain"]["rung"] == "SURFACE"
    assert fits(events) == []


# --- what is told ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """A fit at minutes 1 and 5, features beside each and one in between."""
    feed = [frame(1), frame(3), frame(5)]
    return events_over(tmp_path_factory.mktemp("session"), feed, every_minutes=5, profile="fast")


def test_causes_are_what_was_read(session: list[Event]) -> None:
    opened = of_kind(session, "day.opened")[0].seq
    frames = of_kind(session, "market.frame")
    first, second = fits(session)
    assert [first.cause, second.cause] == [(frames[0].seq,), (frames[2].seq,)]
    causes = [event.cause for event in of_kind(session, "features.computed")]
    assert causes == [
        (opened, frames[0].seq, first.seq),
        (opened, frames[1].seq),
        (opened, frames[2].seq, second.seq),
    ]


def test_features_read_the_volatility_that_was_logged(session: list[Event]) -> None:
    features = of_kind(session, "features.computed")
    for fit, read in zip(fits(session), features[::2], strict=True):
        (expiry,) = fit.data["expiries"]
        assert read.data["values"]["surface_atm_iv"] == expiry["at_the_money_volatility"]
        assert expiry["at_the_money_volatility"] == pytest.approx(0.12, abs=0.002)
    assert "surface_atm_iv" not in features[1].data["values"]


def test_the_event_is_the_fit_of_its_frame_and_its_digest_can_be_made_again(
    session: list[Event],
) -> None:
    seen = MarketFrame.from_data(of_kind(session, "market.frame")[0].data)
    chain = [each.quotes for each in chain_expiries(seen)]
    fit = fit_surface(chain, profile=FAST, least_quotes=LEAST_QUOTES, least_a_side=LEAST_A_SIDE)
    assert fit.surface is not None
    data = fits(session)[0].data
    told = Surface.from_data(data["surface"])
    assert told.digest == data["digest"] == fit.surface.digest
    strikes = np.linspace(0.8, 1.2, 41)
    assert np.array_equal(told.expiry(0).call(strikes), fit.surface.expiry(0).call(strikes))
    assert (data["profile"], data["eta"], data["halvings"]) == ("fast", 0.25, fit.halvings)
    assert (data["rung"], data["refusal"], data["iterations"]) == ("FIRST", None, fit.iterations)
    (quotes,) = fit.quote_fits
    errors = np.abs(quotes.error)
    assert data["quotes"]["count"] == quotes.quotes.count >= LEAST_QUOTES
    assert data["quotes"]["inside"] == int(np.count_nonzero(quotes.inside()))
    assert data["quotes"]["p95_error"] == pytest.approx(np.percentile(errors, 95), rel=1e-11)
    assert data["expiries"][0]["quotes"] == data["quotes"]
    assert data["expiries"][0]["omitted"]["IN_THE_MONEY"] == quotes.quotes.count
    found = arbitrage_check(fit.surface)
    assert data["arbitrage"]["violations"] == found.violations == 0
    assert data["arbitrage"]["strikes"] == found.strikes


def test_no_event_says_how_long_a_fit_took(session: list[Event]) -> None:
    names = {fact.name for event in fits(session) for fact in facts(event.data)[0]}
    assert "iterations" in names
    assert not [name for name in names if "second" in name or name.endswith("_us")]


def test_a_chain_that_cannot_be_fitted_is_refused_with_its_reason(tmp_path: Path) -> None:
    """Quoted on both sides everywhere, and next to nothing of it traded."""
    whole = frame(1)
    (block,) = whole.chain
    size = len(block.strike_paise)
    traded = (3, *(None for _ in range(size - 1)))
    quiet = msgspec.structs.replace(block, call_volume=traded, put_volume=traded)
    feed = [msgspec.structs.replace(whole, chain=(quiet,)), frame(2)]
    events = events_over(tmp_path, feed, every_minutes=5)
    (refused,) = fits(events)  # the refusal was this part's fit
    assert refused.data["refusal"] == "NO_EXPIRY"
    assert refused.data["digest"] is refused.data["surface"] is refused.data["eta"] is None
    (expiry,) = refused.data["expiries"]
    assert expiry["refusal"] == "TOO_FEW_QUOTES"
    features = of_kind(events, "features.computed")[0].data
    assert features["values"]["surface_atm_iv"] is None
    assert features["reasons"]["surface_atm_iv"] == "TOO_FEW_QUOTES"
    assert features["values"]["atm_iv"] is not None


# --- the same again -------------------------------------------------------------------------------


def noisy(day: date) -> list[MarketFrame]:
    """Frames of both underlyings whose volatility moves, so that every surface differs."""
    start = session_hours(day).open_us
    level = count(1)
    return [
        chain_frame(name, start + m * MINUTE_US, 0.11 + 0.001 * (next(level) % 17), each_side=WIDE)
        for m in range(1, 13)
        for name in ("NIFTY", "BANKNIFTY")
    ]


def test_three_processes_decide_the_same_surfaces(tmp_path: Path) -> None:
    rig = rig_over(tmp_path, noisy, days=DAYS, every_minutes=2)
    rig.run()
    result = replay_session(
        rig.directory, times=3, workshop=make_workshop(tmp_path), code_version="test"
    )
    recording = read_recording(rig.directory)
    assert recording.counts["surface.fitted"] == 7 * 2 * len(DAYS)
    assert [way.digest for way in result.ways] == [recording.digest] * 3
    assert len({way.hash_seed for way in result.ways}) == 3
    assert result.identical
    digests = [
        line.body["data"]["digest"]
        for line in read_session(rig.directory)
        if line.body["kind"] == "surface.fitted"
    ]
    assert len(set(digests)) > len(digests) // 2


# --- told to people -------------------------------------------------------------------------------


def stored(event: Event) -> StoredEvent:
    return StoredEvent(
        session=event.session,
        line=event.seq or 0,
        seq=event.seq,
        ts=event.ts,
        kind=event.kind,
        key=event.key,
        cause=event.cause,
        data=event.data,
        hash="",
        prev="",
        file="",
    )


def test_the_spine_shows_the_surface_between_data_and_features(session: list[Event]) -> None:
    frames, fit = of_kind(session, "market.frame"), fits(session)[0]
    features = of_kind(session, "features.computed")[0]
    line = [stored(event) for event in (frames[0], fit, features)]
    spine = spine_from_events(line[2], line)
    assert [card.stage for card in spine.cards] == ["DATA", "SURFACE", "FEATURES"]
    card = spine.cards[1]
    inside, used = fit.data["quotes"]["inside"], fit.data["quotes"]["count"]
    assert f"1 of 1 expiries, η 0.25, {inside} of {used} quotes inside" in card.headline
    assert "no arbitrage" in card.headline
    assert fit.data["digest"][:8] in card.headline
    assert card.table is not None
    (row,) = card.table.rows
    assert row[0].text == EXPIRY["NIFTY"].isoformat()
    assert row[1].text.startswith("₹25,3")
    assert row[5].text.endswith(" %")
    rows = [[cell.text for cell in each] for each in spine.cards[2].table.rows]  # type: ignore[union-attr]
    assert ["surface_atm_iv", row[5].text, ""] in rows


def test_a_refused_surface_stops_the_eye(session: list[Event]) -> None:
    data = fits(session)[0].data
    expiry = data["expiries"][0] | {"refusal": "NO_FORWARD", "forward": None, "quotes": None}
    refused = data | {"refusal": "NO_EXPIRY", "expiries": [expiry], "surface": None}
    event = stored(replace(fits(session)[0], data=refused))
    (card,) = spine_from_events(event, [event]).cards
    assert (card.stage, card.tone) == ("SURFACE", "stop")
    assert card.headline == "no surface: NO_EXPIRY (NO_FORWARD)"
    assert card.table is not None
    assert card.table.open
    (row,) = card.table.rows
    assert [cell.text for cell in row][1:4] == ["no data"] * 3
    assert row[-1].text == "NO_FORWARD"
