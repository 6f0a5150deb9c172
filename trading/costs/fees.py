"""Charges as they add up: exact to 10^-18 paise, in any order, over any number of fills."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from trading.costs.amounts import paise_of
from trading.costs.india import Charges

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = tuple(field.name for field in fields(Charges))


class Fees:
    """A running sum of exact charges by line. Its dump is decimal text, for the sums are larger
    than what JSON keeps of a number.
    """

    __slots__ = ("_exact",)

    def __init__(self, exact: Charges | None = None) -> None:
        self._exact = exact or Charges()

    def add(self, charges: Charges) -> None:
        """Add exact charges, 10^-18 paise."""
        pairs = zip(astuple(self._exact), astuple(charges), strict=True)
        self._exact = Charges(*(have + more for have, more in pairs))

    @property
    def exact(self) -> Charges:
        """The sums, 10^-18 paise."""
        return self._exact

    @property
    def paise(self) -> Charges:
        """The sums as an estimate: each line rounded half-up to the paisa. A bill rounds otherwise,
        see trading.costs.notes.
        """
        return Charges(*(paise_of(line) for line in astuple(self._exact)))

    def dump(self) -> list[str]:
        """The sums as decimal text, in the order of the lines."""
        return [str(line) for line in astuple(self._exact)]

    @classmethod
    def restore(cls, dump: Sequence[str]) -> Fees:
        """The sum of a dump."""
        return cls(Charges(*map(int, dump)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fees) and self._exact == other._exact

    __hash__ = None  # type: ignore[assignment]  # it changes
