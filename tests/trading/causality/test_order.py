"""Answers that depend on what was asked before are found out."""

from __future__ import annotations

from tests.trading.causality import zoo
from trading.causality.order import BACKWARDS, EMPTIED, order_matters
from trading.causality.poisons import POISONS

CUTS = zoo.CUTS[:3]
TWO_POISONS = [poison for poison in POISONS if poison.name in {"huge", "dropped"}]


def test_a_function_that_remembers_is_caught_backwards_and_without_its_memory() -> None:
    zoo.forget()
    found = order_matters(
        zoo.remembered_mean, zoo.make_tables(), CUTS, poisons=TWO_POISONS, clear=zoo.forget
    )
    assert found
    assert {way for disagreement in found for way in disagreement.ways} == {BACKWARDS, EMPTIED}


def test_a_function_without_memory_answers_the_same_in_every_order() -> None:
    for function in (zoo.trailing_mean, zoo.regime_run, zoo.full_sample_z):
        found = order_matters(
            function, zoo.make_tables(), CUTS, poisons=TWO_POISONS, clear=zoo.forget
        )
        assert found == ()
