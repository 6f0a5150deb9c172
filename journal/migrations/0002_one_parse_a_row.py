"""The audit store again, with columns the mirror gives and the database compares.

`docs/decisions/audit-columns.md` says why. The store is an index of the logs: it is dropped and
made anew, and the mirror fills it from the first line on.
"""

from __future__ import annotations

from importlib import import_module

from django.db import migrations

before = import_module("journal.migrations.0001_audit_store")

# A line without its newline ends with ,"hash":"<64>","prev":"<64>"} : 149 bytes. Before them stands
# "line":N,"rec":R}} : at most 45 bytes, N below 2^40 and R below 2^53; no text of a body comes so
# near the end.
TABLES = r"""
CREATE SCHEMA IF NOT EXISTS audit;

CREATE TABLE audit.session (
    number bigint PRIMARY KEY CHECK (number BETWEEN 1 AND 4194303),
    name   text NOT NULL UNIQUE CHECK (name ~ '^([a-z0-9][a-z0-9_-]{0,39}|_desk)$')
);

CREATE TABLE audit.event (
    id          bigint PRIMARY KEY,
    file        text NOT NULL,
    file_offset bigint NOT NULL CHECK (file_offset >= 0),
    length      integer NOT NULL CHECK (length > 0),
    hash        text NOT NULL,
    prev        text NOT NULL,
    raw         text NOT NULL,
    session     text NOT NULL,
    seq         bigint,
    kind        text NOT NULL,
    ts          bigint NOT NULL,
    key         text,
    cause       bigint[] NOT NULL,
    payload     jsonb NOT NULL GENERATED ALWAYS AS (raw::jsonb #> '{event,body}') STORED,
    CONSTRAINT event_cause_is_that_of_its_line CHECK (
        starts_with(
            raw, '{"event":{"body":{"cause":[' || array_to_string(cause, ',') || '],"data":{'
        )
    ),
    CONSTRAINT event_columns_are_those_of_its_line CHECK ((
        payload->>'session' = session
        AND payload->>'kind' = kind
        AND (payload->>'ts')::bigint = ts
        AND (payload->>'seq')::bigint IS NOT DISTINCT FROM seq
        AND payload->>'key' IS NOT DISTINCT FROM key
    ) IS TRUE),
    CONSTRAINT event_id_is_its_line CHECK (
        position(
            convert_to('"line":' || (id & 1099511627775) || ',"rec":', 'UTF8')
            IN substr(convert_to(raw, 'UTF8'), octet_length(raw) - 193, 45)
        ) > 0
    ),
    CONSTRAINT event_raw_ends_with_its_hashes CHECK (
        substr(convert_to(raw, 'UTF8'), octet_length(raw) - 148)
        = convert_to(',"hash":"' || hash || '","prev":"' || prev || '"}', 'UTF8')
    ),
    CONSTRAINT event_raw_hashes_to_its_hash CHECK (
        kind IN ('market.frame', 'day.opened')
        OR hash = encode(
            sha256(
                decode(prev, 'hex')
                || substr(convert_to(raw, 'UTF8'), 10, octet_length(raw) - 158)
            ),
            'hex'
        )
    ),
    CONSTRAINT event_length_is_its_line CHECK (
        kind IN ('market.frame', 'day.opened') OR length = octet_length(raw) + 1
    )
) PARTITION BY RANGE (id);

CREATE INDEX event_kind ON audit.event (kind, id);
CREATE INDEX event_key ON audit.event (key, id) WHERE key IS NOT NULL;
CREATE INDEX event_ts ON audit.event USING brin (ts);
CREATE INDEX event_cause ON audit.event USING gin (cause) WITH (fastupdate = off);

CREATE TABLE audit.mirror_position (
    number      bigint PRIMARY KEY REFERENCES audit.session,
    file        text NOT NULL DEFAULT '',
    file_offset bigint NOT NULL DEFAULT 0 CHECK (file_offset >= 0),
    line        bigint NOT NULL DEFAULT 0 CHECK (line >= 0),
    hash        text NOT NULL DEFAULT repeat('0', 64)
);
"""

DROP = before.DROP
MAKE = TABLES + before.GUARDS + before.PARTITIONS + before.PRIVILEGES
MAKE_AS_BEFORE = before.TABLES + before.GUARDS + before.PARTITIONS + before.PRIVILEGES


class Migration(migrations.Migration):
    dependencies = [("journal", "0001_audit_store")]

    operations = [migrations.RunSQL(DROP + MAKE, DROP + MAKE_AS_BEFORE)]
