"""`python -m tests.trading.pricing.digests FILE.npz`: fit a chain every way, print JSON.

What it prints must not depend on the process, its machine's load or its instructions.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.parity_fit import Pair, parity_fit
from trading.pricing.profiles import FAST, MARKET
from trading.pricing.quotes import ExpiryQuotes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = ("strike", "is_call", "bid", "ask")
_FACTS = ("years", "forward", "discount", "tick")
WAYS = tuple((profile, method) for profile in (FAST, MARKET) for method in (Method.QP, Method.LP))


def digests(chain: Sequence[ExpiryQuotes]) -> dict[str, str]:
    """The digest of the surface of every profile and method, and the parity fits in hexadecimal."""
    found = {}
    for profile, method in WAYS:
        fit = fit_surface(
            chain,
            profile=profile,
            method=method,
            least_quotes=LEAST_QUOTES,
            least_a_side=LEAST_A_SIDE,
        )
        assert fit.surface is not None
        found[f"{profile.name} {method}"] = fit.surface.digest
    for quotes in chain:
        parity = parity_fit(parity_pairs(quotes), quotes.years)
        assert parity is not None
        found[f"parity {quotes.expiry}"] = f"{parity.forward.hex()} {parity.discount.hex()}"
    return found


def parity_pairs(quotes: ExpiryQuotes) -> list[Pair]:
    """Pairs whose calls are the quotes and whose puts follow from them, each a little off."""
    pairs = []
    rows = zip(quotes.strike.tolist(), quotes.bid.tolist(), quotes.ask.tolist(), strict=True)
    for strike, bid, ask in rows:
        if bid <= ask:
            off = quotes.discount * (quotes.forward - strike) + 0.1 * (strike // 50 % 7 - 3)
            pairs.append(Pair(strike, bid + max(off, 0.0), ask + max(off, 0.0), bid, ask))
    return pairs


def write_chain(path: Path, chain: Sequence[ExpiryQuotes]) -> None:
    """Keep quotes bit by bit: made anew elsewhere they might differ already."""
    arrays: dict[str, Any] = {"expiries": np.array([q.expiry for q in chain])}
    for number, quotes in enumerate(chain):
        arrays |= {f"{name} {number}": getattr(quotes, name) for name in (*COLUMNS, *_FACTS)}
    np.savez(path, **arrays)


def read_chain(path: str) -> list[ExpiryQuotes]:
    """The quotes that were written."""
    with np.load(path) as arrays:
        return [
            ExpiryQuotes(
                expiry=str(expiry),
                **{name: float(arrays[f"{name} {number}"]) for name in _FACTS},
                **{name: arrays[f"{name} {number}"] for name in COLUMNS},
            )
            for number, expiry in enumerate(arrays["expiries"])
        ]


def main(path: str) -> None:
    """Print what this process makes of a chain, and which instructions it left out."""
    features = np._core._multiarray_umath.__cpu_features__  # type: ignore[attr-defined]
    print(json.dumps({"digests": digests(read_chain(path)), "features": features}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
