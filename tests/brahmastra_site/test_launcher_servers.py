"""The private servers: who starts them, who attaches, who stops them, and what they survive."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from brahmastra_site.launcher.account import SOCKET_PATH_LIMIT
from brahmastra_site.launcher.children import Stamp
from brahmastra_site.launcher.environment import REPOSITORY
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.servers import servers

NOTHING_NAMED: dict[str, str] = {}


def said(home: Path) -> dict[str, dict[str, dict[str, float]]]:
    return json.loads((home / "run" / "servers.json").read_text())


def stamps(home: Path) -> list[Stamp]:
    """Everything that runs for `home`: the keeper, its servers, and their children."""
    running = said(home)
    heads = [running["keeper"], *running["processes"].values()]
    processes = [psutil.Process(int(head["pid"])) for head in heads]
    family = {child for process in processes for child in process.children(recursive=True)}
    return [Stamp(process.pid, process.create_time()) for process in {*processes, *family}]


def all_gone(found: list[Stamp], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(stamp.is_alive() for stamp in found):
            return True
        time.sleep(0.02)
    return False


def put_row(owner_url: str, text: str) -> None:
    with psycopg.connect(owner_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS app.kept (line text)")
        connection.execute("INSERT INTO app.kept VALUES (%s)", [text])


def rows(url: str) -> list[str]:
    """Read the rows, waiting while a killed server is being started again."""
    deadline = time.monotonic() + 20.0
    while True:
        try:
            with psycopg.connect(url) as connection:
                return [row[0] for row in connection.execute("SELECT line FROM app.kept")]
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_session_of_servers_from_cold_to_stopped(tmp_path: Path) -> None:
    home = tmp_path / "var"
    # 1. The first user starts them; a second one finds them running.
    with servers(home, NOTHING_NAMED) as first:
        assert first.started
        with servers(home, NOTHING_NAMED) as second:
            assert not second.started
            assert second.environment == first.environment
        # 2. Both answer; the second user's leaving stopped nothing.
        with psycopg.connect(first.environment["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("brahmastra_web",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert redis.Redis.from_url(first.environment["REDIS_URL"]).ping()
        put_row(first.environment["AUDIT_OWNER_URL"], "before")
        found = stamps(home)
        # 3. Root's servers are not root's.
        owners = {
            psutil.Process(head["pid"]).uids().real for head in said(home)["processes"].values()
        }
        assert owners == {65534 if os.geteuid() == 0 else os.geteuid()}
    # 4. When the last user has left nothing runs, and the data are there the next time.
    assert all_gone(found, 1.0)
    assert not (home / "run" / "servers.json").exists()
    with servers(home, NOTHING_NAMED) as third:
        assert third.started
        assert rows(third.environment["DATABASE_URL"]) == ["before"]


def test_the_one_who_started_them_may_leave_first(tmp_path: Path) -> None:
    home = tmp_path / "var"
    waiting = (
        "import sys; from pathlib import Path\n"
        "from brahmastra_site.launcher.servers import servers\n"
        "with servers(Path(sys.argv[1]), {}): print('in', flush=True); sys.stdin.read()"
    )
    with servers(home, NOTHING_NAMED) as first:
        guest = subprocess.Popen(
            [sys.executable, "-c", waiting, str(home)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert guest.stdout is not None
        assert guest.stdout.readline() == b"in\n"
        found = stamps(home)
    with psycopg.connect(first.environment["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    # The guest dies without a word, and the servers go with the last user all the same.
    guest.kill()
    guest.wait()
    assert all_gone(found)


def test_a_killed_postgres_is_back_with_every_row(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with servers(home, NOTHING_NAMED) as used:
        put_row(used.environment["AUDIT_OWNER_URL"], "committed")
        killed = int(said(home)["processes"]["postgres"]["pid"])
        os.kill(killed, signal.SIGKILL)
        assert rows(used.environment["DATABASE_URL"]) == ["committed"]
        deadline = time.monotonic() + 5.0
        while int(said(home)["processes"]["postgres"]["pid"]) == killed:
            assert time.monotonic() < deadline, "servers.json still names the killed server"
            time.sleep(0.02)


def test_a_killed_keeper_takes_its_servers_along_and_leaves_the_data(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with servers(home, NOTHING_NAMED) as used:
        put_row(used.environment["AUDIT_OWNER_URL"], "committed")
        found = stamps(home)
        os.kill(int(said(home)["keeper"]["pid"]), signal.SIGKILL)
        assert all_gone(found)
        assert (home / "run" / "servers.json").exists(), "nobody was left to remove it"
        # A new user is not fooled by the file.
        with servers(home, NOTHING_NAMED) as again:
            assert again.started
            assert rows(again.environment["DATABASE_URL"]) == ["committed"]


@pytest.mark.parametrize("content", ["{pid}\n/elsewhere\n", "999999\n/elsewhere\n", "", "half a l"])
def test_a_stale_lock_file_stops_nobody(tmp_path: Path, content: str) -> None:
    home = tmp_path / "var"
    with servers(home, NOTHING_NAMED):
        pass
    # The number of a process that lives and has nothing to do with it: PostgreSQL alone would
    # refuse.
    lock = home / "postgres" / "data" / "postmaster.pid"
    lock.write_text(content.format(pid=os.getpid()))
    with servers(home, NOTHING_NAMED) as used:
        assert psycopg.connect(used.environment["DATABASE_URL"]).closed is False


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "var" / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with servers(tmp_path / "var", NOTHING_NAMED) as used:
        assert psycopg.connect(used.environment["DATABASE_URL"]).closed is False


def test_no_permission_of_a_directory_above_is_touched(tmp_path: Path) -> None:
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o700)
    with servers(shut / "var", NOTHING_NAMED) as used:
        assert psycopg.connect(used.environment["DATABASE_URL"]).closed is False
        assert shut.stat().st_mode & 0o777 == 0o700
        assert tmp_path.stat().st_mode & 0o777 == 0o700
        socket = Path(used.environment["DATABASE_URL"].split("host=")[1])
        assert socket.stat().st_mode & 0o777 == 0o700
        assert (shut / "var" / "postgres" / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["a b", "x" * 150, "percent%20 & Überlänge"])
def test_any_name_of_a_directory_will_do(tmp_path: Path, name: str) -> None:
    with servers(tmp_path / name, NOTHING_NAMED) as used:
        database = used.environment["DATABASE_URL"]
        assert psycopg.connect(database).closed is False
        directory = str(conninfo_to_dict(database)["host"])
        assert len(os.fsencode(f"{directory}/.s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
        assert redis.Redis.from_url(used.environment["REDIS_URL"]).ping()


def test_roles_may_do_their_own_work_only(tmp_path: Path) -> None:
    with servers(tmp_path / "var", NOTHING_NAMED) as used:
        owner, web, mirror = (
            used.environment[name]
            for name in ("AUDIT_OWNER_URL", "DATABASE_URL", "MIRROR_DATABASE_URL")
        )
        with psycopg.connect(owner) as connection:
            connection.execute("CREATE TABLE app.filter (id bigserial PRIMARY KEY, name text)")
            connection.execute("CREATE TABLE audit.event (id bigint PRIMARY KEY)")
        with psycopg.connect(web) as connection:
            connection.execute("INSERT INTO app.filter (name) VALUES ('mine')")
        refused = [
            (web, "INSERT INTO audit.event VALUES (1)"),
            (web, "CREATE TABLE app.other (id int)"),
            (web, "CREATE TABLE audit.other (id int)"),
            (web, "CREATE TABLE public.other (id int)"),
            (mirror, "SELECT * FROM app.filter"),
            (mirror, "DELETE FROM audit.event"),
            (owner, "CREATE ROLE another"),
        ]
        for url, statement in refused:
            with (
                psycopg.connect(url) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(statement)


def test_data_of_another_postgres_is_refused_in_one_line(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with servers(home, NOTHING_NAMED):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(LauncherError) as refusal, servers(home, NOTHING_NAMED):
        pass
    assert "\n" not in str(refusal.value)
    assert "PostgreSQL did not start" in str(refusal.value)
    assert "postgres.log" in str(refusal.value)


def test_servers_from_elsewhere_are_used_as_they_are(tmp_path: Path) -> None:
    named = {"DATABASE_URL": "postgresql://u@db.example/d", "REDIS_URL": "redis://bus.example/0"}
    with servers(tmp_path / "var", named) as used:
        assert not used.started
        assert used.environment == {
            **named,
            "MIRROR_DATABASE_URL": named["DATABASE_URL"],
            "AUDIT_OWNER_URL": named["DATABASE_URL"],
        }
    assert not (tmp_path / "var").exists()


def test_a_part_of_the_urls_is_refused(tmp_path: Path) -> None:
    named = {"AUDIT_OWNER_URL": "postgresql://u@db.example/d"}
    complaint = "AUDIT_OWNER_URL is set but DATABASE_URL is not"
    with pytest.raises(LauncherError, match=complaint), servers(tmp_path / "var", named):
        pass


def test_running_servers_that_lack_one_are_named(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with servers(home, {"DATABASE_URL": "postgresql://u@db.example/d"}) as used:
        assert redis.Redis.from_url(used.environment["REDIS_URL"]).ping()
        with pytest.raises(LauncherError, match="have no postgres"), servers(home, NOTHING_NAMED):
            pass


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "var"
    complaint = "set VAR_DIR to a directory you may write"
    with pytest.raises(LauncherError, match=complaint), servers(home, NOTHING_NAMED):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
def test_a_lock_of_another_user_is_refused_in_one_line(tmp_path: Path) -> None:
    run = tmp_path / "var" / "run"
    run.mkdir(parents=True)
    (run / "servers.lock").touch(mode=0o400)
    with pytest.raises(LauncherError, match="cannot open"), servers(tmp_path / "var", {}):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make directories of another user")
def test_data_of_another_user_are_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "var" / "postgres"
    home.mkdir(parents=True)
    os.chown(home, 12345, 12345)
    refusal = pytest.raises(LauncherError, match="run as the one who made it")
    with refusal, servers(tmp_path / "var", NOTHING_NAMED):
        pass
    assert home.stat().st_uid == 12345
