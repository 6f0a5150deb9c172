"""Importers: files of others into rows of the store. What a file is, is told by its content, never
by its name.

An importer is a module:

    NAME, VERSION, SOURCE_NAME   what the catalogue calls it, and the source of its rows
    TITLE                        what it reads, in words for people
    CATEGORIES                   the categories it gives rows of
    CADENCE_US                   the time between two snapshots; None for daily data and tables
    REFUSALS, DROPS              its reasons: for rows that cannot be taken, for rows that say
                                 nothing new
    recognises(head) -> bool     whether it reads a file that begins so
    edition(source) -> int       only where what it reads comes in editions: which one this is; a
                                 later one takes the place of those before it
    stage(connection, source)    the file's rows into temporary tables `staged_<category>`: the
                                 category's columns but for those the store adds (ADDED_COLUMNS),
                                 source_row (from 1), outcome (null to accept, else the reason) and
                                 raw (a refused row as it was)

`trading.market.importers.registry` lists them; `trading.market.importing` does the rest.
"""

from __future__ import annotations


class ImportRefusedError(Exception):
    """A source that cannot be imported; the text is one line saying what, where, and what was
    expected.
    """
