"""What there is to replay is read with every check, up to a fixed end."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from journal.events import DERIVED_KINDS
from journal.log.canonical import canonical_bytes
from journal.log.errors import TamperedError
from journal.log.head import Head, read_head
from journal.log.reader import read_session
from journal.log.session import day_files
from replay.recording import ReplayError, read_recording
from tests.market_factory import DAYS
from tests.replay.forge import bodies, forge

if TYPE_CHECKING:
    from pathlib import Path


def test_the_digest_is_that_of_every_derived_body_in_order(log: Path) -> None:
    digest = sha256()
    derived = 0
    for line in read_session(log):
        if line.body["kind"] in DERIVED_KINDS:
            digest.update(line.body_bytes)
            derived += 1
    recording = read_recording(log)
    assert recording.digest == digest.hexdigest()
    assert recording.derived == derived
    assert recording.events == bodies(log)[-1]["seq"] == sum(recording.counts.values())
    assert recording.finished
    assert recording.code_versions == ["test"]
    assert [day.date for day in recording.days] == [day.isoformat() for day in DAYS]


def test_an_earlier_end_is_kept_to(log: Path) -> None:
    lines = list(read_session(log))
    last = lines[len(lines) // 2]
    end = Head(last.file, last.offset + last.length, last.line, last.hash)
    recording = read_recording(log, end=end)
    assert recording.days[-1].last_line == last.line
    assert not recording.finished


def test_lines_past_the_durable_head_are_not_read(log: Path) -> None:
    with day_files(log)[-1].open("ab") as file:
        file.write(b'{"event":{"body":{"cau')  # a batch that was never acknowledged
    assert read_recording(log).finished


def test_without_a_head_the_files_are_read_to_their_end(log: Path) -> None:
    whole = read_recording(log).digest
    (log / "head").unlink()
    assert read_recording(log).digest == whole
    with day_files(log)[-1].open("ab") as file:
        file.write(b'{"event":{"body":{"cau')
    with pytest.raises(TamperedError, match="not a log line"):
        read_recording(log)


def test_a_log_cut_below_its_head_is_refused(log: Path) -> None:
    path = day_files(log)[-1]
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    with pytest.raises(TamperedError, match="does not reach its durable head"):
        read_recording(log)


def test_a_file_that_is_gone_is_missed(log: Path) -> None:
    day_files(log)[-1].unlink()
    with pytest.raises(TamperedError, match="file that is gone"):
        read_recording(log)


def test_a_flipped_byte_is_refused_with_file_and_line(log: Path) -> None:
    path = day_files(log)[0]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(TamperedError, match=rf"{path.name} line \d+: "):
        read_recording(log)


def test_a_day_rewritten_under_the_next_one_is_refused(log: Path, recorded: Path) -> None:
    """The second file names the last hash of the first as it was."""

    def edit(body: dict[str, Any]) -> dict[str, Any]:
        if body["kind"] == "portfolio.snapshot":
            body["data"]["realised_paise"] += 1
        return body

    forge(log, edit)
    second = day_files(recorded / "sessions" / "day1")[1]
    (log / second.name).write_bytes(second.read_bytes())
    (log / "head").write_bytes((recorded / "sessions" / "day1" / "head").read_bytes())
    with pytest.raises(TamperedError, match="does not continue"):
        read_recording(log)
    assert read_recording(log, days=[second.stem]).events  # alone, it stands


@pytest.mark.parametrize("form", [b'{"body":[]}', b'{"body":{"kind":1}}', b"[]"])
def test_a_chained_line_that_is_no_event_is_refused(log: Path, form: bytes) -> None:
    from journal.log.chain import GENESIS, chained_hash, line_bytes

    (log / "head").unlink()
    for path in day_files(log):
        path.unlink()
    line = line_bytes(event=form, digest=chained_hash(GENESIS, form), previous=GENESIS)
    (log / "2026-02-26.jsonl").write_bytes(line)
    with pytest.raises(TamperedError):
        read_recording(log)


def test_nothing_to_replay_is_said(log: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReplayError, match="no log here"):
        read_recording(tmp_path / "empty")
    with pytest.raises(ReplayError, match=r"no day 2026-02-28; expected .* to .* \(2 days\)"):
        read_recording(log, days=["2026-02-28"])
    forge(log, lambda body: body if body["seq"] is None else None)
    with pytest.raises(ReplayError, match="no event is recorded"):
        read_recording(log)


def test_the_forger_of_these_tests_leaves_a_log_as_it_was_when_he_changes_nothing(
    log: Path,
) -> None:
    before = [path.read_bytes() for path in day_files(log)]
    head = read_head(log)
    forge(log, lambda body: body, encode=canonical_bytes)
    assert [path.read_bytes() for path in day_files(log)] == before
    assert read_head(log) == head
