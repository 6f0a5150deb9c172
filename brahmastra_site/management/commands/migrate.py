"""`manage.py migrate`: Django's, run as the owner of the tables, its schemas made first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.commands import migrate
from django.db import connections

from brahmastra_site.launcher.roles import prepare_schemas

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(migrate.Command):
    """Migrate through the alias `owner` unless another one is named."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add Django's arguments with another default."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *arguments: Any, **options: Any) -> None:
        """Make the schemas, then migrate."""
        prepare_schemas(owner_conninfo(options["database"]))
        super().handle(*arguments, **options)


def owner_conninfo(alias: str) -> str:
    """Return what libpq needs to connect as the role of `alias`."""
    from psycopg.conninfo import make_conninfo

    parameters = dict(connections[alias].get_connection_params())
    known = {
        "dbname",
        "user",
        "password",
        "host",
        "port",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "passfile",
        "service",
    }
    return make_conninfo(
        **{name: value for name, value in parameters.items() if name in known and value}
    )
