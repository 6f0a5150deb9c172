"""`make run`: from a fresh clone to an answering site with a finished session in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import time
from typing import IO, TYPE_CHECKING

from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import REPOSITORY, child_environment, var_directory
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.programmes import DEMO_SESSION, programmes
from brahmastra_site.launcher.servers import open_lock, run_directory, servers
from brahmastra_site.launcher.supervisor import Supervisor, how_it_ended
from journal.log.lookup import last_kind
from journal.log.session import session_directory
from trading.costs.rates import CostError
from trading.engine.configuration import configuration_from_toml
from trading.engine.opening import tariff_of
from trading.market.categories import BY_NAME
from trading.market.feed import days_with_data
from trading.market.store import MarketStore, StoreError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_DEFAULT_PORT = 8000
_NEEDED_BYTES = 500 * 1024 * 1024
_WEB_SECONDS = 60.0
_LOOK_SECONDS = 0.2


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked us to stop
    """A signal asked the launcher to stop."""


class Progress:
    """Numbered lines that say what is happening."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0

    def step(self, text: str) -> None:
        """Begin the next step."""
        self._step += 1
        say(f"[{self._step}/{self._steps}] {text}")


def say(line: str) -> None:
    """Tell the person at the terminal, if there still is one."""
    with contextlib.suppress(OSError):
        print(line, flush=True)  # noqa: T201 - a command line


def run() -> int:
    """Run the house until a signal; return the exit code."""
    var_dir, port = var_directory(), chosen_port(os.environ.get("PORT", ""))
    progress = Progress(steps=8)
    try:
        _listen_for_signals()
        progress.step(f"Checking {var_dir}, the disk and port {port}")
        with _only_one(var_dir):
            refuse_full_disk(var_dir)
            refuse_taken_port(port)
            progress.step("Starting PostgreSQL and Valkey")
            with servers(var_dir) as used:
                _run_house(var_dir, port, used.environment, progress)
    except Stopped:
        say("Stopped. Nothing is left running.")
        return 0
    return 1


def chosen_port(text: str) -> int:
    """Return the port named by the variable `PORT`, 8000 when it is empty."""
    if not text:
        return _DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise LauncherError(f"PORT is {text!r}; expected a number from 1 to 65535")
    return int(text)


def _listen_for_signals() -> None:
    def stop(_number: int, _frame: object) -> None:
        # One is enough: what follows must not be cut short.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


