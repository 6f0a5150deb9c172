#!/usr/bin/env python
"""Django's command line for BRAHMASTRA."""

from __future__ import annotations

import os
import sys

from brahmastra_site.launcher.environment import DETERMINISTIC, var_directory
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.servers import servers

# These open neither PostgreSQL nor Valkey: trading, its log and its kill switch work when both are
# down.
SERVERLESS = {
    "trade",
    "log",
    "kill",
    "tell",
    "market",
    "surface",
    "costs",
    "portfolio",
    "replay",
    "help",
    "version",
    "check",
    "collectstatic",
}
# These are about the state of the database and must find it as it is.
ABOUT_MIGRATIONS = {
    "migrate",
    "makemigrations",
    "showmigrations",
    "sqlmigrate",
    "squashmigrations",
    "optimizemigration",
    "dbshell",
}


def main(arguments: list[str]) -> None:
    """Run a command with the servers it needs: the running ones, or private ones meanwhile."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brahmastra_site.settings")
    for name, value in DETERMINISTIC.items():
        os.environ.setdefault(name, value)
    if not needs_servers(arguments[1:]):
        _execute(arguments)
        return
    with servers(var_directory()) as used:
        os.environ.update(used.environment)
        if used.started and arguments[1] not in ABOUT_MIGRATIONS:
            _execute([arguments[0], "migrate", "--verbosity=0"])
        _execute(arguments)


def needs_servers(words: list[str]) -> bool:
    """Tell whether the command in `words` needs PostgreSQL or Valkey."""
    return (
        bool(words)
        and words[0] not in SERVERLESS
        and not {"--help", "-h", "--version"} & set(words)
    )


def _execute(arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(arguments)


if __name__ == "__main__":
    try:
        main(sys.argv)
    except LauncherError as error:
        print(f"manage.py: {error}", file=sys.stderr)  # noqa: T201 - the one line
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
