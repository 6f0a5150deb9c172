"""A comparison asked for and a difference accepted: through the page by people who signed in, and
through the spool with the web, Postgres and Valkey down. One person alone accepts nothing.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from journal.spool import Command, waiting_commands, write_command
from tests.trading.disputed import FIRST, SECOND, STRAY, disputed
from tests.trading.test_live_kill import NOWHERE, SERVERS, told
from tests.trading.test_trade_command import _without_override, manage, restricted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.http import HttpResponse
    from django.test import Client

    from tests.trading.disputed import Disputed

ALONE = "{} asked for it: a second person approves"


@pytest.fixture
def session(var_dir: Path, tmp_path: Path) -> Iterator[Disputed]:
    """Held after the first entry was refused, because the broker holds what the book does not."""
    with disputed(var_dir, tmp_path) as session:
        session.go_to(FIRST + 1)
        assert session.last("book.reconciled", 1)["differences"] == 1
        assert session.last("gate.decided", 1)["decided_by"] == 1
        yield session


def assert_entered(session: Disputed, *, entered: bool) -> None:
    """Run past the second minute that fires; there is an entry, or gate 1 refuses it again."""
    session.go_to(SECOND + 1)
    decided = session.last("gate.decided", 2)
    assert (decided["verdict"], decided["decided_by"]) == (
        ("pass", None) if entered else ("block", 1)
    )
    assert bool(session.events("order.submitted")) is entered


# --- the page -------------------------------------------------------------------------------------


class Person:
    """Somebody at the page of a session."""

    def __init__(self, client: Client, session: Disputed, user: User) -> None:
        self.client, self.session, self.user = client, session, user

    def page(self) -> str:
        """The page by the log as it is on disk, without its tags."""
        self.session.mirror()
        self.client.force_login(self.user)
        address = f"/risk/reconciliation/?session={self.session.name}"
        self.html = self.client.get(address).content.decode()
        return unescape(" ".join(re.sub(r"<[^>]+>", " ", self.html).split()))

    def offered(self) -> dict[str, dict[str, str]]:
        """The forms that tell the session something, each as its hidden fields by its command."""
        self.page()
        forms = re.findall(r'action="/risk/tell/".*?</form>', self.html, re.DOTALL)
        hidden = re.compile(r'type="hidden"\s+name="(\w+)"\s+value="([^"]*)"')
        found = [dict(hidden.findall(form)) for form in forms]
        return {each["command"]: each for each in found}

    def tell(self, command: str, subject: str = "", reason: str = "seen") -> HttpResponse:
        """Post what the page's form would, also where it offers none."""
        self.client.force_login(self.user)
        form = {"session": self.session.name, "command": command, "subject": subject}
        answer: Any = self.client.post(
            "/risk/tell/", {**form, "reason": reason, "back": "reconciliation"}
        )
        return answer


def test_two_people_accept_a_difference_through_the_page(
    client: Client, session: Disputed, operator: User, compliance: User
) -> None:
    asking, other = (Person(client, session, user) for user in (operator, compliance))
    reconciliation = session.open_reconciliation()

    # 1. The page shows the difference; the operator can ask for its acceptance, compliance cannot.
    page = asking.page()
    assert f"Nothing is entered : 1 differ in {reconciliation}" in page
    assert "65 units 0 units DIFFERS" in page
    assert set(asking.offered()) == {"accept", "reconcile"}
    assert set(other.offered()) == set()

    # 2. What the form says is posted, and the session makes it wait.
    form = asking.offered()["accept"]
    assert form["subject"] == reconciliation
    answer = asking.client.post("/risk/tell/", {**form, "reason": "held by the family office"})
    assert answer.headers["Location"] == f"/risk/reconciliation/?session={session.name}"
    session.go_to(FIRST + 2)
    wish = session.last("request.changed", 1)
    assert (wish["state"], wish["actor"]) == ("waiting", "operator")
    assert wish["what"] == f"accept {reconciliation}: {STRAY} +65 units"

    # 3. Who asked is offered nothing, and alone is refused in one line.
    assert "(another person approves)" in asking.page()
    assert set(asking.offered()) == {"reconcile"}
    asking.tell("approve", wish["request"])
    session.go_to(FIRST + 3)
    refused = session.last("request.changed", 2)
    assert (refused["state"], refused["reason"]) == ("refused", ALONE.format("operator"))
    assert session.events("reconciliation.accepted") == []
    assert "Nothing is entered" in asking.page()

    # 4. A second person agrees.
    form = other.offered()["approve"]
    other.client.post("/risk/tell/", {**form, "reason": "statement seen"})
    session.go_to(FIRST + 4)
    accepted = session.last("reconciliation.accepted", 1)
    assert (accepted["actor"], accepted["approver"]) == ("operator", "compliance")
    page = asking.page()
    assert "Open, as far as book and broker go: what differed was accepted" in page
    assert f"{reconciliation} accepted by operator, approved by compliance" in page
    assert_entered(session, entered=True)


def test_a_comparison_is_asked_for_through_the_page(
    client: Client, session: Disputed, operator: User
) -> None:
    asking = Person(client, session, operator)
    form = asking.offered()["reconcile"]
    asking.client.post("/risk/tell/", {**form, "reason": "the statement came"})
    session.go_to(FIRST + 2)
    compared = session.last("book.reconciled", 2)
    assert (compared["why"], compared["detail"]) == ("ASKED", "operator: the statement came")
    assert f"1 differ in {session.open_reconciliation()}" in asking.page()


