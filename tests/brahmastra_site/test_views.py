"""The way in and out, and the stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from brahmastra_site.services import users_bootstrap
from journal.access import Role, roles_of
from journal.kill_file import kill_file
from journal.live import LiveCell, LiveFigures
from journal.secrets import read_or_create_secret
from journal.spool import read_command, waiting_commands
from tests.conftest import PASSWORD
from tests.journal.log_bed import frame, open_log

if TYPE_CHECKING:
    from pathlib import Path

    from django.http import HttpResponse


def sign_in(client: Client, username: str, password: str, **more: str) -> HttpResponse:
    return client.post("/sign-in/", {"username": username, "password": password, **more})


# --- in and out -----------------------------------------------------------------------------------


def test_signing_in_leads_where_one_wanted_to_go(client: Client, viewer: User) -> None:
    away = client.get("/journal/")
    assert away.headers["Location"] == "/sign-in/?next=/journal/"
    response = sign_in(client, "viewer", PASSWORD, next="/journal/")
    assert response.headers["Location"] == "/journal/"
    assert client.get("/journal/").status_code == 200


def test_signing_in_leads_to_no_other_site(client: Client, viewer: User) -> None:
    response = sign_in(client, "viewer", PASSWORD, next="https://elsewhere.example/")
    assert response.headers["Location"] == "/"


def test_refusals_do_not_tell_which_names_exist(client: Client, viewer: User) -> None:
    closed = User.objects.create_user(username="closed", password=PASSWORD, is_active=False)
    answers = {
        sign_in(client, name, password).content.decode().replace(name, "")
        for name, password in (
            ("viewer", "wrong password"),
            ("nobody", "wrong password"),
            (closed.username, PASSWORD),
        )
    }
    texts = {answer.split("</form>")[0].split("csrfmiddlewaretoken")[0] for answer in answers}
    assert len(texts) == 1
    assert "Username or password is not right." in texts.pop()


def test_the_form_lets_password_managers_work(client: Client, db: None) -> None:
    page = client.get("/sign-in/").content.decode()
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert "onpaste" not in page


def test_five_wrong_attempts_hold_the_name_even_for_the_right_password(
    client: Client, viewer: User, operator: User
) -> None:
    statuses = [sign_in(client, "viewer", f"wrong {n}").status_code for n in range(5)]
    assert statuses[:4] == [200] * 4
    held = sign_in(client, "viewer", PASSWORD)
    assert held.status_code == 429
    assert b"Too many attempts" in held.content
    assert sign_in(Client(), "operator", PASSWORD).status_code == 302


def test_signing_out_is_a_post_and_ends_the_session(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/journal/").status_code == 302


# --- every page -----------------------------------------------------------------------------------


def test_pages_carry_a_strict_policy_and_no_code(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    response = client.get("/journal/")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "nonce" not in policy


def test_only_operators_see_the_stop(client: Client, viewer: User, operator: User) -> None:
    client.force_login(viewer)
    assert b"STOP TRADING" not in client.get("/journal/").content
    client.force_login(operator)
    assert b"STOP TRADING" in client.get("/journal/").content


def test_machines_read_plain_numbers_though_people_read_grouped_ones(
    client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = LiveFigures(
        session="day1",
        line=1_234_567,
        cells=(
            LiveCell(
                "NIFTY", 2_532_140, "2026-03-02", 1_204_331, 1_756_438_200_000_000, synthetic=True
            ),
        ),
    )
    monkeypatch.setattr("brahmastra_site.selectors.figures_from_store", lambda url: figures)
    client.force_login(viewer)
    page = client.get("/journal/").content.decode()
    assert 'data-seq="1204331"' in page
    assert 'data-as-of="1756438200000000"' in page
    assert 'data-age-of="1756438200000000"' in page
    assert "25,321.40" in page
    assert "12,34,567" in page
    assert "SYNTHETIC" in page


# --- the stop -------------------------------------------------------------------------------------


def open_session(var_dir: Path, name: str = "day1") -> None:
    with open_log(var_dir, name) as log:
        log.open_day("2025-08-29")
        log.commit([frame(name, 1)])


def test_the_stop_reaches_open_sessions_signed_and_reasoned(
    client: Client, operator: User, var_dir: Path
) -> None:
    open_session(var_dir)
    client.force_login(operator)
    response = client.post(
        "/stop/", {"reason": "Feed looks wrong", "command_id": str(uuid4())}, follow=False
    )
    assert response.headers["Location"] == "/"
    (waiting,) = waiting_commands(var_dir=var_dir, session="day1")
    command = read_command(waiting, key=read_or_create_secret(var_dir / "secrets" / "spool.key"))
    assert (command.command, command.actor, command.reason, command.address) == (
        "kill",
        "operator",
        "Feed looks wrong",
        "127.0.0.1",
    )
    assert "operator: Feed looks wrong" in kill_file(var_dir).read_text()


def test_a_second_click_is_the_same_command(client: Client, operator: User, var_dir: Path) -> None:
    open_session(var_dir)
    client.force_login(operator)
    form = {"reason": "Feed looks wrong", "command_id": str(uuid4())}
    client.post("/stop/", form)
    client.post("/stop/", form)
    assert len(waiting_commands(var_dir=var_dir, session="day1")) == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"reason": "  ", "command_id": str(uuid4())}, "A reason is required"),
        ({"reason": "Feed", "command_id": "../../KILL"}, "out of date"),
        ({"reason": "Feed"}, "out of date"),
        ({"reason": "F", "strategy": "x=1", "command_id": str(uuid4())}, "name is not one"),
        ({"reason": "x" * 501, "command_id": str(uuid4())}, "at most 500"),
    ],
)
def test_a_stop_that_is_not_understood_writes_nothing(
    client: Client, operator: User, var_dir: Path, form: dict[str, str], words: str
) -> None:
    open_session(var_dir)
    client.force_login(operator)
    response = client.post("/stop/", form)
    assert response.status_code == 400
    assert words in response.content.decode()
    assert waiting_commands(var_dir=var_dir, session="day1") == []
    assert not kill_file(var_dir).exists()


def test_open_trades_may_be_kept(client: Client, operator: User, var_dir: Path) -> None:
    open_session(var_dir)
    client.force_login(operator)
    client.post("/stop/", {"reason": "Feed", "hold": "on", "command_id": str(uuid4())})
    (waiting,) = waiting_commands(var_dir=var_dir, session="day1")
    command = read_command(waiting, key=read_or_create_secret(var_dir / "secrets" / "spool.key"))
    assert command.arguments == {"hold": True}
    assert kill_file(var_dir).read_text() == "hold=yes by operator: Feed\n"


def test_a_strategy_that_is_stopped_stands_on_every_page(
    client: Client, operator: User, var_dir: Path
) -> None:
    client.force_login(operator)
    form = {"reason": "Feed", "strategy": "S4", "command_id": str(uuid4())}
    assert client.post("/stop/", form).status_code == 302
    assert "S4 STOPPED" in client.get("/live/").content.decode()


def test_a_viewer_cannot_stop(client: Client, viewer: User, var_dir: Path) -> None:
    client.force_login(viewer)
    form = {"reason": "Feed", "command_id": str(uuid4())}
    assert client.post("/stop/", form).status_code == 403
    assert not kill_file(var_dir).exists()


# --- the first users ------------------------------------------------------------------------------


def test_bootstrap_makes_one_user_a_role_and_tells_passwords_once(db: None) -> None:
    made = users_bootstrap()
    assert sorted(user.username for user in made) == sorted(role.value for role in Role)
    assert len({user.password for user in made}) == len(Role)
    for given in made:
        user = User.objects.get(username=given.username)
        assert user.check_password(given.password)
        assert roles_of(user) == {Role(given.username)}
        assert user.is_superuser == (given.username == "admin")
        assert user.is_staff == (given.username in {"admin", "compliance"})
    assert users_bootstrap() == []
    assert json.dumps([user.password for user in made]).isascii()


def test_a_stop_shows_whatever_the_push_process_said_last(
    client: Client, operator: User, var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = LiveFigures(session="told")
    monkeypatch.setattr("brahmastra_site.selectors.figures_from_store", lambda url: published)
    client.force_login(operator)
    assert "STOPPED" not in client.get("/live/").content.decode()
    kill_file(var_dir).write_text("operator: the feed looks wrong")
    assert "STOPPED" in client.get("/live/").content.decode()
