"""Whatever is changed in a log, verification finds it and says where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.canonical import canonical_bytes
from journal.log.chain import GENESIS, chained_hash, event_bytes, line_bytes
from journal.log.errors import LogError, TamperedError
from journal.log.head import Head, publish_head, read_head
from journal.log.merkle import MerkleTree
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.journal.log_bed import frame, open_log, signals, write_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_log_of_several_days_verifies(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=10)
    verified = verify_session(directory)
    assert (verified.session, verified.lines, verified.events) == ("day1", 36, 33)
    assert [file.lines for file in verified.files] == [12, 12, 12]
    assert verified.unfinished == 0
    tree = MerkleTree()
    for line in read_session(directory):
        tree.append(line.event)
    assert verified.root == tree.root().hex()
    head = read_head(directory)
    assert head is not None
    assert verified.head == head.hash


def test_each_file_starts_a_chain_and_names_the_file_before(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=5)
    lines = list(read_session(directory))
    first = [line for line in lines if line.offset == 0]
    assert [line.prev for line in first] == [GENESIS.hex()] * 3
    assert [line.line for line in first] == [1, 8, 15]
    before = first[2].body["data"]["previous"]
    last = next(line for line in lines if line.line == 14)
    tree = MerkleTree()
    for line in lines[:14]:
        tree.append(line.event)
    assert before == {
        "file": "2025-08-21.jsonl",
        "hash": last.hash,
        "line": 14,
        "peaks": [peak.hex() for peak in tree.peaks],
        "root": tree.root().hex(),
    }
    verify_session(directory)


def test_every_flipped_byte_is_found_with_its_place(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-28")
        writer.commit(signals("day1", 1, 1))
        writer.open_day("2025-08-29")
        writer.commit(signals("day1", 2, 1))
    directory = tmp_path / "sessions" / "day1"
    found = 0
    for path, first_line in (("2025-08-28.jsonl", 1), ("2025-08-29.jsonl", 3)):
        file = directory / path
        whole = file.read_bytes()
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1 + at % 255
            file.write_bytes(changed)
            with pytest.raises(TamperedError) as caught:
                verify_session(directory)
            error = caught.value
            assert error.path == file
            assert error.line == first_line + whole.count(b"\n", 0, at)
            assert error.expected
            assert f"{file} line {error.line}: " in str(error)
            assert f"expected {error.expected}" in str(error)
            found += 1
        file.write_bytes(whole)
    assert found > 1500
    verify_session(directory)


def _cut_last_line(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def _drop_middle_line(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2] + lines[3:]))


def _repeat_line(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], lines[2], *lines[3:]]))


def _insert_blank_line(file: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], b"\n", *lines[3:]]))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("day", ["2025-08-20", "2025-08-22"])
@pytest.mark.parametrize(
    "change", [_cut_last_line, _drop_middle_line, _repeat_line, _insert_blank_line, _empty]
)
def test_lines_taken_away_or_added_are_found(
    tmp_path: Path, change: Callable[[Path], None], day: str
) -> None:
    directory = write_log(tmp_path, days=3, events=10)
    change(directory / f"{day}.jsonl")
    with pytest.raises(TamperedError):
        verify_session(directory)


@pytest.mark.parametrize("day", ["2025-08-20", "2025-08-21", "2025-08-22"])
def test_a_file_taken_away_is_found(tmp_path: Path, day: str) -> None:
    directory = write_log(tmp_path, days=3, events=5)
    (directory / f"{day}.jsonl").unlink()
    with pytest.raises(TamperedError):
        verify_session(directory)


def test_renamed_and_swapped_days_are_found(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=5)
    (directory / "head").unlink()
    last = directory / "2025-08-21.jsonl"
    last.rename(directory / "2025-08-25.jsonl")
    with pytest.raises(TamperedError, match="opens the day 2025-08-21"):
        verify_session(directory)
    (directory / "2025-08-25.jsonl").rename(directory / "2025-08-19.jsonl")
    with pytest.raises(TamperedError, match="line number 8"):
        verify_session(directory)


def _rewrite(directory: Path, change: Callable[[int, dict[str, Any]], Any]) -> Path:
    """Rewrite a one-file log as someone would who can compute hashes; `change` gets each line's
    number and parsed event and returns what is to be hashed instead.
    """
    (file,) = directory.glob("*.jsonl")
    previous, out = GENESIS, b""
    for number, raw in enumerate(file.read_bytes().splitlines(), start=1):
        changed = change(number, json.loads(raw)["event"])
        event = changed if isinstance(changed, bytes) else canonical_bytes(changed)
        digest = chained_hash(previous, event)
        out += line_bytes(event=event, digest=digest, previous=previous)
        previous = digest
    file.write_bytes(out)
    head = Head(file=file.name, offset=len(out), line=number, hash=previous.hex())
    publish_head(directory, head)
    return file


def _with(event: dict[str, Any], **body: Any) -> dict[str, Any]:
    return event | {"body": event["body"] | body}


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda event: _with(event, seq=99), "seq 99 does not follow 2"),
        (lambda event: _with(event, seq=None), "seq None does not follow 2"),
        (lambda event: _with(event, ts=5), "ts 5 goes back"),
        (lambda event: _with(event, kind="signal.invented"), "unknown kind"),
        (lambda event: _with(event, kind="log.recovered"), "has no seq"),
        (lambda event: _with(event, kind="log.opened", seq=None), "first line of a file"),
        (lambda event: _with(event, cause=[3]), "not all earlier"),
        (lambda event: _with(event, cause=[0]), "not all earlier"),
        (lambda event: _with(event, cause=["1"]), "causes are integers"),
        (lambda event: _with(event, cause=7), "cause is a int"),
        (lambda event: _with(event, data=[]), "data is a list"),
        (lambda event: _with(event, ts=True), "ts is a bool"),
        (lambda event: _with(event, session="day2"), "belongs to session day2"),
        (lambda event: _with(event, extra=1), "a body has exactly"),
        (lambda event: event | {"more": 1}, "exactly body and log"),
        (lambda event: event | {"log": [1]}, "log has exactly"),
        (lambda event: event | {"log": event["log"] | {"rec": 1.5}}, "are integers"),
        (lambda event: event | {"log": event["log"] | {"line": 9}}, "holds line number 9"),
        (lambda event: event | {"log": event["log"] | {"commit": 2}}, "neither this line nor"),
        (lambda _: [1, 2], "exactly body and log"),
        (lambda _: b"{", "not JSON"),
        (lambda event: json.dumps(event).encode(), "not RFC 8785 canonical"),
        (lambda event: canonical_bytes(event).replace(b"0.42", b"0.420"), "not RFC 8785"),
        (
            lambda event: canonical_bytes(event).replace(b'"v":1', b'"v":1,"v":1'),
            "not RFC 8785",
        ),
        (
            lambda event: canonical_bytes(event).replace(b'"v":1', b'"v":9007199254740993'),
            "beyond 2**53",
        ),
    ],
)
def test_a_forged_line_with_a_right_hash_is_found(
    tmp_path: Path, forge: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    directory = write_log(tmp_path, events=5)
    file = _rewrite(directory, lambda number, event: forge(event) if number == 4 else event)
    with pytest.raises(TamperedError, match=reason.replace("*", r"\*")) as caught:
        verify_session(directory)
    assert (caught.value.path, caught.value.line) == (file, 4)


def test_rewriting_with_right_hashes_alone_changes_nothing(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    before = verify_session(directory)
    _rewrite(directory, lambda _, event: event)
    assert verify_session(directory) == before


def test_a_head_that_names_another_hash_is_found(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    head = read_head(directory)
    assert head is not None
    publish_head(directory, Head(head.file, head.offset, head.line, "f" * 64))
    with pytest.raises(TamperedError, match="published head"):
        verify_session(directory)
    publish_head(directory, Head(head.file, head.offset - 1, head.line, head.hash))
    with pytest.raises(TamperedError, match="published head"):
        verify_session(directory)


def test_a_batch_being_written_is_not_tampering(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    (file,) = directory.glob("*.jsonl")
    event = event_bytes(body=frame("day1", 7).body_bytes(), line=8, commit=8, rec=1)
    head = read_head(directory)
    assert head is not None
    previous = bytes.fromhex(head.hash)
    whole = line_bytes(event=event, digest=chained_hash(previous, event), previous=previous)
    before = file.read_bytes()
    for size in (1, 100, len(whole) - 1):
        file.write_bytes(before + whole[:size])
        verified = verify_session(directory)
        assert (verified.lines, verified.unfinished) == (7, size)
    file.write_bytes(before + whole)
    verified = verify_session(directory)
    assert (verified.lines, verified.unfinished) == (8, 0)


def test_a_directory_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no log here"):
        verify_session(tmp_path)
