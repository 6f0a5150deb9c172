"""A session with something to question in it: run by the real engine, mirrored by the real mirror.

It lives in this process's own `VAR_DIR` (`os.environ`), where the live site looks too, under a
number no other test reaches.
"""

from __future__ import annotations

import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from journal.log.session import sessions_directory
from journal.spool import Command, write_command
from tests.market_factory import (
    DAYS,
    FORWARD_PAISE,
    SPOOL_KEY,
    STEP_PAISE,
    Rig,
    chain_frame,
    day_frames,
    factory_configuration,
)
from trading.engine.runner import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from trading.market.frames import MarketFrame

TOLD = "told"
TOLD_NUMBER = 500_000
GOVERNED = "governed"
GOVERNED_NUMBER = 499_000
MARRED = "marred"
MARRED_NUMBER = 498_000


def told_log() -> Path:
    """Return the directory of session `told`, running it first when this process has not yet."""
    rig = Rig(var_dir=Path(os.environ["VAR_DIR"]), session=TOLD, days=DAYS[:1])
    return _log_of(rig, TOLD_NUMBER)


def governed_log() -> Path:
    """Return the directory of session `governed`, likewise."""
    looks = itertools.count(1)

    def look() -> bool:
        at = next(looks)
        for command in _GOVERNING.get(at, []):
            write_command(var_dir=rig.var_dir, key=SPOOL_KEY, command=command)
        return at == _STOPS_AT

    rig = Rig(
        var_dir=Path(os.environ["VAR_DIR"]),
        session=GOVERNED,
        days=DAYS[:1],
        stopping=look,
        configuration=factory_configuration(costs={"profile": "ZERODHA"}),
    )
    return _log_of(rig, GOVERNED_NUMBER)


def marred_log() -> Path:
    """Return the directory of session `marred`, likewise."""
    rig = Rig(
        var_dir=Path(os.environ["VAR_DIR"]),
        session=MARRED,
        days=DAYS,
        frames_of=_marred_frames,
        configuration=factory_configuration(
            costs={"profile": "ZERODHA"}, broker={"slippage_ticks": 1}
        ),
    )
    return _log_of(rig, MARRED_NUMBER)


def _marred_frames(day: date) -> list[MarketFrame]:
    """A whole first day; on the second NIFTY's middle strikes are quoted by nobody from its 17th
    minute on, while a trade holds them.
    """
    frames = day_frames(day)
    if day == DAYS[0]:
        return frames
    step = STEP_PAISE["NIFTY"]
    middle = round(FORWARD_PAISE["NIFTY"] / step) * step
    first = [frame for frame in frames if frame.underlying == "NIFTY"][_HIDDEN_FROM:]
    hidden = {
        frame.available_at: chain_frame(
            "NIFTY", frame.available_at, 0.12, hidden_strikes=(middle - step, middle, middle + step)
        )
        for frame in first
    }
    return [
        hidden.get(frame.available_at, frame) if frame.underlying == "NIFTY" else frame
        for frame in frames
    ]


def _tell(number: int, command: str, actor: str = "asha", **arguments: object) -> Command:
    return Command(
        id=f"00000000-0000-4000-8000-{number:012}",
        session=GOVERNED,
        command=command,
        arguments=arguments,
        actor=actor,
        address="local",
        reason=f"reason {number}",
        issued_at=1,
    )


_REARM = _tell(3, "rearm", breaker="kill switch")
_GOVERNING = {
    2: [_tell(1, "limit", name="order_lots", value=40), _tell(2, "kill", hold=True), _REARM],
    3: [_tell(4, "approve", "ravi", request=_REARM.id)],
    40: [_tell(5, "kill", strategy="S4", hold=True)],
    41: [_tell(6, "limit", name="messages_per_second", value=7)],
    42: [_tell(7, "reconcile")],
}
_STOPS_AT = 160
_HIDDEN_FROM = 16  # minute of the marred day, counted from its first frame


def _log_of(rig: Rig, number: int) -> Path:
    if not (rig.directory / "head").exists():
        number_session(rig.var_dir, rig.session, number)
        # Playwright runs an event loop in this thread, and the runner wants one of its own.
        with ThreadPoolExecutor(1) as beside, suppress(Stopped):
            beside.submit(rig.run).result()
    return rig.directory


def number_session(var_dir: Path, name: str, number: int) -> None:
    """Give a session that has not begun its number."""
    root = sessions_directory(var_dir)
    root.mkdir(parents=True, exist_ok=True)
    register = root / "numbers.json"
    numbers = json.loads(register.read_text()) if register.exists() else {}
    register.write_text(json.dumps(numbers | {name: number}))


@contextmanager
def told_in_store() -> Iterator[str]:
    """Keep session `told` in the audit store for as long as this lasts; give its name."""
    told_log()
    with _in_store(TOLD, TOLD_NUMBER):
        yield TOLD


@contextmanager
def governed_in_store() -> Iterator[str]:
    """The same of session `governed`: stopped before its end, with a stop of S4 that keeps what is
    held, a stricter limit, a looser one that waits for a second person, and a re-arming.
    """
    governed_log()
    with _in_store(GOVERNED, GOVERNED_NUMBER):
        yield GOVERNED


@contextmanager
def marred_in_store() -> Iterator[str]:
    """The same of session `marred`: two days with charges, every fill MODELLED, and on the second
    a trade whose quotes are gone.
    """
    marred_log()
    with _in_store(MARRED, MARRED_NUMBER):
        yield MARRED


@contextmanager
def _in_store(name: str, number: int) -> Iterator[None]:
    from journal.services import mirror_rebuild

    mirror_rebuild(sessions=[name])
    try:
        yield
    finally:
        forget_session(number)


def forget_session(number: int) -> None:
    """Take a session's rows out of the audit store."""
    with psycopg.connect(os.environ["AUDIT_OWNER_URL"]) as owner:
        owner.execute(f"DROP TABLE IF EXISTS audit.event_{number}")
        owner.execute("DELETE FROM audit.mirror_position WHERE number = %s", [number])
        owner.execute("DELETE FROM audit.session WHERE number = %s", [number])


def seqs_by_kind(kind: str) -> list[tuple[int, dict[str, object]]]:
    """Return (seq, data) of every event of a kind in session `told`, from its log."""
    from journal.log.reader import read_session

    return [
        (line.body["seq"], line.body["data"])
        for line in read_session(told_log())
        if line.body["kind"] == kind
    ]
