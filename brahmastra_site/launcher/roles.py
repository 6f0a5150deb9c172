"""Roles, the database, its two schemas and who may do what in them.

`app` holds the site's own tables: the web role may do everything with their rows. `audit` holds the
mirror of the logs: the migrations that make its tables grant what each role needs there.

A database from elsewhere (`DATABASE_URL`) may know one role only: then only the schemas are made,
and that role owns everything.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

OWNER, MIRROR, WEB = "brahmastra_owner", "brahmastra_mirror", "brahmastra_web"
SCHEMAS = ("app", "audit")


def prepare_cluster(superuser_url: str, owner_url: str) -> None:
    """Make what a private cluster lacks: the roles, the database, its schemas and privileges."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role in (OWNER, MIRROR, WEB):
            if role not in known:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        # The owner makes the throw-away databases of the tests.
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(OWNER)))
        database = psycopg.conninfo.conninfo_to_dict(owner_url)["dbname"]
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", [database]
        ).fetchone():
            make = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(make.format(sql.Identifier(str(database)), sql.Identifier(OWNER)))
    prepare_schemas(owner_url)


def prepare_schemas(owner_url: str) -> None:
    """Make the schemas `app` and `audit` when they are missing, and grant on `app` to the roles
    that exist.
    """
    with psycopg.connect(owner_url) as connection:
        present = {row[0] for row in connection.execute("SELECT nspname FROM pg_namespace")}
        for schema in SCHEMAS:
            if schema not in present:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        known = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        for role in sorted(known & {MIRROR, WEB}):
            _let_use_schemas(connection, role)
        if WEB in known:
            _let_write_app(connection)


def _let_use_schemas(connection: psycopg.Connection, role: str) -> None:
    for schema in SCHEMAS:
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
                sql.Identifier(schema), sql.Identifier(role)
            )
        )


def _let_write_app(connection: psycopg.Connection) -> None:
    """Give the web role the rows of every table of `app`, those made later by the present role
    included.
    """
    for kind in ("TABLES", "SEQUENCES"):
        for statement in (
            "GRANT ALL ON ALL {} IN SCHEMA app TO brahmastra_web",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON {} TO brahmastra_web",
        ):
            connection.execute(sql.SQL(statement).format(sql.SQL(kind)))
