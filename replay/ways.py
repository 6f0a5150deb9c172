"""N ways through one recording, each day of each way in a fresh interpreter, and the verdict.

No two ways share memory, and each has another hash seed: what depends on the order of a set shows.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

import orjson

from journal.figures import count
from journal.log.manifest import ManifestError, process_differences, read_manifest
from replay.comparator import Divergence, What
from replay.recording import DayRecording, Recording, ReplayError, read_recording
from replay.runner import DayReplay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from journal.log.head import Head
    from journal.log.manifest import ProcessFacts
from journal.log.session import day_name

PROGRESS_SECONDS = 0.25
_REPOSITORY = Path(__file__).resolve().parent.parent
# All that a way gets of the environment: what an interpreter needs to start.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a replay may use: interpreters at once, the environment they get, a directory for
    temporary files, a clock in seconds, and whom to tell (events behind us over all ways, and in
    all), a few times a second; what it raises stops the replay.
    """

    workers: int
    environment: Mapping[str, str]
    scratch: Path
    clock: Callable[[], float]
    progress: Callable[[int, int], None]


@dataclass(slots=True)
class WayResult:
    """One way: the SHA-256 over the canonical bytes of every body it derived, in order, how many
    answers equal the record, and where it left it first. `seconds` are those of its interpreters.
    """

    way: int
    hash_seed: int
    digest: str = ""
    events: int = 0
    derived: int = 0
    identical: int = 0
    different: int = 0
    owed: int = 0
    seconds: float = 0.0
    divergence: Divergence | None = None


