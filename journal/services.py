"""What is done with the journal: the audit store filled, rebuilt and compared with the logs,
trading stopped, bytes of a log handed out.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import connections

from journal import mirror, mirror_check
from journal.desk import DeskRecord, presentable, write_record
from journal.desk_log import keep_desk_log
from journal.desk_losses import LOST
from journal.kill_file import Stop, add_stop, kill_file, remove_kill_file
from journal.live import open_sessions
from journal.log.errors import LogError, UnknownSessionError, UnknownStrategyError
from journal.log.extract import day_extract, extract_digest, lines_extract, packed_extract
from journal.log.head import read_head
from journal.log.reader import first_opening
from journal.log.session import (
    checked_session_name,
    existing_session_directory,
    log_names,
    session_directory,
)
from journal.log.status import UNREADABLE, without_directory
from journal.mirror import MirrorError
from journal.mirror_check import Comparison, Range
from journal.secrets import read_or_create_secret, shell_user
from journal.spool import Command, SpoolError, write_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from journal.log.extract import Extract

logger = logging.getLogger("brahmastra.journal")

CHECK_PATIENCE_SECONDS = 2.0  # a mirror that follows is never this far behind


# --- the mirror -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a catch-up or a rebuild did to a session: lines moved, and where the store ends."""

    session: str
    moved: int
    line: int
    hash: str


def mirror_catch_up(*, sessions: Sequence[str] = ()) -> list[Mirrored]:
    """Move everything durable of the named sessions (default: all) into the audit store.

    Raises MirrorError: one line a session that could not be mirrored; the others are.
    """
    done: list[Mirrored] = []
    alarms: list[str] = []
    directories = _directories(sessions)
    with _store("mirror") as connection:
        for directory in directories:
            try:
                done.append(_mirrored(directory, mirror.catch_up(connection, directory)))
            except MirrorError as error:
                alarms.append(str(error))
    if alarms:
        raise MirrorError("\n".join(alarms))
    return done


def mirror_follow(*, stopped: Callable[[], bool], report: Callable[[str], None]) -> None:
    """Mirror every session until `stopped()`, and write the desk's own log beside it, which needs
    no store; raises MirrorError when a session cannot be mirrored.
    """
    with _one_line_errors(), _desk_log_kept(report):
        mirror.follow(
            connect=lambda: _connect("mirror"),
            var_dir=settings.VAR_DIR,
            stopped=stopped,
            report=report,
        )


