"""SQL that reads values given as text, exactly. Every function takes SQL of a VARCHAR and returns
SQL; an empty text or null is a missing value, and what does not parse is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HUNDREDTHS = r"|[0-9]{1,15}(\.[0-9]{0,2}0*)?|\.[0-9]{1,2}0*"
_WHOLE = r"|[0-9]{1,15}(\.0*)?"
_NUMBER = r"|[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
# `2,05,721` in the Indian grouping, `205,721` in the other.
_GROUPED = r"[-+]?[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}(\.[0-9]*)?"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def literals(values: Iterable[str]) -> str:
    """Texts as an SQL list without brackets."""
    return ", ".join(literal(value) for value in values)


def any_of(conditions: Iterable[str]) -> str:
    """Whether any condition holds, null counting as no; false for none."""
    return "(" + (" OR ".join(f"coalesce({c}, false)" for c in conditions) or "false") + ")"


def stripped(text: str) -> str:
    """A cell without the blanks and line breaks around it."""
    return f"trim({text}, ' \t\r\n')"


def cleaned(text: str) -> str:
    """A cell without its blanks, line breaks and digit groups; a lone dash is an empty one."""
    bare = stripped(text)
    return (
        f"CASE WHEN {bare} = '-' THEN '' "
        f"WHEN regexp_full_match({bare}, '{_GROUPED}') THEN replace({bare}, ',', '') "
        f"ELSE {bare} END"
    )


def day(text: str, *formats: str) -> str:
    """A DATE in one of the formats of strptime."""
    return f"CAST(try_strptime({text}, [{literals(formats)}]) AS DATE)"


def iso_day(text: str) -> str:
    """A DATE of `2026-01-27` and nothing else."""
    return f"CASE WHEN length({text}) = 10 THEN TRY_CAST({text} AS DATE) END"


def paise(text: str) -> str:
    """Integer paise of decimal rupees; zero stays zero. Only for what is_paise holds for."""
    return scaled(text, 100)


def price(text: str) -> str:
    """Integer paise of a price, for which zero means missing."""
    return f"nullif({paise(text)}, 0)"


def scaled(text: str, factor: int) -> str:
    """A decimal with at most two places times a factor, a BIGINT."""
    return f"TRY_CAST(TRY_CAST({text} AS DECIMAL(18, 2)) * {factor} AS BIGINT)"


def given(text: str) -> str:
    """A text, null where it is empty."""
    return f"nullif({text}, '')"


def whole(text: str) -> str:
    """A BIGINT; `695921.0` is one too."""
    return f"TRY_CAST(TRY_CAST({text} AS DECIMAL(18, 2)) AS BIGINT)"


def real(text: str) -> str:
    """A finite DOUBLE."""
    return f"CASE WHEN {is_number(text)} THEN TRY_CAST({text} AS DOUBLE) END"


def is_paise(text: str) -> str:
    """Whether a text is missing or a whole number of hundredths, not negative."""
    return f"coalesce(regexp_full_match({text}, '{_HUNDREDTHS}'), true)"


def is_whole(text: str) -> str:
    """Whether a text is missing or a whole number, not negative."""
    return f"coalesce(regexp_full_match({text}, '{_WHOLE}'), true)"


def is_signed_whole(text: str) -> str:
    """Whether a text is missing or a whole number."""
    return f"coalesce(regexp_full_match({text}, '[-+]?({_WHOLE})'), true)"


def is_number(text: str) -> str:
    """Whether a text is missing or a decimal number."""
    return f"coalesce(regexp_full_match({text}, '{_NUMBER}'), true)"


def is_negative(text: str) -> str:
    """Whether a number in a text is below zero."""
    return f"coalesce(TRY_CAST({text} AS DOUBLE) < 0, false)"