@contextlib.contextmanager
def _only_one(var_dir: Path) -> Iterator[None]:
    """Hold the house's lock, which the kernel lets go of when we die; refuse when another launcher
    holds it.
    """
    with open_lock(run_directory(var_dir) / "lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LauncherError(
                f"already running on {var_dir} (process {_holder(file)}); stop that one or set "
                f"VAR_DIR"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def refuse_full_disk(var_dir: Path, needed: int = _NEEDED_BYTES) -> None:
    """Refuse a disk with less than `needed` bytes free: a log must be writable."""
    free = shutil.disk_usage(var_dir).free
    if free < needed:
        raise LauncherError(
            f"the disk of {var_dir} has {free // 2**20} MiB free; at least {needed // 2**20} MiB "
            f"are needed"
        )


def refuse_taken_port(port: int) -> None:
    """Refuse a port that another process listens on or that we may not use."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            raise LauncherError(
                f"port {port} cannot be used ({error.strerror}); free it or choose another: "
                f"PORT=8001 make run"
            ) from None


def _run_house(
    var_dir: Path, port: int, environment: Mapping[str, str], progress: Progress
) -> None:
    """Do the steps that end, start the processes that stay, and look after them until a signal."""
    step = _Steps(var_dir, environment)
    progress.step("Bringing the database up to date")
    step.run("migrate", "manage.py", "migrate", "--verbosity=1")
    progress.step("Looking for the users of each role")
    step.run("users", "manage.py", "bootstrap_users", secret=True)
    progress.step("Collecting the static files")
    step.run("static", "manage.py", "collectstatic", "--noinput", "--verbosity=1")
    progress.step("Looking for market data")
    if holds_market_data(var_dir):
        step.run("market", "manage.py", "market", "import", "--reference")
    else:
        say("      There is none: making a synthetic day")
        step.run("market", "manage.py", "market", "synth", show=True)
    house = Supervisor(
        programmes(var_dir=var_dir, port=port), var_dir=var_dir, environment=environment, report=say
    )
    try:
        progress.step("Starting mirror, push, worker, beat and web")
        house.start()
        _wait_for_web(house, port)
        progress.step(f"Running the session {DEMO_SESSION}")
        if is_finished(session_directory(var_dir, DEMO_SESSION)):
            say("      It is finished; its log stays as it is")
        else:
            trade = ("trade", "--session", DEMO_SESSION, *costs(var_dir))
            step.run("session", "manage.py", *trade, show=True)
        say(f"The site answers at http://127.0.0.1:{port}/  (Ctrl-C stops everything)")
        while True:
            house.look()
            time.sleep(_LOOK_SECONDS)
    finally:
        say("Stopping")
        house.stop()


def holds_market_data(var_dir: Path) -> bool:
    """Tell whether the market store holds anything but tables of dated figures."""
    try:
        entries = MarketStore(var_dir / "market").catalogue().entries
    except StoreError as error:
        raise LauncherError(str(error)) from None
    return any(not BY_NAME[entry.category].is_dated_table for entry in entries)


def costs(var_dir: Path) -> tuple[str, ...]:
    """How `trade` is to charge the days of the market store: by its configuration or, where the
    charges of one of them are not on record, not at all, which every figure then says.
    """
    where = REPOSITORY / "trial.toml"
    configuration = configuration_from_toml(where.read_text(), where=where.name)
    underlyings = configuration.underlyings
    try:
        for day in days_with_data(MarketStore(var_dir / "market"), underlyings):
            tariff_of(configuration, day)
    except CostError as error:
        say(f"      {error}: nothing is taken off")
        return ("--costs", "gross")
    return ()


def is_finished(directory: Path) -> bool:
    """Tell whether the log of a session ends with `session.closed`."""
    return last_kind(directory) == "session.closed"


def _wait_for_web(house: Supervisor, port: int) -> None:
    deadline = time.monotonic() + _WEB_SECONDS
    while time.monotonic() < deadline:
        house.look()
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1.0),
        ):
            if house.is_up("web"):
                return
        time.sleep(0.05)
    raise LauncherError(
        f"the web process did not answer on port {port} within {_WEB_SECONDS:.0f} s (see "
        f"VAR_DIR/run/web.log)"
    )


class _Steps:
    """Runs commands that end, one after the other, each with a log of its own."""

    def __init__(self, var_dir: Path, environment: Mapping[str, str]) -> None:
        self._logs = var_dir / "run"
        self._environment = child_environment(environment)

    def run(self, name: str, *arguments: str, show: bool = False, secret: bool = False) -> None:
        """Run a command of this interpreter, showing what it says as it says it when `show`.

        What is `secret` is shown and stays in no file.
        """
        log = self._logs / f"{name}.log"
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        process = children.start_child(
            [sys.executable, *arguments],
            log=log,
            environment=self._environment,
            directory=REPOSITORY,
        )
        try:
            code = _follow(process, log, say=_say_below if show or secret else _say_nothing)
            if code != 0:
                said = (children.last_lines(log, 1) or ["it said nothing"])[0].strip()
                where = "" if secret else f" (see {log})"
                command = " ".join(arguments)
                raise LauncherError(f"{command} {how_it_ended(code)}: {said}{where}")
        finally:
            children.stop_child(process)
            if secret:
                log.unlink()


def _follow(process: subprocess.Popen[bytes], log: Path, *, say: Callable[[str], None]) -> int:
    """Pass on what a process says, line by line, until it ends; return its exit code."""
    with log.open(errors="replace") as file:
        while True:
            code = process.poll()
            for line in file:
                say(line.rstrip())
            if code is not None:
                return code
            time.sleep(0.05)


def _say_below(line: str) -> None:
    say(f"      {line}")


def _say_nothing(_line: str) -> None:
    """The log has it."""
