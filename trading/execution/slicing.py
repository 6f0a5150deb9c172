"""A quantity cut into orders that the exchange takes."""

from __future__ import annotations


def slices(quantity: int, *, lot_size: int, freeze_quantity: int) -> tuple[int, ...]:
    """Orders of whole lots, none above the freeze quantity, largest first; units throughout.

    What is no whole lot, as a partial fill may leave, goes with the last. A quantity stays whole
    where the exchange takes no lot at all: gate 5 refuses that. Nothing is no order.
    """
    largest = freeze_quantity // lot_size * lot_size if lot_size > 0 else 0
    if quantity <= 0:
        return ()
    if not largest:
        return (quantity,)
    whole, rest = divmod(quantity, largest)
    return (largest,) * whole + ((rest,) if rest else ())
