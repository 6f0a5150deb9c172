"""A configuration is checked whole before anything starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from trading.engine.configuration import (
    Configuration,
    ConfigurationError,
    SurfaceConfiguration,
    configuration_from_data,
    configuration_from_toml,
)

TRIAL = Path(__file__).resolve().parents[3] / "trial.toml"


def trial() -> Configuration:
    return configuration_from_toml(TRIAL.read_text(), where="trial.toml")


def test_the_trial_configuration_is_what_the_documents_say() -> None:
    configuration = trial()
    s4 = configuration.strategies.S4
    assert s4 is not None
    assert (s4.lookback_snapshots, s4.entry_z, s4.hold_minutes, s4.lots) == (30, 1.5, 30, 1)
    assert configuration.gates.last_entry == "11:45"
    assert configuration.gates.chain_age_seconds == 180
    assert configuration.costs.profile == "ZERODHA"
    assert configuration.surface == SurfaceConfiguration(every_minutes=15, profile="market")


def test_a_session_recorded_before_there_were_surfaces_fits_none() -> None:
    data = trial().to_data()
    del data["surface"]
    assert configuration_from_data(data, where="log").surface is None


def test_data_and_digest_survive_a_round_trip() -> None:
    configuration = trial()
    again = configuration_from_data(configuration.to_data(), where="log")
    assert again == configuration
    assert again.digest == configuration.digest


def changed(path: str, value: Any) -> dict[str, Any]:
    data = trial().to_data()
    target, *rest = path.split(".")
    node = data
    for name in rest:
        node = node[target]
        target = name
    node[target] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("underlyings", ["FINNIFTY"], "unknown underlying 'FINNIFTY'"),
        ("underlyings", [], "underlyings is empty"),
        ("broker.name", "dealer", "broker.name is 'dealer', expected paper"),
        ("broker.algo_id", "", "broker.algo_id is empty"),
        ("broker.latency_ms", -1, "broker.latency_ms is -1, expected 0 to 60000"),
        ("broker.depth_ppm", 0, "broker.depth_ppm is 0, expected 1 to 1000000"),
        ("broker.reject_ppm", 1_000_001, "broker.reject_ppm is 1000001, expected 0 to 1000000"),
        ("broker.orders_per_second", 0, "broker.orders_per_second is 0, expected 1 to 1000"),
        ("broker.answer_seconds", 0, "broker.answer_seconds is 0, expected 1 to 3600"),
        ("gates.last_entry", "25:00", "expected HH:MM"),
        ("gates.first_entry", "12:00", "not before last_entry"),
        ("gates.chain_age_seconds", 0, "chain_age_seconds is 0"),
        ("strategies.S4.entry_z", -1.0, "entry_z is -1.0"),
        ("strategies.S4.entry_z", "high", "Expected `float`"),
        ("strategies.S4.lookback_snapshots", 2, "expected 3 or more"),
        ("strategies.S9", {}, "unknown field `S9`"),
        ("costs", {}, "missing required field `profile`"),
        ("costs.profile", "NET", "expected one of GROSS, ZERODHA"),
        ("costs.profile", "CUSTOM", "costs.custom goes with profile CUSTOM"),
        ("costs", {"profile": "GROSS", "stress": 2}, "1 where costs are GROSS"),
        ("feed.expiries", 0, "feed.expiries is 0"),
        ("surface.every_minutes", -1, "surface.every_minutes is -1, expected 0 or more"),
        ("surface.profile", "slow", "surface.profile is 'slow', expected one of market, fast"),
    ],
)
def test_a_bad_field_is_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        configuration_from_data(changed(path, value), where="some.toml")
    assert str(caught.value).startswith(("some.toml", "time"))
    assert "\n" not in str(caught.value)


def test_a_text_that_is_no_toml_is_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"some\.toml: not TOML"):
        configuration_from_toml("name = ", where="some.toml")
