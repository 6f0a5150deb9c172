"""The same quotes give the same bytes: in another process, under load, with other instructions, in
another order; and what is not seen in a quote is not seen in a price.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from brahmastra_site.launcher.environment import REPOSITORY
from tests.trading.pricing.chains import ssvi_chain
from tests.trading.pricing.digests import COLUMNS, WAYS, digests, write_chain
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.profiles import FAST, MARKET, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trading.pricing.quotes import ExpiryQuotes

FEATURES: dict[str, bool] = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
DISPATCHED: list[str] = np._core._multiarray_umath.__cpu_dispatch__  # type: ignore[attr-defined]
AVX512 = [name for name in DISPATCHED if name == "X86_V4" or name.startswith("AVX512")]
# What may differ between two processes without a difference in what they make.
ENVIRONMENTS: dict[str, Mapping[str, str]] = {
    "a fresh process": {"PYTHONHASHSEED": "0"},
    "a second": {"PYTHONHASHSEED": "1"},
    "a third": {"PYTHONHASHSEED": "4294967295", "OMP_NUM_THREADS": "2"},
    "without AVX-512": {"NPY_DISABLE_CPU_FEATURES": " ".join(AVX512)},
    "without AVX2": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(DISPATCHED),
        "OPENBLAS_CORETYPE": "Prescott",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
    },
}


def noisy_chain() -> list[ExpiryQuotes]:
    """A chain no surface meets whole, as real ones are: reweighting has something to do."""
    random = np.random.default_rng(11)
    chain = []
    for quotes in ssvi_chain(strikes=41):
        shift = 0.05 * random.integers(-20, 21, quotes.bid.size)
        shift[random.random(quotes.bid.size) < 0.8] = 0.0
        kept = quotes.bid + shift > 0.0
        moved = {"bid": quotes.bid + shift * kept, "ask": quotes.ask + shift * kept}
        chain.append(replace(quotes, **moved))
    return chain


@pytest.fixture(scope="module")
def chain_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digests") / "chain.npz"
    write_chain(path, noisy_chain())
    return path


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """What this process makes of the chain."""
    return digests(noisy_chain())


def in_a_process(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", "tests.trading.pricing.digests", str(path)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    # Nothing but the answer: no solver prints its name.
    (line,) = result.stdout.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_every_process_makes_the_same_bytes(
    name: str, chain_file: Path, here: dict[str, str]
) -> None:
    environment = ENVIRONMENTS[name]
    switched_off = environment.get("NPY_DISABLE_CPU_FEATURES", "").split()
    if switched_off and not any(FEATURES[feature] for feature in switched_off):
        pytest.skip(f"this CPU has none of {', '.join(switched_off)}")
    answer = in_a_process(chain_file, environment)
    assert not any(answer["features"][feature] for feature in switched_off)
    assert answer["digests"] == here


def test_a_busy_machine_makes_the_same_bytes(chain_file: Path, here: dict[str, str]) -> None:
    busy = [sys.executable, "-c", "while True: pass"]
    load = [subprocess.Popen(busy) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        answer = in_a_process(chain_file, {})
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert answer["digests"] == here


def test_the_order_of_rows_and_expiries_makes_no_difference(here: dict[str, str]) -> None:
    random = np.random.default_rng(5)
    shuffled = []
    for quotes in reversed(noisy_chain()):
        order = random.permutation(quotes.strike.size)
        rows = {name: getattr(quotes, name)[order] for name in COLUMNS}
        shuffled.append(replace(quotes, **rows))
    assert digests(shuffled) == here


@pytest.mark.parametrize(
    ("profile", "method"), WAYS, ids=[f"{profile.name}-{method}" for profile, method in WAYS]
)
def test_one_ulp_on_every_quote_moves_no_price(profile: Profile, method: Method) -> None:
    chain = noisy_chain()
    random = np.random.default_rng(6)
    shaken = []
    for quotes in chain:
        towards = np.where(random.random((2, quotes.bid.size)) < 0.5, -np.inf, np.inf)
        moved = {
            "bid": np.nextafter(quotes.bid, towards[0]),
            "ask": np.nextafter(quotes.ask, towards[1]),
        }
        shaken.append(replace(quotes, **moved))
    before = fit_surface(chain, profile=profile, method=method)
    after = fit_surface(shaken, profile=profile, method=method)
    for f, g in zip(before.quote_fits, after.quote_fits, strict=True):
        assert np.max(np.abs(f.price - g.price) / f.quotes.spread) <= 1e-6


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_what_survives_rounding_still_moves_no_price_far(profile: Profile) -> None:
    """A change ten thousand times an ulp is seen by the solver: one optimum, near where it was."""
    chain = noisy_chain()
    ask = chain[1].ask.copy()
    ask[20] *= 1.0 + 1e-9
    before = fit_surface(chain, profile=profile)
    after = fit_surface([chain[0], replace(chain[1], ask=ask), *chain[2:]], profile=profile)
    assert before.surface is not None
    assert after.surface is not None
    assert before.surface.digest != after.surface.digest
    for f, g in zip(before.quote_fits, after.quote_fits, strict=True):
        assert np.max(np.abs(f.price - g.price) / f.quotes.spread) <= 1e-3
