"""`manage.py log verify|manifest|tail|show|signals|orders SESSION` and `log schema`: the log
itself, without any server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal.execution_journal import ExecutionJournal
from journal.journal_lines import (
    anomaly_row,
    order_anomaly_line,
    order_lines,
    order_row,
    order_summary,
    signal_anomaly_line,
    signal_line,
    signal_row,
    signal_summary,
)
from journal.live import run_status
from journal.log.chain_verification import verify_chain
from journal.log.errors import LogError, TamperedError
from journal.log.lookup import event_at, last_lines
from journal.log.manifest import MANIFEST_FILE, check_manifest, read_manifest
from journal.log.reader import position_of, read_after
from journal.log.session import existing_session_directory
from journal.log.verification import Verification, verify_range
from journal.payloads.reference import schema_reference
from journal.signal_journal import SignalJournal

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from pathlib import Path

    from journal.log.manifest import Manifest, Run
    from journal.log.reader import LogLine

IST = ZoneInfo("Asia/Kolkata")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POLL_SECONDS = 0.1
WAYS = ("verify", "manifest", "tail", "show", "signals", "orders", "schema")


class Command(BaseCommand):
    help = "Verify a session's log, or look at it. Reads files only: no server is needed."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_subparsers(dest="way", required=True, metavar="|".join(WAYS))
        verify = ways.add_parser("verify", help="check every line: chain, bytes, numbers, causes")
        verify.add_argument("--chain", action="store_true", help="the hashes alone: the fast way")
        verify.add_argument(
            "--workers", type=_count, default=1, help="with --chain: processes, a day file each"
        )
        verify.add_argument("--from", type=_count, dest="first", metavar="LINE")
        verify.add_argument("--to", type=_count, dest="last", metavar="LINE")
        manifest = ways.add_parser("manifest", help="who ran the session; checked against the log")
        tail = ways.add_parser("tail", help="the last lines")
        show = ways.add_parser("show", help="one event, with its hash, place and causes")
        signals = ways.add_parser("signals", help="every signal and what the gates said to it")
        signals.add_argument("--fired", action="store_true", help="only those that fired")
        orders = ways.add_parser("orders", help="every order from its intent to its end")
        ways.add_parser("schema", help="the reference page of kinds and their data")
        for way in (verify, manifest, tail, show, signals, orders):
            way.add_argument("session", help="a session's name, or a path to its directory")
            way.add_argument("--json", action="store_true", help="report as JSON")
        tail.add_argument("-n", type=int, default=10, dest="count", help="how many (default 10)")
        tail.add_argument("--follow", action="store_true", help="go on with what becomes durable")
        show.add_argument("seq", type=int, help="the event's number within the session")

    def handle(self, *, way: str, session: str = "", **options: Any) -> None:
        if way == "schema":
            self.stdout.write(schema_reference(), ending="")
            return
        try:
            directory = existing_session_directory(settings.VAR_DIR, session)
            if way == "verify":
                self._verify(directory, **options)
            elif way == "manifest":
                self._manifest(directory, as_json=options["json"])
            elif way == "tail":
                self._tail(directory, options["count"], options["follow"], as_json=options["json"])
            elif way == "show":
                self._show(directory, session, options["seq"], as_json=options["json"])
            elif way == "signals":
                self._signals(directory, options["fired"], as_json=options["json"])
            else:
                self._orders(directory, as_json=options["json"])
        except LogError as error:
            raise CommandError(str(error)) from error
        except BrokenPipeError:  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise CommandError(f"{session}: {error}") from error

    # --- verify ---

    def _verify(
        self,
        directory: Path,
        *,
        chain: bool,
        workers: int,
        first: int | None,
        last: int | None,
        **options: Any,
    ) -> None:
        as_json = options["json"]
        if chain and (first or last):
            raise CommandError("--chain takes whole sessions; leave --from and --to out")
        try:
            if chain:
                verified = verify_chain(directory, workers=workers)
            else:
                verified = verify_range(directory, first_line=first, last_line=last)
        except TamperedError as error:
            if as_json:
                self.stdout.write(json.dumps(_refusal(error)))
            raise
        if as_json:
            self.stdout.write(json.dumps({"holds": True} | asdict(verified)))
        else:
            self._write_verdict(verified, chain=chain)

    def _write_verdict(self, verified: Verification, *, chain: bool) -> None:
        self.stdout.write(
            f"session {verified.session}: {verified.lines} lines"
            + (": the chain holds" if chain else f", {verified.events} events: every line holds")
        )
        for file in verified.files:
            self.stdout.write(
                f"  {file.file}  {file.lines} lines, {file.bytes} bytes, head {file.head}"
            )
        self.stdout.write(f"  head {verified.head}")
        self.stdout.write(f"  root {verified.root}")
        for what, lines in verified.unknown.items():
            self.stdout.write(f"  not known to this version, {lines} lines: {what}")
        for name in verified.torn:
            self.stdout.write(f"  moved aside by a recovery, not part of the log: {name}")
        if verified.unfinished:
            self.stdout.write(
                f"  {verified.unfinished} bytes after the durable head are no whole batch: "
                "being written, or torn by a crash"
            )

    # --- manifest ---

    def _manifest(self, directory: Path, *, as_json: bool) -> None:
        """Print a session's manifest, and fail when it says anything the log does not."""
        manifest = read_manifest(directory)
        if manifest is None:
            raise CommandError(
                f"{directory / MANIFEST_FILE}: there is none; the session's next start makes one"
            )
        checked = check_manifest(manifest, directory)
        status = run_status(manifest, directory)
        if as_json:
            report = {
                "holds": checked.difference is None,
                "difference": checked.difference,
                "status": status,
                "lines_after": checked.lines_after,
                "manifest": msgspec.to_builtins(manifest),
            }
            self.stdout.write(json.dumps(report))
        else:
            self._write_manifest(manifest, status, checked.lines_after)
        if checked.difference is not None:
            raise CommandError(f"{directory / MANIFEST_FILE}: {checked.difference}")
        if not as_json:
            self.stdout.write("  everything it says of the log is what the log says")

    def _write_manifest(self, manifest: Manifest, status: str, lines_after: int) -> None:
        log = manifest.log
        self.stdout.write(f"session {manifest.session}, number {manifest.number}: {status}")
        if manifest.rebuilt is not None:
            self.stdout.write(f"  made anew from the log: {manifest.rebuilt}")
        for number, run in enumerate(manifest.runs, start=1):
            self._write_run(number, run, status if run is manifest.runs[-1] else run.status)
        for key, process in manifest.processes.items():
            libraries = ", ".join(f"{name} {is_}" for name, is_ in process.libraries.items())
            self.stdout.write(
                f"  process {key}: {process.python}, {libraries}, {process.libc}, {process.machine}"
            )
        self.stdout.write(f"  configuration {log.configuration_digest or '-'}")
        for source in log.sources:
            seed = "recorded" if not source.synthetic else f"synthetic, seed {source.seed}"
            self.stdout.write(f"  {source.frames} frames from {source.digest} ({seed})")
        for file in log.files:
            packed = ", packed" if file.packed else ""
            self.stdout.write(
                f"  {file.file}  {file.lines} lines, {file.bytes} bytes{packed}, head {file.head}"
            )
        self.stdout.write(f"  {log.lines} lines, {log.events} events, root {log.root}")
        if lines_after:
            self.stdout.write(f"  {lines_after} lines were written since")

    def _write_run(self, number: int, run: Run, status: str) -> None:
        lines = f"from line {run.first_line}"
        if run.last_line is not None:
            wrote = run.last_line >= run.first_line
            lines = f"lines {run.first_line} to {run.last_line}" if wrote else "no line"
        times = " to ".join(
            "-" if us is None else _ist(us) for us in (run.started_us, run.ended_us)
        )
        error = "" if run.error is None else f": {run.error}"
        self.stdout.write(
            f"  run {number} {status} (says {run.found}), {times}, {lines}, "
            f"code {run.code_version or '-'}, process {run.process or '-'}{error}"
        )

    # --- tail ---

    def _tail(self, directory: Path, count: int, follow: bool, *, as_json: bool) -> None:  # noqa: FBT001
        if count < 0:
            raise CommandError(f"-n {count}: expected 0 or more lines")
        lines = last_lines(directory, max(count, 1))
        for line in lines[-count:] if count else []:
            self._write_line(line, as_json=as_json)
        position = position_of(lines[-1]) if lines else None
        try:
            while follow:
                for line in read_after(directory, position):
                    self._write_line(line, as_json=as_json)
                    position = position_of(line)
                self.stdout.flush()
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            return

    def _write_line(self, line: LogLine, *, as_json: bool) -> None:
        body = line.body
        if as_json:
            self.stdout.write(line.raw.decode(), ending="")
            return
        seq = "-" if body["seq"] is None else body["seq"]
        causes = ",".join(map(str, body["cause"])) or "-"
        self.stdout.write(
            f"{seq:>8}  {_ist(body['ts'])}  {body['kind']:<18}  {body['key'] or '-':<16}  "
            f"from {causes}  {line.hash[:16]}"
        )

    # --- show ---

    def _show(self, directory: Path, session: str, seq: int, *, as_json: bool) -> None:
        line = event_at(directory, seq)
        if line is None:
            last = last_lines(directory, 1)
            end = f"the log ends at line {last[0].line}" if last else "the log is empty"
            raise CommandError(f"session {session} has no event {seq}; {end}")
        causes = [event_at(directory, cause) for cause in line.body["cause"]]
        place = {
            "file": line.file,
            "line": line.line,
            "offset": line.offset,
            "length": line.length,
            "hash": line.hash,
            "prev": line.prev,
        }
        named = [{"seq": c.body["seq"], "kind": c.body["kind"]} for c in causes if c is not None]
        if as_json:
            self.stdout.write(json.dumps(place | {"event": line.parsed, "causes": named}))
            return
        body = line.body
        self.stdout.write(f"{body['session']}.{seq}  {body['kind']}  {_ist(body['ts'])} IST")
        self.stdout.write(f"{line.file} line {line.line}, byte {line.offset}, {line.length} bytes")
        self.stdout.write(f"hash {line.hash}")
        self.stdout.write(f"prev {line.prev}")
        for cause in named:
            self.stdout.write(f"from {body['session']}.{cause['seq']}  {cause['kind']}")
        self.stdout.write(json.dumps(line.parsed, indent=2, ensure_ascii=False))

    # --- the journals ---

    def _signals(self, directory: Path, fired: bool, *, as_json: bool) -> None:  # noqa: FBT001
        journal = SignalJournal.of_session(directory)
        chosen = journal.signals(fired=fired or None)
        if as_json:
            rows = [signal_row(judged) for judged in chosen]
            odd = [asdict(anomaly) for anomaly in journal.anomalies]
            self._write_json(signals=rows, left_off=journal.left_off, anomalies=odd)
            return
        for judged in chosen:
            self.stdout.write(signal_line(judged))
        for anomaly in journal.anomalies:
            self.stdout.write(signal_anomaly_line(anomaly))
        self.stdout.write(signal_summary(journal))

    def _orders(self, directory: Path, *, as_json: bool) -> None:
        journal = ExecutionJournal.of_session(directory)
        kept = list(journal.orders())
        odd = journal.anomalies_by_order()
        stray = [
            item for order, items in odd.items() if not journal.by_order(order) for item in items
        ]
        if as_json:
            rows = [order_row(record, odd.get(record.order, [])) for record in kept]
            others = [anomaly_row(anomaly) for anomaly in stray]
            self._write_json(orders=rows, left_off=journal.left_off, anomalies=others)
            return
        for record in kept:
            self.stdout.write("\n".join(order_lines(record, odd.get(record.order, []))))
        for anomaly in stray:
            self.stdout.write(order_anomaly_line(anomaly))
        self.stdout.write(order_summary(journal))

    def _write_json(self, **report: Any) -> None:
        self.stdout.write(json.dumps(report, ensure_ascii=False))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def _refusal(error: TamperedError) -> dict[str, object]:
    return {
        "holds": False,
        "file": str(error.path),
        "line": error.line,
        "reason": error.reason,
        "expected": error.expected,
        "found": error.found,
    }


def _ist(ts: int) -> str:
    """Return µs UTC as IST text, to the millisecond."""
    at = (EPOCH + timedelta(microseconds=ts)).astimezone(IST)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