@contextmanager
def _desk_log_kept(report: Callable[[str], None]) -> Iterator[None]:
    """Write the desk's log for as long as this lasts, in a thread: a store that does not answer
    holds nothing up.
    """
    stop = threading.Event()
    thread = threading.Thread(
        target=keep_desk_log,
        args=(settings.VAR_DIR,),
        kwargs={
            "key": read_or_create_secret(settings.VAR_DIR / "secrets" / "spool.key"),
            "clock": _now_us,
            "stop": stop,
            "report": report,
        },
        name="desk-log",
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def mirror_rebuild(*, sessions: Sequence[str] = ()) -> list[Mirrored]:
    """Drop the rows of the named sessions (default: all that have a log) and fill them again.

    Raises MirrorError, before anything of a session is dropped, when its log does not verify.
    """
    directories = _directories(sessions)
    with _store("owner") as owner, _store("mirror") as connection:
        done = [
            _mirrored(directory, mirror.rebuild(owner, connection, directory))
            for directory in directories
        ]
    if done:
        desk_record(
            kind="desk.mirror_rebuilt",
            actor=shell_user(),
            address="local",
            data={"sessions": [one.session for one in done]},
        )
    return done


def mirror_compare(
    *, sessions: Sequence[str] = (), first_line: int = 1, last_line: int | None = None
) -> list[Comparison]:
    """Compare the audit store with the logs of the named sessions, all their lines or a range;
    without names with all of them, and then a session that has rows and no log is a difference too.
    """
    lines = Range(first_line, last_line)
    directories = _directories(sessions)
    with _store("mirror") as connection:
        results = [
            mirror_check.compare(
                connection, directory, patience_seconds=CHECK_PATIENCE_SECONDS, lines=lines
            )
            for directory in directories
        ]
        if not sessions:
            known = {directory.name for directory in directories}
            results += mirror_check.strays(connection, known)
    return results


def _directories(sessions: Sequence[str]) -> list[Path]:
    """Return the logs of the named sessions; only those of this `VAR_DIR` have numbers of it."""
    known = log_names(settings.VAR_DIR)
    for name in sessions:
        if name not in known:
            listed = ", ".join(known) or "none yet"
            raise MirrorError(f"session {name!r} has no log in {settings.VAR_DIR}; known: {listed}")
    return [session_directory(settings.VAR_DIR, name) for name in sessions or known]


def _mirrored(directory: Path, moved: int) -> Mirrored:
    head = read_head(directory)
    line, digest = (head.line, head.hash) if head is not None else (0, "")
    return Mirrored(session=directory.name, moved=moved, line=line, hash=digest)


@contextmanager
def _store(alias: str) -> Iterator[psycopg.Connection[Any]]:
    with _one_line_errors(), _connect(alias) as connection:
        yield connection


def _connect(alias: str) -> psycopg.Connection[Any]:
    """Return a connection of its own with the settings of a database alias.

    Not Django's: the mirror commits for itself, reconnects for itself and outlives requests.
    """
    parameters = connections[alias].get_connection_params()
    return psycopg.connect(**parameters | {"connect_timeout": 5}, autocommit=True)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        text = str(error).strip().partition("\n")[0] or type(error).__name__
        raise MirrorError(f"audit store: {text}") from error


# --- the desk's own log ---------------------------------------------------------------------------


def desk_record(
    *,
    kind: str,
    actor: str,
    address: str,
    data: Mapping[str, Any],
    reason: str = "",
    record_id: UUID | None = None,
    var_dir: Path | None = None,
) -> bool:
    """Hand an act of a person to the desk's own log; return whether it could be written down.

    Never raises: a sign-in or a stop must not wait for a disk. What is lost is logged and counted.
    A `record_id` makes saying it twice one record.
    """
    var_dir = var_dir or settings.VAR_DIR
    try:
        record = DeskRecord(
            id=str(record_id or uuid4()),
            kind=kind,
            actor=presentable(actor),
            address=presentable(address),
            reason=reason,
            at=_now_us(),
            data=dict(data),
        )
        key = read_or_create_secret(var_dir / "secrets" / "spool.key")
        write_record(var_dir=var_dir, key=key, record=record)
    except (OSError, SpoolError, LogError) as error:
        LOST.add()
        logger.error("not in the desk's log: %s by %r: %s", kind, actor, error)
        return False
    return True


def _now_us() -> int:
    return time.time_ns() // 1000


# --- stopping trading -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Killed:
    """What a kill reached: the sessions a command was written to, the KILL file when it was made or
    was there already, and what went wrong on the way.
    """

    sessions: tuple[str, ...]
    file: Path | None
    problems: tuple[str, ...]


def trading_kill(
    *,
    var_dir: Path,
    sessions: Sequence[str] = (),
    strategy: str | None = None,
    hold: bool = False,
    actor: str,
    address: str,
    reason: str,
    command_id: UUID | None = None,
) -> Killed:
    """Stop trading, or one strategy, in the named sessions; without names in every session that is
    not finished and, with the file `VAR_DIR/KILL`, in whatever starts later. With `hold` what is
    held stays.

    Needs no database, no web and no Valkey. It stops what it can: a part that fails is in
    `problems` and does not hold up the rest. A `command_id` makes asking twice (a second click) one
    command. Raises LogError for a session without a log, or a strategy none of the sessions runs,
    before anything is written.
    """
    named = [_named_session(var_dir, name) for name in sessions]
    problems: list[str] = []
    try:
        wanted = _running(var_dir, named or open_sessions(var_dir), strategy)
    except OSError as error:
        problems.append(f"no session was told: {error}")
        wanted = []
    stop = Stop(strategy, hold, reason)
    file = None if sessions else _write_kill_file(var_dir, stop, actor, problems)
    arguments = ({"strategy": strategy} if strategy else {}) | ({"hold": True} if hold else {})
    reached: list[str] = []
    try:
        key = read_or_create_secret(var_dir / "secrets" / "spool.key")
    except OSError as error:
        problems.append(f"no session was told: {error}")
        wanted = []
    for session in wanted:
        try:
            told = command_id or uuid4()
            kill = _command(session, told, "kill", arguments, actor, address, reason)
            write_command(var_dir=var_dir, key=key, command=kill)
        except (OSError, SpoolError) as error:
            problems.append(f"session {session}: {error}")
        else:
            reached.append(session)
    desk_record(
        kind="desk.stop_pressed",
        actor=actor,
        address=address,
        reason=reason,
        data={
            "sessions": reached,
            "everywhere": file is not None,
            "problems": problems,
            "strategy": strategy,
            "hold": hold,
        },
        record_id=command_id,
        var_dir=var_dir,
    )
    return Killed(sessions=tuple(reached), file=file, problems=tuple(problems))


def trading_lift(*, var_dir: Path, actor: str, address: str, reason: str) -> tuple[str, ...] | None:
    """Remove the file `VAR_DIR/KILL`; return what it said, one reason a stop, None when there was
    none. Sessions it stopped stay stopped until two people re-arm them. Raises OSError.
    """
    file = remove_kill_file(var_dir)
    if file is None:
        return None
    stops = tuple(stop.reason for stop in file.stops)
    desk_record(
        kind="desk.stop_lifted",
        actor=actor,
        address=address,
        reason=reason,
        data={"stops": list(stops)},
        var_dir=var_dir,
    )
    return stops


def _running(var_dir: Path, sessions: list[str], strategy: str | None) -> list[str]:
    """Return those of the sessions that run a strategy, all without one, and those whose log does
    not say. Raises UnknownStrategyError when every log says that it is not run.
    """
    if strategy is None:
        return sessions
    run = {name: _strategies(session_directory(var_dir, name)) for name in sessions}
    found = [name for name, names in run.items() if names is None or strategy in names]
    if sessions and not found:
        known = sorted({each for names in run.values() for each in names or ()})
        raise UnknownStrategyError(
            f"strategy {strategy!r} runs in no session; expected {', '.join(known) or 'none'}"
        )
    return found


def _strategies(directory: Path) -> list[str] | None:
    """Return the strategies a session runs; None when its log does not say."""
    try:
        opening = first_opening(directory)
        if opening is None:
            return None
        strategies = opening["configuration"]["strategies"]
        return sorted(name for name, settings_of in strategies.items() if settings_of)
    except (*UNREADABLE, KeyError, TypeError, AttributeError):
        return None


def _named_session(var_dir: Path, name: str) -> str:
    """Return the name of a session that has its log here; a log elsewhere has no spool here, and
    the desk's own log no engine.
    """
    directory = session_directory(var_dir, checked_session_name(name))
    if existing_session_directory(var_dir, name) != directory:
        raise UnknownSessionError(f"session {name!r} has no log in {directory.parent}")
    return name


def session_tell(
    *,
    var_dir: Path,
    session: str,
    command: str,
    arguments: dict[str, Any],
    actor: str,
    address: str,
    reason: str,
) -> str:
    """Put a command into a session's spool; return its id, by which a second person approves it.

    Needs no database, no web and no Valkey. The session answers in its log. Raises LogError for a
    session without a log, SpoolError for a command or reason that is none and where the spool may
    not be written.
    """
    named = _named_session(var_dir, session)
    told = _command(named, uuid4(), command, arguments, actor, address, reason)
    try:
        key = read_or_create_secret(var_dir / "secrets" / "spool.key")
        write_command(var_dir=var_dir, key=key, command=told)
    except OSError as error:
        raise SpoolError(
            f"session {named} cannot be told: {error.filename}: {error.strerror}"
        ) from error
    return told.id


def _command(
    session: str,
    command_id: UUID,
    command: str,
    arguments: dict[str, Any],
    actor: str,
    address: str,
    reason: str,
) -> Command:
    return Command(
        id=str(command_id),
        session=session,
        command=command,
        arguments=arguments,
        actor=actor,
        address=address,
        reason=reason,
        issued_at=_now_us(),
    )


def _write_kill_file(var_dir: Path, stop: Stop, actor: str, problems: list[str]) -> Path | None:
    try:
        add_stop(var_dir, stop=stop, actor=actor)
    except OSError as error:
        problems.append(str(error))
        return None
    return kill_file(var_dir)


# --- bytes handed out -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Download:
    """What is handed out, and the SHA-256 of its bytes."""

    extract: Extract
    sha256: bytes


def log_download(
    *,
    session: str,
    day: str = "",
    packed: bool = False,
    lines: tuple[int, int] | None = None,
    actor: str,
    address: str,
    var_dir: Path,
) -> Download:
    """Prepare a day (ISO text), the file it is `packed` in, or the `lines` from first to last, as
    they are on disk.

    Raises LogError when the log has no such day or lines, or their place cannot be found.
    """
    if session not in log_names(var_dir):
        raise UnknownSessionError(f"session {session!r} has no log")
    directory = session_directory(var_dir, session)
    try:
        if lines is not None:
            extract = lines_extract(directory, *lines)
        else:
            extract = (packed_extract if packed else day_extract)(directory, day)
        prepared = Download(extract=extract, sha256=extract_digest(extract))
    except UNREADABLE as error:
        raise LogError(without_directory(error, directory)) from error
    desk_record(
        kind="desk.downloaded",
        actor=actor,
        address=address,
        data={
            "session": session,
            "file": extract.name,
            "bytes": extract.bytes,
            "sha256": prepared.sha256.hex(),
        },
        var_dir=var_dir,
    )
    return prepared
