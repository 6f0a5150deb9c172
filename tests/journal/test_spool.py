"""Commands through files: signed, written whole, taken once."""

from __future__ import annotations

import hmac
import json
import threading
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from journal.log.canonical import canonical_bytes
from journal.log.errors import SessionNameError
from journal.spool import (
    Command,
    SpoolError,
    read_command,
    settle_command,
    waiting_commands,
    write_command,
)

if TYPE_CHECKING:
    from pathlib import Path

KEY = "k" * 64


def command(**fields: object) -> Command:
    given = {
        "id": "5f0c1a52-0000-4000-8000-000000000001",
        "session": "day1",
        "command": "kill",
        "arguments": {},
        "actor": "asha",
        "address": "127.0.0.1",
        "reason": "the feed looks wrong – ₹",
        "issued_at": 1_756_438_200_000_000,
    }
    return Command(**given | fields)  # type: ignore[arg-type]


def test_what_is_written_is_read_and_settled(tmp_path: Path) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    assert waiting_commands(var_dir=tmp_path, session="day1") == [path]
    assert read_command(path, key=KEY) == command()
    settle_command(path)
    assert waiting_commands(var_dir=tmp_path, session="day1") == []
    assert (path.parent / "done" / path.name).is_file()


def test_the_same_command_twice_is_one_file(tmp_path: Path) -> None:
    first = write_command(var_dir=tmp_path, key=KEY, command=command())
    second = write_command(var_dir=tmp_path, key=KEY, command=command())
    assert first == second
    assert waiting_commands(var_dir=tmp_path, session="day1") == [first]


def test_every_changed_field_breaks_the_signature(tmp_path: Path) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    content = json.loads(path.read_text())
    for field, value in content["command"].items():
        forged = (
            {"a": 1} if isinstance(value, dict) else (value + 1 if field == "issued_at" else "x")
        )
        changed = content["command"] | {field: forged}
        path.write_text(json.dumps({"command": changed, "mac": content["mac"]}))
        with pytest.raises(SpoolError, match="signature does not hold"):
            read_command(path, key=KEY)


def test_another_key_does_not_sign(tmp_path: Path) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    with pytest.raises(SpoolError, match="signature does not hold"):
        read_command(path, key="other")


def test_a_signed_command_cannot_be_played_again_elsewhere(tmp_path: Path) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    other = tmp_path / "spool" / "day2"
    other.mkdir()
    for copy in (other / path.name, path.with_name("5f0c1a52-0000-4000-8000-000000000002.json")):
        copy.write_bytes(path.read_bytes())
        with pytest.raises(SpoolError, match="names command"):
            read_command(copy, key=KEY)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"command": {}}',
        '{"command": {}, "mac": ""}',
        '{"command": {"id": 1}, "mac": "x"}',
        '{"command": 5, "mac": "x"}',
        "[" * 100_000,
        "\ud83d".encode("utf-16", "surrogatepass").decode("latin-1"),
    ],
)
def test_what_is_no_command_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "spool" / "day1" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SpoolError, match=r"x\.json"):
        read_command(path, key=KEY)


@pytest.mark.parametrize("mac", ["₹", None, 5, [], "0" * 64])
def test_a_signature_of_any_kind_is_refused(tmp_path: Path, mac: object) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"mac": mac}))
    with pytest.raises(SpoolError, match="signature does not hold"):
        read_command(path, key=KEY)


def test_fields_of_the_wrong_kind_are_refused_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "spool" / "day1" / "x.json"
    path.parent.mkdir(parents=True)
    fields = {
        "id": "x",
        "session": "day1",
        "command": ["kill"],
        "arguments": {"n": 2**60 + 1},
        "actor": None,
        "address": "",
        "reason": "",
        "issued_at": 0,
    }
    path.write_text(json.dumps({"command": fields, "mac": "0" * 64}))
    with pytest.raises(SpoolError, match=r"x\.json"):
        read_command(path, key=KEY)


@pytest.mark.parametrize(
    "fields",
    [{"arguments": [1]}, {"actor": None}, {"issued_at": "now"}, {"issued_at": 1.5}, {"reason": 7}],
)
def test_a_signed_command_with_a_field_of_another_type_is_refused(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    """The log would refuse it after the engine had obeyed."""
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    changed = json.loads(path.read_text())["command"] | fields
    mac = hmac.new(KEY.encode(), canonical_bytes(changed), "sha256").hexdigest()
    path.write_text(json.dumps({"command": changed, "mac": mac}))
    with pytest.raises(SpoolError, match="not a command"):
        read_command(path, key=KEY)


def test_a_refused_command_keeps_its_reason(tmp_path: Path) -> None:
    path = write_command(var_dir=tmp_path, key=KEY, command=command())
    settle_command(path, refused="signature does not hold")
    refused = path.parent / "refused"
    assert (refused / path.name).is_file()
    assert (refused / f"{path.stem}.reason").read_text() == "signature does not hold"
    assert waiting_commands(var_dir=tmp_path, session="day1") == []


def test_drafts_are_not_taken_and_order_is_that_of_writing(tmp_path: Path) -> None:
    ids = [f"5f0c1a52-0000-4000-8000-00000000000{digit}" for digit in (3, 1, 2)]
    paths = [write_command(var_dir=tmp_path, key=KEY, command=command(id=one)) for one in ids]
    (paths[0].parent / ".draft.json.123").write_text("{")
    (paths[0].parent / ".hidden.json").write_text("{")
    assert waiting_commands(var_dir=tmp_path, session="day1") == paths
    assert waiting_commands(var_dir=tmp_path, session="none") == []


@pytest.mark.parametrize("fields", [{"command": "buy"}, {"reason": "  "}])
def test_what_is_not_offered_is_not_written(tmp_path: Path, fields: dict[str, object]) -> None:
    with pytest.raises(SpoolError):
        write_command(var_dir=tmp_path, key=KEY, command=command(**fields))
    assert list(tmp_path.iterdir()) == []


def test_a_session_cannot_lead_out_of_the_spool(tmp_path: Path) -> None:
    with pytest.raises(SessionNameError):
        write_command(var_dir=tmp_path, key=KEY, command=command(session="../day1"))
    assert list(tmp_path.iterdir()) == []


def test_commands_settled_while_they_are_listed_are_not_waiting(tmp_path: Path) -> None:
    """Somebody lists them again and again while the engine moves them away."""
    for _ in range(300):
        write_command(var_dir=tmp_path, key=KEY, command=command(id=str(uuid4())))
    (first, *others) = waiting_commands(var_dir=tmp_path, session="day1")
    assert len(others) == 299

    def settle() -> None:
        for path in (first, *others):
            settle_command(path)

    settling = threading.Thread(target=settle)
    settling.start()
    counts = [300]
    while counts[-1]:
        counts.append(len(waiting_commands(var_dir=tmp_path, session="day1")))
    settling.join()
    assert counts == sorted(counts, reverse=True)
