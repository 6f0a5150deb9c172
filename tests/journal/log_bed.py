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
    """Return `count` signals with seqs from `first` on, each caused by the event before it.

    `data` changes fields of the signal; names that are no field of it become part of its reason.
    """
    return [_signal(session, seq, data) for seq in range(first, first + count)]


def _signal(session: str, seq: int, changes: dict[str, Any]) -> Event:
    underlying = "NIFTY" if seq % 2 else "BANKNIFTY"
    condition = {
        "name": "abs_z_score",
        "value": seq / 7,
        "threshold": 1000.5,
        "comparison": ">=",
        "direction": 1,
        "scale": 1.0,
        "headroom": seq / 7 - 1000.5,
        "met": False,
        "reason": None,
    }
    fields = {
        "strategy": "S4",
        "underlying": underlying,
        "fired": False,
        "direction": None,
        "conditions": [condition],
        "reason": "₹ quiet",
        "structure": None,
        "synthetic": True,
    }
    known = {name: value for name, value in changes.items() if name in fields}
    told = [f"{name}={value}" for name, value in changes.items() if name not in fields]
    fields |= known
    fields["reason"] = " ".join([str(fields["reason"]), *told])
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="signal.emitted",
        key=f"{fields['strategy']}:{fields['underlying']}",
        cause=(seq - 1,) if seq > 1 else (),
        data=fields,
    )


def command(session: str, seq: int, **arguments: Any) -> Event:
    """Return an operator's command, whose arguments may be any JSON values."""
    data = {
        "id": f"c{seq}",
        "command": "kill",
        "arguments": arguments,
        "actor": "asha",
        "address": "local",
        "reason": "a drill",
        "issued_at": OPEN_US,
    }
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="operator.command",
        key=f"c{seq}",
        data=data,
    )


def session_opened(session: str, seq: int, **data: Any) -> Event:
    """Return the first event of a session; `data` changes its fields."""
    fields = {
        "configuration": {"name": "bed"},
        "configuration_digest": "0" * 64,
        "code_version": "test",
        "number": 1,
    }
    return Event(
        session=session, seq=seq, ts=OPEN_US + seq, kind="session.opened", data=fields | data
    )


def session_ended(session: str, seq: int, reason: str = "feed ended") -> Event:
    """Return the input that ends a session."""
    return Event(
        session=session, seq=seq, ts=OPEN_US + seq, kind="session.ended", data={"reason": reason}
    )


def session_closed(session: str, seq: int, costs: str = "GROSS") -> Event:
    """Return the last event of a session."""
    money = {
        "realised_paise": 0,
        "fees": None,
        "funding_paise": None,
        "net_paise": None,
        "costs": costs,
    }
    data = {"counts": {}, **money}
    return Event(session=session, seq=seq, ts=OPEN_US + seq, kind="session.closed", data=data)


def day_opened(session: str, seq: int, date: str = "2025-08-29", **data: Any) -> Event:
    """Return the opening of a day; `data` changes its fields."""
    fields = {
        "date": date,
        "configuration": {"name": "bed"},
        "configuration_digest": "0" * 64,
        "code_version": "test",
        "calendar": {
            "midnight_us": OPEN_US - 9 * 3_600_000_000,
            "open_us": OPEN_US,
            "close_us": OPEN_US + 6 * 3_600_000_000,
            "expiring_close_us": OPEN_US + 6 * 3_600_000_000,
            "status": "CONFIRMED",
            "source": "test",
        },
        "contracts": {
            "lot_sizes": {"NIFTY": {"2025-09-04": 75}},
            "lot_statuses": {},
            "terms": [],
        },
        "limits": {
            "first_entry_ist_seconds": 33_600,
            "last_entry_ist_seconds": 42_300,
            "chain_age_us": 180_000_000,
            "resume_chains": 5,
        },
        "limits_since": "2018-01-01",
        "limits_digest": "0" * 64,
        "rates": {"profile": "GROSS", "tariff": None, "funding_rate_e9": None},
        "history": [],
        "state": {},
        "state_digest": "0" * 64,
    }
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="day.opened",
        key=date,
        data=fields | data,
    )


def frame(session: str, seq: int, **data: Any) -> Event:
    """Return a market frame with two expiries of three strikes, one quote missing."""
    fields = {
        "underlying": "NIFTY",
        "as_of": OPEN_US,
        "available_at": OPEN_US + seq,
        "exchange_stamp": None,
        "collection_stamp": None,
        "source": {
            "name": "test",
            "digest": "0" * 64,
            "synthetic": True,
            "seed": 1,
            "generator_version": 1,
            "mode": None,
        },
        "flags": ["CLOCK"],
        "cadence_us": 60_000_000,
        "spot_paise": None,
        "future_paise": None,
        "future_expiry": None,
        "vix": None,
        "prints": [],
        "quality": {
            name: {
                "state": "MISSING",
                "age_us": None,
                "limit_us": None,
                "as_of": None,
                "available_at": None,
                "source": None,
                "reason": "NO_SOURCE",
            }
            for name in ("spot", "future", "vix", "prints", "chain")
        },
        "chain": [_block("2025-09-04"), _block("2025-09-11")],
    } | data
    return Event(
        session=session,
        seq=seq,
        ts=OPEN_US + seq,
        kind="market.frame",
        key=str(fields["underlying"]),
        data=fields,
    )


def _block(expiry: str) -> dict[str, Any]:
    columns = ("last_paise", "bid_quantity", "ask_quantity", "oi", "volume")
    sides = {f"{side}_{name}": [None] * 3 for side in ("call", "put") for name in columns}
    return sides | {
        "expiry": expiry,
        "expires_at_us": OPEN_US + 10**9,
        "forward_paise": 2_450_000,
        "forward_pairs": 3,
        "forward_spread_paise": 40,
        "strike_paise": [2_440_000, 2_445_000, 2_450_000],
        "call_bid_paise": [1200, None, 900],
        "call_ask_paise": [1210, 1010, 910],
        "put_bid_paise": [None] * 3,
        "put_ask_paise": [None] * 3,
    }


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
