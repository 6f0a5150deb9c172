"""`manage.py log`: verify, tail and show, without a server and without a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brahmastra_site.launcher.environment import REPOSITORY
from journal.execution_journal import ExecutionJournal
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.journal.log.test_run_record import begin, closing, opening, recorded
from tests.journal.log_bed import frame, open_log, signals, write_log
from tests.market_factory import DAYS, Rig
from tests.replay.forge import forge

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str) -> str:
    out = StringIO()
    call_command("log", *words, stdout=out)
    return out.getvalue()


def process(var_dir: Path, *words: str) -> subprocess.Popen[str]:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    return subprocess.Popen(
        [sys.executable, "manage.py", "log", *words],
        cwd=REPOSITORY,
        env=os.environ
        | {
            "VAR_DIR": str(var_dir),
            "DATABASE_URL": nowhere,
            "MIRROR_DATABASE_URL": nowhere,
            "AUDIT_OWNER_URL": nowhere,
            "REDIS_URL": "redis://127.0.0.1:1/0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_verify_says_what_holds(var_dir: Path) -> None:
    directory = write_log(var_dir, days=2, events=10)
    verified = verify_session(directory)
    said = run("verify", "day1")
    assert said.splitlines()[0] == "session day1: 24 lines, 22 events: every line holds"
    for file in verified.files:
        assert f"{file.file}  12 lines, {file.bytes} bytes, head {file.head}" in said
    assert f"head {verified.head}" in said
    assert f"root {verified.root}" in said
    report = json.loads(run("verify", str(directory), "--json"))
    assert report["holds"] is True
    assert (report["lines"], report["head"], report["root"]) == (24, verified.head, verified.root)


def test_verify_names_file_line_and_hash_in_one_line(var_dir: Path) -> None:
    directory = write_log(var_dir, days=2, events=10)
    file = directory / "2025-08-21.jsonl"
    lines = list(read_session(directory))
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    running = process(var_dir, "verify", "day1")
    said, complaint = running.communicate(timeout=30)
    assert running.returncode == 1
    assert said == ""
    assert len(complaint.splitlines()) == 1
    assert f"{file} line 15: hash does not match its event; expected " in complaint
    assert f"found {lines[14].hash}" in complaint
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("log", "verify", "day1", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert (report["holds"], report["file"], report["line"]) == (False, str(file), 15)
    assert len(report["expected"]) == 64


def test_verify_mentions_what_a_crash_left(var_dir: Path) -> None:
    directory = write_log(var_dir, events=10)
    with (directory / "2025-08-20.jsonl").open("ab") as file:
        file.write(b'{"event":{"bo')
    assert "13 bytes after the durable head are no whole batch" in run("verify", "day1")
    with open_log(var_dir):
        pass
    assert "moved aside by a recovery, not part of the log: 2025-08-20.jsonl.torn-" in run(
        "verify", "day1"
    )


def test_tail_shows_the_last_lines(var_dir: Path) -> None:
    directory = write_log(var_dir, days=2, events=10)
    lines = list(read_session(directory))
    said = run("tail", "day1", "-n", "13").splitlines()
    assert len(said) == 13
    assert said[-1].split() == [
        "22",
        "2025-08-29",
        "09:00:00.000",
        "signal.emitted",
        "S4:BANKNIFTY",
        "from",
        "21",
        lines[-1].hash[:16],
    ]
    assert said[1].split()[:4] == ["-", *said[1].split()[1:3], "log.opened"]
    assert len(run("tail", "day1").splitlines()) == 10
    assert run("tail", "day1", "-n", "0") == ""
    assert run("tail", "day1", "-n", "500", "--json").encode() == b"".join(x.raw for x in lines)


def test_tail_follows_what_becomes_durable(var_dir: Path) -> None:
    write_log(var_dir, events=5)
    running = process(var_dir, "tail", "day1", "-n", "1", "--follow", "--json")
    assert running.stdout is not None
    assert json.loads(running.stdout.readline())["event"]["body"]["seq"] == 6
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 7, 2))
        writer.open_day("2025-08-21")
        writer.commit(signals("day1", 9, 1))
        seen = [json.loads(running.stdout.readline())["event"]["body"]["seq"] for _ in range(4)]
    assert seen == [7, 8, None, 9]
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=60)
    assert (running.returncode, complaint) == (0, "")


def test_a_reader_that_leaves_is_no_error(var_dir: Path) -> None:
    write_log(var_dir, events=500)
    running = process(var_dir, "tail", "day1", "-n", "400", "--json")
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    time.sleep(0.1)
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()
    assert running.wait(timeout=60) == 0


def test_show_gives_one_event_with_its_place_and_causes(var_dir: Path) -> None:
    directory = write_log(var_dir, days=2, events=10)
    line = next(line for line in read_session(directory) if line.body["seq"] == 14)
    said = run("show", "day1", "14")
    assert said.splitlines()[0] == "day1.14  signal.emitted  2025-08-29 09:00:00.000 IST"
    place = f"2025-08-21.jsonl line {line.line}, byte {line.offset}, {line.length} bytes"
    assert said.splitlines()[1] == place
    assert f"hash {line.hash}" in said
    assert f"prev {line.prev}" in said
    assert "from day1.13  signal.emitted" in said
    assert '"reason": "₹ quiet"' in said
    report = json.loads(run("show", "day1", "14", "--json"))
    assert report["event"] == line.parsed
    assert (report["hash"], report["offset"]) == (line.hash, line.offset)
    assert report["causes"] == [{"seq": 13, "kind": "signal.emitted"}]
    raw = (directory / report["file"]).read_bytes()
    assert raw[report["offset"] : report["offset"] + report["length"]] == line.raw


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["verify", "day9"], "session 'day9' has no log in .*; known: day1"),
        (["tail", "nowhere/at/all"], "neither a session's name nor a directory"),
        (["tail", "day1", "-n", "-3"], "-n -3: expected 0 or more"),
        (["show", "day1", "99"], "session day1 has no event 99; the log ends at line 7"),
        (["show", "day1", "-1"], "session day1 has no event -1"),
    ],
)
def test_bad_words_are_one_line(var_dir: Path, words: list[str], complaint: str) -> None:
    write_log(var_dir, events=5)
    with pytest.raises(CommandError, match=complaint) as caught:
        run(*words)
    assert "\n" not in str(caught.value)


def test_a_directory_that_cannot_be_read_is_one_line(var_dir: Path) -> None:
    directory = write_log(var_dir, events=5)
    (directory / "2025-08-20.jsonl").unlink()
    (directory / "2025-08-20.jsonl").mkdir()
    for words in (["verify", "day1"], ["tail", "day1"], ["show", "day1", "2"]):
        with pytest.raises(CommandError, match=r"day1: .*Is a directory"):
            run(*words)


# --- manifest -------------------------------------------------------------------------------------


def test_manifest_is_printed_and_held_against_the_log(var_dir: Path) -> None:
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), frame("day1", 2), closing("day1", 3)])
    path = log.directory / "manifest.json"
    said = run("manifest", "day1").splitlines()
    assert said[0] == "session day1, number 1: finished"
    assert "run 1 finished (says its own process)" in said[1]
    assert "lines 1 to 4" in said[1]
    assert said[-1] == "  everything it says of the log is what the log says"
    report = json.loads(run("manifest", "day1", "--json"))
    assert (report["holds"], report["difference"]) == (True, None)
    assert report["manifest"] == json.loads(path.read_bytes())

    path.write_bytes(path.read_bytes().replace(b'"events": 3', b'"events": 4'))
    running = process(var_dir, "manifest", "day1")
    said_of_it, complaint = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "everything" not in said_of_it
    assert complaint.splitlines() == [
        f"CommandError: {path}: events: the manifest says 4, the log 3"
    ]


def test_manifest_that_is_missing_or_damaged_is_one_line(var_dir: Path) -> None:
    directory = write_log(var_dir)
    with pytest.raises(CommandError, match=r"manifest.json: there is none; the session's next"):
        run("manifest", "day1")
    (directory / "manifest.json").write_text("{")
    with pytest.raises(CommandError, match=r"manifest.json: not a manifest \("):
        run("manifest", "day1")


# --- verify, in part ------------------------------------------------------------------------------


def test_verify_takes_a_range_and_the_chain_alone(var_dir: Path) -> None:
    directory = write_log(var_dir, days=3, events=10)
    said = run("verify", "day1", "--from", "5", "--to", "20")
    assert said.startswith("session day1: 16 lines, 15 events: every line holds")
    for words in ([], ["--workers", "2"]):
        said = run("verify", "day1", "--chain", *words)
        assert said.startswith("session day1: 36 lines: the chain holds")
    assert json.loads(run("verify", "day1", "--chain", "--json"))["lines"] == 36
    file = directory / "2025-08-21.jsonl"
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    for words in (["--chain"], ["--chain", "--workers", "2"], ["--from", "10"]):
        with pytest.raises(CommandError, match=r"2025-08-21\.jsonl line 15: hash does not match"):
            run("verify", "day1", *words)
    assert "11 lines" in run("verify", "day1", "--from", "26")
    with pytest.raises(CommandError, match="expected a range within 1 to 36"):
        run("verify", "day1", "--from", "30", "--to", "37")
    with pytest.raises(CommandError, match="leave --from and --to out"):
        run("verify", "day1", "--chain", "--from", "3")


# --- the journals ---------------------------------------------------------------------------------


def test_orders_are_told_from_the_log_alone(var_dir: Path) -> None:
    rig = Rig(var_dir=var_dir, days=DAYS[:1])
    rig.run()
    said = run("orders", "day1").splitlines()
    report = json.loads(run("orders", str(rig.directory), "--json"))
    assert report["anomalies"] == []
    assert report["left_off"] == 0
    assert said[-1] == f"{len(report['orders'])} FILLED"
    first = report["orders"][0]
    head = next(line for line in said if line.startswith(first["order"]))
    assert "entry" in head
    assert f"{first['filled']} of {first['intent']['quantity']} NIFTY 2026-03-02 " in head
    assert sum(line.startswith("    ") for line in said) == sum(
        len(order["fills"]) for order in report["orders"]
    )
    assert "charges none (GROSS)" in said[1]
    running = process(var_dir, "orders", "day1")
    out, complaint = running.communicate(timeout=30)
    assert (running.returncode, complaint) == (0, "")
    assert out.splitlines() == said


def test_signals_are_told_with_what_the_gates_said(var_dir: Path) -> None:
    Rig(var_dir=var_dir, days=DAYS[:1]).run()
    everything = json.loads(run("signals", "day1", "--json"))["signals"]
    fired = json.loads(run("signals", "day1", "--fired", "--json"))["signals"]
    assert fired == [row for row in everything if row["signal"]["fired"]]
    assert {row["verdict"] for row in everything} == {"quiet", "admitted", "refused"}
    said = run("signals", "day1", "--fired").splitlines()
    assert len(said) == len(fired) + 1
    assert "gate 2 session window: after the last entry 10:00 IST" in "\n".join(said)
    quiet = len(everything) - len(fired)
    assert f"{quiet} quiet" in said[-1]


def test_what_contradicts_the_rest_is_said(var_dir: Path) -> None:
    rig = Rig(var_dir=var_dir, days=DAYS[:1])
    rig.run()
    first = next(iter(ExecutionJournal.of_session(rig.directory).orders()))

    def spoil(body: dict[str, Any]) -> dict[str, Any]:
        if body["kind"] == "broker.report" and body["data"]["order"] == first.order:
            return body | {"key": body["data"]["id"], "data": body["data"] | {"order": "day1.7"}}
        return body | {"v": 2} if body["kind"] == "gate.decided" else body

    forge(rig.directory, spoil)
    said = run("orders", "day1")
    assert "broker.report FILLED of an order that is not known" in said
    assert "; 2 anomalies" in said.splitlines()[-1]
    report = json.loads(run("orders", "day1", "--json"))
    assert [item["order"] for item in report["anomalies"]] == ["day1.7", "day1.7"]
    assert report["anomalies"][0]["event"]["kind"] == "broker.report"
    assert "gate.decided v: version 2 is not known" in run("signals", "day1")
    assert "not known to this version" in run("verify", "day1")


def test_the_schema_needs_no_session() -> None:
    assert run("schema") == (REPOSITORY / "docs" / "events.md").read_text()
