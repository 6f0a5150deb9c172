"""Telling a session what to change from the command line, with every server down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brahmastra_site.launcher.environment import REPOSITORY
from journal.management.commands.tell import COMMANDS
from journal.spool import COMMANDS as SPOOLED
from journal.spool import read_command, waiting_commands
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from pathlib import Path

    from journal.spool import Command


def run(*words: str) -> str:
    out = StringIO()
    call_command("tell", *words, stdout=out)
    return out.getvalue()


def waiting(var_dir: Path) -> list[Command]:
    key = (var_dir / "secrets" / "spool.key").read_text().strip()
    paths = waiting_commands(var_dir=var_dir, session="day1")
    return [read_command(path, key=key) for path in paths]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("limit", "order_lots", "40"), {"name": "order_lots", "value": 40}),
        (("rearm", "kill switch"), {"breaker": "kill switch"}),
        (("disable", "S4"), {"strategy": "S4"}),
        (("enable", "S4"), {"strategy": "S4"}),
        (("approve", "an-id"), {"request": "an-id"}),
    ],
)
def test_each_command_waits_in_the_spool_with_actor_and_reason(
    var_dir: Path, words: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    write_log(var_dir, "day1", events=5)
    said = run("day1", *words, "--reason", "a review – ₹", "--actor", "asha")
    (command,) = waiting(var_dir)
    assert said == f"session day1 is told: {words[0]}, id {command.id}\n"
    assert (command.command, command.arguments) == (words[0], arguments)
    assert (command.actor, command.address, command.reason) == ("asha", "local", "a review – ₹")


def test_every_command_of_the_spool_has_a_way_from_the_shell() -> None:
    assert set(COMMANDS) | {"kill"} == SPOOLED


def test_the_report_can_be_json(var_dir: Path) -> None:
    write_log(var_dir, "day1", events=5)
    said = json.loads(run("day1", "disable", "S4", "--reason", "drill", "--json"))
    (command,) = waiting(var_dir)
    assert said == {"session": "day1", "command": "disable", "id": command.id}
    assert command.actor


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("day9", "disable", "S4", "--reason", "x"), "session 'day9' has no log"),
        (("_desk", "disable", "S4", "--reason", "x"), "_desk"),
        (("day1", "disable", "S4", "--reason", " "), "a reason is required"),
        (("day1", "limit", "order_lots", "many", "--reason", "x"), "invalid int value: 'many'"),
        (("day1", "limit", "order_lots", "1"), "--reason"),
    ],
)
def test_what_cannot_be_told_is_one_clear_line(
    var_dir: Path, words: tuple[str, ...], problem: str
) -> None:
    write_log(var_dir, "day1", events=5)
    with pytest.raises(CommandError) as refused:
        run(*words)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)
    assert waiting_commands(var_dir=var_dir, session="day1") == []


@pytest.mark.slow
def test_it_needs_no_server(var_dir: Path) -> None:
    write_log(var_dir, "day1", events=5)
    environment = os.environ | {
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "tell", "day1", "disable", "S4", "--reason", "drill"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [command.command for command in waiting(var_dir)] == ["disable"]