def test_one_person_accepts_nothing_through_two_doors(
    client: Client, session: Disputed, operator: User
) -> None:
    """Asked for on the page, approved at the machine by the same name, then by another."""
    Person(client, session, operator).tell("accept", session.open_reconciliation())
    session.go_to(FIRST + 2)
    request = session.last("request.changed", 1)["request"]
    approval = ("tell", session.name, "approve", request, "--reason", "seen", "--actor")
    told(session.var_dir, *approval, "operator")
    session.go_to(FIRST + 3)
    refused = session.last("request.changed", 2)
    assert (refused["state"], refused["reason"]) == ("refused", ALONE.format("operator"))
    told(session.var_dir, *approval, "ravi")
    session.go_to(FIRST + 4)
    accepted = session.last("reconciliation.accepted", 1)
    assert (accepted["actor"], accepted["approver"]) == ("operator", "ravi")


def test_without_permission_nothing_is_told(
    client: Client, session: Disputed, viewer: User, compliance: User, stranger: User
) -> None:
    reconciliation = session.open_reconciliation()
    for user in (viewer, compliance, stranger):
        person = Person(client, session, user)
        assert person.tell("accept", reconciliation).status_code == 403
        assert person.tell("reconcile").status_code == 403
    for user in (viewer, stranger):
        assert Person(client, session, user).tell("approve", "an-id").status_code == 403
    assert set(Person(client, session, viewer).offered()) == set()
    client.logout()
    form = {"session": session.name, "command": "reconcile", "reason": "x"}
    assert client.post("/risk/tell/", form).headers["Location"].startswith("/sign-in/")
    assert waiting_commands(var_dir=session.var_dir, session=session.name) == []
    assert_entered(session, entered=False)


def test_what_is_not_the_last_comparison_is_refused_in_one_line(
    client: Client, session: Disputed, operator: User
) -> None:
    asking, last = Person(client, session, operator), session.open_reconciliation()
    asking.tell("accept", f"{session.name}.1")
    session.go_to(FIRST + 2)
    refused = session.last("request.changed", 1)
    assert refused["state"] == "refused"
    assert refused["reason"] == f"{session.name}.1 is not the last reconciliation, {last} is"


def test_an_acceptance_of_nothing_is_not_told(
    client: Client, session: Disputed, operator: User
) -> None:
    person = Person(client, session, operator)
    answer = person.tell("accept", "")
    assert answer.headers["Location"] == "/risk/reconciliation/"
    assert "subject: This field is required" in client.get("/risk/").content.decode()
    assert waiting_commands(var_dir=session.var_dir, session=session.name) == []


# --- the machine, with every server down ----------------------------------------------------------


@pytest.fixture
def servers_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command at the machine finds: no database and no Valkey."""
    for name in SERVERS:
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


@pytest.mark.usefixtures("servers_down")
def test_two_people_accept_a_difference_at_the_machine(var_dir: Path, tmp_path: Path) -> None:
    with disputed(var_dir, tmp_path) as session:
        session.go_to(FIRST + 1)
        # 1. Somebody has it compared anew.
        words = ("tell", session.name, "reconcile", "--reason", "the statement came")
        told(var_dir, *words, "--actor", "asha")
        session.go_to(FIRST + 2)
        compared = session.last("book.reconciled", 2)
        assert (compared["why"], compared["differences"], compared["blocks"]) == ("ASKED", 1, True)

        # 2. One person asks, the same approves and is refused, another approves.
        reconciliation = session.open_reconciliation()
        words = ("tell", session.name, "accept", reconciliation, "--reason", "family office")
        asked = told(var_dir, *words, "--actor", "asha")
        approval = ("tell", session.name, "approve", asked["id"], "--reason", "seen", "--actor")
        told(var_dir, *approval, "asha")
        session.go_to(FIRST + 3)
        refused = session.last("request.changed", 2)
        assert (refused["state"], refused["reason"]) == ("refused", ALONE.format("asha"))
        assert session.events("reconciliation.accepted") == []
        told(var_dir, *approval, "ravi")
        session.go_to(FIRST + 4)
        accepted = session.last("reconciliation.accepted", 1)
        assert (accepted["reconciliation"], accepted["actor"], accepted["approver"]) == (
            reconciliation,
            "asha",
            "ravi",
        )
        assert_entered(session, entered=True)


def test_who_may_not_write_the_spool_is_told_so_in_one_line(session: Disputed) -> None:
    spool = session.var_dir / "spool" / session.name
    spool.mkdir(parents=True)
    spool.chmod(0o555)
    try:
        words = ("tell", session.name, "reconcile", "--reason", "let me")
        result = restricted(session.var_dir, _without_override, *words)
    finally:
        spool.chmod(0o755)
    assert result.returncode == 1
    (said,) = result.stderr.splitlines()
    assert f"session {session.name} cannot be told" in said
    assert "Permission denied" in said
    assert waiting_commands(var_dir=session.var_dir, session=session.name) == []


def test_a_command_that_was_not_signed_here_does_nothing(session: Disputed) -> None:
    """Somebody who can write the directory and does not have the key."""
    forged = Command(
        id="00000000-0000-4000-8000-000000000001",
        session=session.name,
        command="accept",
        arguments={"reconciliation": session.open_reconciliation()},
        actor="ravi",
        address="local",
        reason="trust me",
        issued_at=1,
    )
    path = write_command(var_dir=session.var_dir, key="not the key", command=forged)
    session.go_to(FIRST + 2)
    reason = (path.parent / "refused" / f"{forged.id}.reason").read_text()
    assert reason.splitlines() == [f"{path}: signature does not hold"]
    assert session.events("operator.command") == []
    assert_entered(session, entered=False)


def test_a_session_that_is_none_is_one_clear_line(session: Disputed) -> None:
    result = manage(session.var_dir, "tell", "nowhere", "reconcile", "--reason", "x")
    (said,) = result.stderr.splitlines()
    assert (result.returncode, "session 'nowhere' has no log" in said) == (1, True)
