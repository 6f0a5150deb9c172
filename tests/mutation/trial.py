"""Whether the unit tests of risk, costs and execution notice small changes of them.

`python -m tests.mutation.trial [--count N --seed N --workers N --out FILE --again FILE]`.

A copy of the packages is made, the tests run once to see which of them call which function, and
then each mutant is put into a worker's copy and met by the tests of its function, the quickest
first, then by the rest of its module's, in a process of its own. Running out of CPU time is noticed
too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.mutants import MODULE_LEVEL, Mutant, mutants_of, selected, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("trading/risk", "trading/costs", "trading/execution")
SUITES = ("tests/trading/risk", "tests/trading/costs", "tests/trading/execution")
COPIED = ("trading", "journal", "replay", "tests", "docs", "pyproject.toml")
# Needs files that are not of the repository, and a fixture of the whole suite.
LEFT_OUT = "tests/trading/risk/test_margin_evidence.py"
CPU_SECONDS = 90
SEED, COUNT = 20, 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a mutant fared: `killed`, `survived`, `unmet` where no test calls its module, `unclear`
    where the tests could not be run.
    """

    mutant: Mutant
    verdict: str
    tests: int
    cpu_seconds: float


class Calls:
    """A plugin of pytest that notes which test calls which function of the packages, and how long
    it takes.
    """

    def __init__(self, root: Path) -> None:
        self._root = f"{root}/"
        self.tests: dict[tuple[str, str], set[str]] = {}
        self.seconds: dict[str, float] = {}
        self._seen: set[tuple[str, str]] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._seen = set()
        began = time.process_time()
        sys.setprofile(self._on_call)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            self.seconds[item.nodeid] = time.process_time() - began
            for where in self._seen:
                self.tests.setdefault(where, set()).add(item.nodeid)

    def _on_call(self, frame: FrameType, what: str, _: Any) -> None:
        code = frame.f_code
        if what == "call" and code.co_filename.startswith(self._root):
            path = code.co_filename.removeprefix(self._root)
            if path.startswith(PACKAGES):
                self._seen.add((path, code.co_qualname.partition(".<locals>")[0]))


def copy_of_repository(target: Path) -> Path:
    """Copy what the tests need, without what Python made of it."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    return target


def run_tests(root: Path, tests: Sequence[str], *plugins: object) -> int:
    """Run tests of a copy in this process, which nothing of the packages was imported in."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
    )
    settings.load_profile("mutation")
    plugins_off = ("django", "playwright", "cacheprovider", "xdist")
    off = [word for name in plugins_off for word in ("-p", f"no:{name}")]
    words = [*off, "-x", "-q", "--no-header", "-W", "ignore", "--import-mode=importlib"]
    words += ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    words += ["-c", os.devnull, "--rootdir", str(root), "--confcutdir", f"{root}/tests/trading"]
    return int(pytest.main([*words, "--deselect", LEFT_OUT, *tests], plugins=list(plugins)))


def in_child(root: Path, tests: Sequence[str], answer: Path | None = None) -> tuple[int, float]:
    """Fork, run tests, return the exit code (negative: the signal) and the CPU seconds."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            sys.dont_write_bytecode = answer is None
            calls = Calls(root)
            if answer is None:
                code = run_tests(root, tests)
            else:
                code = run_tests(root, tests, calls)
                told = [[*where, sorted(names)] for where, names in sorted(calls.tests.items())]
                answer.write_text(json.dumps({"calls": told, "seconds": calls.seconds}))
        finally:
            os._exit(code)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


@dataclass(frozen=True, slots=True)
class Known:
    """Which tests call which function, and their CPU seconds."""

    calls: dict[tuple[str, str], list[str]]
    seconds: dict[str, float]

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests of its function, the quickest first, then those of the rest of its module. A
        constant is met without a call: any test of a file that tests its module may read it.
        """
        own = set(self.calls.get((mutant.path, mutant.function), []))
        rest = {
            name for (path, _), names in self.calls.items() if path == mutant.path for name in names
        }
        if mutant.function.endswith(MODULE_LEVEL):
            files = {_file_of(name) for name in rest}
            own = rest = {name for name in self.seconds if _file_of(name) in files}
        return sorted(own, key=self._cost) + sorted(rest - own, key=self._cost)

    def _cost(self, name: str) -> tuple[float, str]:
        return self.seconds[name], name


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def known_calls(root: Path) -> Known:
    """Run the unchanged tests once. Raises RuntimeError when they do not pass."""
    answer = root / "calls.json"
    code, _ = in_child(root, SUITES, answer)
    if code:
        raise RuntimeError(f"the unchanged tests end with {code}, expected 0")
    told = json.loads(answer.read_text())
    calls = {(path, function): names for path, function, names in told["calls"]}
    return Known(calls, told["seconds"])


