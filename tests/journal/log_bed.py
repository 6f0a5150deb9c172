"""Logs for tests: real ones, written by the real writer."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from journal.events import Event
from journal.log.session import allocate_session_number, session_directory
from journal.log.writer import LogWriter

if TYPE_CHECKING:
    from pathlib import Path

OPEN_US = 1_756_438_200_000_000  # 2025-08-29 09:00 IST


_TICKS = itertools.count(OPEN_US, 1000)


def steady_clock() -> int:
    """A wall clock that gains a millisecond a look and never stands still between writers."""
    return next(_TICKS)


def open_log(var_dir: Path, session: str = "day1", **options: Any) -> LogWriter:
    """Open the writer of a session, its number allocated as the engine does."""
    return LogWriter(
        session_directory(var_dir, session),
        session=session,
        number=allocate_session_number(var_dir, session),
        **{"clock": steady_clock} | options,
    )


def signals(session: str, first: int, count: int, **data: Any) -> list[Event]:
    """Return `count` signals with seqs from `first` on, each caused by the event before it."""
    return [
        Event(
            session=session,
            seq=seq,
            ts=OPEN_US + seq,
            kind="signal.emitted",
            key="S4:NIFTY" if seq % 2 else "S4:BANKNIFTY",
            cause=(seq - 1,) if seq > 1 else (),
            data={"strategy": "S4", "fired": False, "value": seq / 7, "reason": "₹ quiet"} | data,
        )
        for seq in range(first, first + count)
    ]


def closing_event(session: str, seq: int) -> Event:
    """Return the event that ends a session."""
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="session.closed",
        data={"counts": {}, "realised_paise": 0, "costs": "GROSS"},
    )


def frame(session: str, seq: int, **data: Any) -> Event:
    """Return a market frame with two expiries of three strikes, one quote missing."""
    block = {
        "expiry": "2025-09-04",
        "expires_at_us": OPEN_US + 10**9,
        "forward_paise": 2_450_000,
        "forward_pairs": 3,
        "forward_spread_paise": 40,
        "strike_paise": [2_440_000, 2_445_000, 2_450_000],
        "call_bid_paise": [1200, None, 900],
        "call_ask_paise": [1210, 1010, 910],
    }
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="market.frame",
        key="NIFTY",
        data={
            "underlying": "NIFTY",
            "as_of": OPEN_US,
            "available_at": OPEN_US + seq,
            "source": {"name": "test", "digest": "0" * 64, "synthetic": True},
            "flags": ["CLOCK"],
            "spot_paise": None,
            "chain": [block, block | {"expiry": "2025-09-11"}],
        }
        | data,
    )


def write_log(var_dir: Path, session: str = "day1", *, days: int = 1, events: int = 20) -> Path:
    """Write a log of some days, each with `events` signals in batches of five and a frame; return
    its directory.
    """
    with open_log(var_dir, session) as writer:
        seq = 1
        for day in range(days):
            writer.open_day(f"2025-08-{20 + day}")
            writer.commit([frame(session, seq)])
            seq += 1
            for _ in range(events // 5):
                writer.commit(signals(session, seq, 5))
                seq += 5
    return session_directory(var_dir, session)
