"""A market frame survives being written and read, and refuses to be wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from trading.market.frames import FrameError, MarketFrame

LEGS = ("bid_paise", "ask_paise", "bid_quantity", "ask_quantity", "last_paise", "oi", "volume")


def _data() -> dict[str, Any]:
    block = {
        "expiry": "2026-03-02",
        "expires_at_us": 1_772_445_600_000_000,
        "forward_paise": 25_000_00,
        "forward_pairs": 3,
        "forward_spread_paise": 120,
        "strike_paise": [24_950_00, 25_000_00],
        **{f"{side}_{leg}": [5, None] for side in ("call", "put") for leg in LEGS},
    }
    block["call_oi"] = [13.5, 7]
    return {
        "underlying": "NIFTY",
        "as_of": 1_000_000,
        "available_at": 2_000_000,
        "exchange_stamp": 1_000_000,
        "collection_stamp": 2_000_000,
        "source": {
            "name": "a collector",
            "digest": "ab",
            "synthetic": False,
            "seed": None,
            "generator_version": None,
            "mode": None,
        },
        "flags": [],
        "cadence_us": 60_000_000,
        "spot_paise": None,
        "future_paise": 25_100_00,
        "future_expiry": "2026-03-30",
        "vix": 13.25,
        "prints": [
            {
                "instrument": "NIFTY-FUT",
                "as_of": [900_000, 950_000],
                "price_paise": [25_100_00, 25_100_05],
                "quantity": [65, 130],
                "aggressor": ["BUY", None],
            }
        ],
        "quality": {
            name: {
                "state": "FRESH",
                "age_us": 1_000_000,
                "limit_us": 120_000_000,
                "as_of": 1_000_000,
                "available_at": 2_000_000,
                "source": "ab",
                "reason": None,
            }
            for name in ("spot", "future", "vix", "prints", "chain")
        },
        "chain": [block, {**block, "expiry": "2026-03-10"}],
    }


def test_a_frame_is_its_record() -> None:
    frame = MarketFrame.from_data(_data())
    assert frame.to_data() == _data()
    assert MarketFrame.from_data(json.loads(json.dumps(frame.to_data()))) == frame
    assert frame.chain[0].call_oi == (13.5, 7)


def test_plain_data_holds_only_what_json_has() -> None:
    text = json.dumps(MarketFrame.from_data(_data()).to_data())
    assert "(" not in text
    assert json.loads(text) == _data()


def _change(path: str, value: object) -> dict[str, Any]:
    data = copy.deepcopy(_data())
    target: Any = data
    *parents, last = path.split(".")
    for part in parents:
        target = target[int(part)] if part.isdigit() else target[part]
    target[int(last) if last.isdigit() else last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("underlying", "", "underlying is empty"),
        ("as_of", 3_000_000, "CLOCK must be set"),
        ("flags", ["CLOCK"], "CLOCK must be set"),
        ("cadence_us", 0, "cadence_us is 0"),
        ("spot_paise", 0, "spot_paise is 0"),
        ("vix", float("nan"), "vix is nan"),
        ("vix", float("inf"), "vix is inf"),
        ("chain.1.expiry", "2026-03-02", "ascending"),
        ("chain.0.expiry", "02-Mar-2026", "not an ISO date"),
        ("chain.0.forward_paise", -1, "forward_paise is -1"),
        ("chain.0.strike_paise.1", 24_950_00, "ascending strikes"),
        ("chain.0.strike_paise.0", 0, "strike 0 is not positive"),
        ("chain.0.put_bid_paise.0", 0, "put_bid_paise at strike 2495000 is 0"),
        ("chain.0.call_ask_paise.0", -5, "call_ask_paise at strike 2495000 is -5"),
        ("chain.0.put_oi.0", 0, "put_oi at strike 2495000 is 0"),
        ("chain.1.call_volume", [1], "call_volume has 1 values, expected 2"),
        ("chain.0.call_bid_paise.0", 5.5, "$.chain[0].call_bid_paise[0]"),
        ("available_at", "now", "$.available_at"),
        ("colour", "red", "colour"),
    ],
)
def test_a_wrong_frame_is_refused_with_the_place(path: str, value: object, said: str) -> None:
    with pytest.raises(FrameError) as refusal:
        MarketFrame.from_data(_change(path, value))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_frame_stamped_after_its_receipt_carries_the_flag() -> None:
    data = _change("as_of", 3_000_000)
    data["flags"] = ["CLOCK"]
    assert MarketFrame.from_data(data).flags == ("CLOCK",)


def test_what_is_no_frame_at_all_is_refused() -> None:
    for nonsense in (None, [], {}, "frame"):
        with pytest.raises(FrameError):
            MarketFrame.from_data(nonsense)