def tried(root: Path, mutant: Mutant, known: Known) -> Outcome:
    """Put a mutant into a copy, let the tests meet it, and take it out again."""
    tests = known.tests_of(mutant)
    if not tests:
        return Outcome(mutant, "unmet", 0, 0.0)
    target = root / mutant.path
    kept = target.read_text()
    try:
        target.write_text(source_of(root, mutant))
        for stale in target.parent.glob(f"__pycache__/{target.stem}.*"):
            stale.unlink()
        code, cpu_seconds = in_child(root, tests)
        if code == pytest.ExitCode.USAGE_ERROR:  # a test's name holds a figure that has changed
            files = sorted({_file_of(name) for name in tests})
            code, more = in_child(root, files)
            cpu_seconds += more
    finally:
        target.write_text(kept)
    return Outcome(mutant, _verdict(code), len(tests), round(cpu_seconds, 2))


def _verdict(code: int) -> str:
    """What an exit code says: tests failed, or could not be collected, or ran out of CPU time."""
    if code == pytest.ExitCode.OK:
        return "survived"
    noticed = code in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED} or code < 0
    return "killed" if noticed else "unclear"


def all_mutants() -> list[Mutant]:
    """Every mutant of the packages."""
    paths = [
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in sorted((REPOSITORY / package).glob("*.py"))
    ]
    return [mutant for path in paths for mutant in mutants_of(REPOSITORY, path)]


def trial(chosen: Sequence[Mutant], *, workers: int) -> list[Outcome]:
    """Try mutants, each worker in a copy of its own; in the order they were given."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        first = copy_of_repository(Path(scratch) / "1")
        known = known_calls(first)
        copies: Queue[tuple[Path, Known]] = Queue()
        for number in range(1, workers + 1):
            root = Path(scratch) / str(number)
            if root != first:
                shutil.copytree(first, root)
            copies.put((root, known))

        def one(mutant: Mutant) -> Outcome:
            root, calls = copies.get()
            try:
                outcome = tried(root, mutant, calls)
            finally:
                copies.put((root, calls))
            print(f"{outcome.verdict} {mutant.name}", file=sys.stderr, flush=True)  # noqa: T201
            return outcome

        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, chosen))


def main() -> None:
    """Run the trial and write every outcome as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every outcome there, as JSON")
    parser.add_argument(
        "--again",
        type=Path,
        metavar="FILE",
        help="only those that such a file says were not killed",
    )
    wanted = parser.parse_args()
    chosen = selected(all_mutants(), count=wanted.count, seed=wanted.seed)
    if wanted.again is not None:
        told = json.loads(wanted.again.read_text())
        left = {Mutant(**each["mutant"]).name for each in told if each["verdict"] != "killed"}
        chosen = [mutant for mutant in chosen if mutant.name in left]
    outcomes = trial(chosen, workers=wanted.workers)
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    text = json.dumps([asdict(outcome) for outcome in outcomes], indent=1, ensure_ascii=False)
    if wanted.out is not None:
        wanted.out.write_text(text)
    print(f"{verdicts['killed']} of {len(outcomes)} killed, seed {wanted.seed}")  # noqa: T201


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