@dataclass(slots=True)
class ReplayResult:
    """N ways beside the record."""

    session: str
    days: list[str]
    finished: bool
    events: int
    derived: int
    digest: str
    counts: dict[str, int]
    code_versions: list[str]  # that recorded the session
    code_version: str  # that replays it
    seconds: float
    ways: list[WayResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what else is not as it was recorded

    @property
    def identical(self) -> bool:
        """Whether every way derived what is recorded, to the byte."""
        return all(way.divergence is None and way.digest == self.digest for way in self.ways)

    def verdict(self) -> str:
        """Return the verdict as a sentence."""
        several = len(self.ways) > 1
        ways = f"{len(self.ways)} ways" if several else "1 way"
        if self.identical:
            events = f"{count(self.derived)} derived event{'s' if self.derived != 1 else ''}"
            text = f"{ways} identical to the record over {events}"
        elif len({way.digest for way in self.ways}) > 1:
            text = f"{ways} differ from each other: one engine, one record, more than one answer"
        else:
            among = ", identical to each other" if several else ""
            text = (
                f"{ways} differ{'' if several else 's'} from the record{among}; {self._versions()}"
            )
        return text if self.finished else f"{text}; the session is not finished"

    def _versions(self) -> str:
        if self.code_versions == [self.code_version]:
            return f"recorded and replayed by {self.code_version}"
        return f"recorded by {', '.join(self.code_versions)}, replayed by {self.code_version}"

    def to_data(self) -> dict[str, Any]:
        """Return the result as a JSON value."""
        return asdict(self) | {"identical": self.identical, "verdict": self.verdict()}


def replay_session(
    directory: Path,
    *,
    times: int,
    workshop: Workshop,
    code_version: str,
    days: Sequence[str] = (),
    end: Head | None = None,
    present: ProcessFacts | None = None,
) -> ReplayResult:
    """Decide a session's days again `times` times and compare each way with the record.

    `days` are IST dates, all by default; `end` is where the log is taken to end, by default its
    durable head; `present` is what interpreters are made of here, which the session's manifest is
    compared with. Raises ReplayError when there is nothing to replay, TamperedError when the log
    contradicts its chain.
    """
    if times < 1:
        raise ReplayError(f"{times} ways: expected 1 or more")
    started = workshop.clock()
    recording = read_recording(directory, days=days, end=end, beat=lambda: workshop.progress(0, 0))
    result = ReplayResult(
        session=recording.session,
        days=[day.date for day in recording.days],
        finished=recording.finished,
        events=recording.events,
        derived=recording.derived,
        digest=recording.digest,
        counts=dict(sorted(recording.counts.items())),
        code_versions=recording.code_versions,
        code_version=code_version,
        seconds=0.0,
        notes=_notes(directory, present),
    )
    with _Shop(recording, times, workshop) as shop:
        result.ways = shop.run()
    result.seconds = workshop.clock() - started
    return result


def _notes(directory: Path, present: ProcessFacts | None) -> list[str]:
    """Return what decided bytes then and is another thing now, by the session's manifest."""
    if present is None:
        return []
    try:
        manifest = read_manifest(directory)
    except ManifestError as error:
        return [f"what the session was recorded with is not known: {error}"]
    recorded = manifest.processes.values() if manifest is not None else ()
    notes = [note for facts in recorded for note in process_differences(facts, present)]
    return list(dict.fromkeys(notes))


class _Task:
    """One way of one day: its process, its progress and what it derived."""

    def __init__(self, way: int, day: DayRecording) -> None:
        self.way = way
        self.day = day
        self.events = 0
        self.seconds = 0.0
        self.replay: DayReplay | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.derived: IO[bytes] | None = None

    def close(self) -> None:
        """Kill the process when it still runs, and let go of the temporary file."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.derived is not None:
            self.derived.close()


class _Line:
    """A way in the making: its days are taken in order, as they are done."""

    def __init__(self, way: int, tasks: list[_Task]) -> None:
        self.result = WayResult(way=way, hash_seed=way)
        self._waiting = deque(tasks)
        self._before: _Task | None = None
        self._digest = sha256()

    def take_done(self) -> None:
        """Take the days that are done and follow on what was taken."""
        while self._waiting and self._waiting[0].replay is not None:
            task = self._waiting.popleft()
            assert task.derived is not None  # noqa: S101 - it was there when the process started
            _add_day(self.result, self._before, task)
            task.derived.seek(0)
            while chunk := task.derived.read(_CHUNK):
                self._digest.update(chunk)
            task.close()
            self._before = task
        self.result.digest = self._digest.hexdigest()


class _Shop:
    """Runs the tasks, day by day and way by way, as many at once as there are workers."""

    def __init__(self, recording: Recording, times: int, workshop: Workshop) -> None:
        self._recording = recording
        self._workshop = workshop
        self._lock = Lock()
        self._stopped = False
        numbers = range(1, times + 1)
        self._tasks = [_Task(number, day) for day in recording.days for number in numbers]
        self._lines = [_Line(n, [t for t in self._tasks if t.way == n]) for n in numbers]
        workers = min(workshop.workers, len(self._tasks))
        self._pool = ThreadPoolExecutor(workers, initializer=_hold_interrupts)

    def __enter__(self) -> _Shop:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
        for task in self._tasks:
            task.close()
        self._pool.shutdown()

    def run(self) -> list[WayResult]:
        """Run every task; return the ways."""
        waiting: set[Future[None]] = {self._pool.submit(self._perform, t) for t in self._tasks}
        total = self._recording.events * len(self._lines)
        while waiting:
            done, waiting = wait(waiting, timeout=PROGRESS_SECONDS, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            for line in self._lines:
                line.take_done()
            self._workshop.progress(sum(task.events for task in self._tasks), total)
        return [line.result for line in self._lines]

    def _perform(self, task: _Task) -> None:
        """Run one task in a process of its own (in a thread of the pool)."""
        process = self._start(task)
        if process is None:
            return
        with process:
            assert process.stdin and process.stdout  # noqa: S101, PT018 - both are pipes
            with suppress(BrokenPipeError):  # it has ended already; its code follows
                process.stdin.write(orjson.dumps(self._job(task)))
                process.stdin.close()
            for line in process.stdout:
                _hear(task, orjson.loads(line))
        if task.replay is None:
            raise ReplayError(
                f"way {task.way} of {task.day.date} ended with code {process.returncode} "
                "before its result"
            )

    def _start(self, task: _Task) -> subprocess.Popen[bytes] | None:
        given = self._workshop.environment
        environment = {name: given[name] for name in _KEPT if name in given}
        environment |= _ONE_THREAD | {"PYTHONHASHSEED": str(task.way)}
        with self._lock:
            if self._stopped:
                return None
            try:
                task.derived = tempfile.TemporaryFile(dir=self._workshop.scratch)  # noqa: SIM115
                task.process = subprocess.Popen(
                    [sys.executable, "-m", "replay.day_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=(task.derived.fileno(),),
                    cwd=_REPOSITORY,
                    env=environment,
                )
            except OSError as error:
                raise ReplayError(f"cannot start an interpreter: {error}") from error
        return task.process

    def _job(self, task: _Task) -> dict[str, Any]:
        assert task.derived is not None  # noqa: S101 - made with the process
        last = task.day is self._recording.days[-1]
        return {
            "session": self._recording.session,
            "day": asdict(task.day) | {"path": str(task.day.path)},
            "derived_to": task.derived.fileno(),
            "unfinished": last and not self._recording.finished,
        }


def _hold_interrupts() -> None:
    """Keep Ctrl-C from the processes this thread starts: it is for us, who then end them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _hear(task: _Task, message: dict[str, Any]) -> None:
    if "events" in message:
        task.events = message["events"]
    elif "refused" in message:
        raise ReplayError(message["refused"])
    else:
        day = message["day"]
        if day["divergence"] is not None:
            found = day["divergence"]
            day["divergence"] = Divergence(**found | {"what": What(found["what"])})
        task.replay = DayReplay(**day)
        task.events, task.seconds = task.day.events, message["seconds"]


def _add_day(way: WayResult, before: _Task | None, task: _Task) -> None:
    replay = task.replay
    assert replay is not None  # noqa: S101 - a task without one has raised
    way.events += replay.events
    way.derived += replay.derived
    way.identical += replay.identical
    way.different += replay.different
    way.owed += replay.owed
    way.seconds += task.seconds
    way.divergence = way.divergence or _between(before, task) or replay.divergence


def _between(before: _Task | None, task: _Task) -> Divergence | None:
    """Return how a day's recorded opening state differs from the state the replay of the day before
    it ended with, None when it does not.
    """
    day = task.replay
    if before is None or before.replay is None or day is None:
        return None
    follows = (task.day.previous or {}).get("file") == day_name(before.day.path)
    if not follows or None in (before.replay.closing, day.opening):
        return None
    if before.replay.closing == day.opening:
        return None
    return Divergence(
        what=What.STATE,
        seq=day.opening_seq,
        kind="day.opened",
        path="$.data.state_digest",
        recorded=orjson.dumps(day.opening).decode(),
        replayed=orjson.dumps(before.replay.closing).decode(),
    )
