"""The same trials for what is fed with market frames: a feature over frames, or a whole engine.

`drive` takes the frames of a day and gives what came of them as (instant µs UTC, text or bytes);
everything up to a cut must be the same, byte for byte, when the frames after it are others.
Poisoned frames are valid frames: prices stay positive, strikes ascending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.causality.answers import Difference
from trading.causality.harness import Leak, Report
from trading.market.frames import MarketFrame

if TYPE_CHECKING:
    from trading.causality.cuts import Cut

Drive = Callable[[Sequence[MarketFrame]], Sequence[tuple[int, str | bytes]]]
FrameData = dict[str, Any]
FRAMES = "frames"
EXTRA_FRAMES = 60
_EXTREME_PAISE = 2**40
_MINUTE_US = 60_000_000
_QUOTES = ("bid_paise", "ask_paise", "last_paise", "bid_quantity", "ask_quantity")
_PRICES = ("bid_paise", "ask_paise", "last_paise")


class FramePoison(NamedTuple):
    """A way to change the frames after a cut; `change(past, future, random)` gives the frames that
    come instead of the future, None where there is nothing to change.
    """

    name: str
    change: Callable[
        [list[FrameData], list[FrameData], np.random.Generator], list[FrameData] | None
    ]


def check_frames(
    drive: Drive,
    frames: Sequence[MarketFrame],
    cuts: Sequence[Cut],
    *,
    poisons: Sequence[FramePoison] | None = None,
    seed: int = 0,
) -> Report:
    """Drive with every poison after every cut; what came up to the cut must not change."""
    before = list(drive(frames))
    trials, leaks = 0, []
    for cut in cuts:
        for poison in FRAME_POISONS if poisons is None else poisons:
            changed = poisoned_frames(frames, poison, cut.at_us, seed)
            if changed is None:
                continue
            trials += 1
            difference = _difference(before, drive, changed, cut.at_us)
            if difference is not None:
                leaks.append(Leak(poison.name, FRAMES, cut, difference))
    return Report(trials, tuple(leaks))


def frame_order_matters(
    drive: Drive,
    frames: Sequence[MarketFrame],
    cuts: Sequence[Cut],
    *,
    poisons: Sequence[FramePoison] | None = None,
    seed: int = 0,
) -> tuple[tuple[str, Cut], ...]:
    """The trials (poison, cut) a drive does not answer the same forwards here and backwards in a
    fresh process. The drive must be importable by name: the process has to find it.
    """
    names, trials = [], []
    for cut in cuts:
        for poison in FRAME_POISONS if poisons is None else poisons:
            changed = poisoned_frames(frames, poison, cut.at_us, seed)
            if changed is not None:
                names.append((poison.name, cut))
                trials.append(changed)
    forwards = drive_digests(drive, trials)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        backwards = pool.submit(drive_digests, drive, trials[::-1]).result()[::-1]
    answers = zip(names, forwards, backwards, strict=True)
    return tuple(name for name, mine, theirs in answers if mine != theirs)


def drive_digests(drive: Drive, trials: Sequence[Sequence[MarketFrame]]) -> list[str]:
    """The digest of all that comes of each series of frames, in the order given."""
    return [sha256(repr(list(drive(frames))).encode()).hexdigest() for frames in trials]


def poisoned_frames(
    frames: Sequence[MarketFrame], poison: FramePoison, cut_us: int, seed: int
) -> list[MarketFrame] | None:
    """Frames with another future after a cut (µs UTC), a function of the seed alone; None where the
    poison does not apply.
    """
    random = np.random.Generator(np.random.Philox(seed))
    past = [frame.to_data() for frame in frames if frame.available_at <= cut_us]
    future = [frame.to_data() for frame in frames if frame.available_at > cut_us]
    changed = poison.change(past, future, random)
    if changed is None:
        return None
    known = [frame for frame in frames if frame.available_at <= cut_us]
    others = [MarketFrame.from_data(data) for data in changed]
    return known + sorted(others, key=lambda f: (f.available_at, f.underlying != "NIFTY"))


def _difference(
    before: Sequence[tuple[int, str | bytes]],
    drive: Drive,
    frames: Sequence[MarketFrame],
    cut_us: int,
) -> Difference | None:
    try:
        after = drive(frames)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no answer
        return Difference("error", None, "an answer", f"{type(error).__name__}: {error}")
    mine = [(at, said) for at, said in before if at <= cut_us]
    theirs = [(at, said) for at, said in after if at <= cut_us]
    for (at, said), (_, other) in zip(mine, theirs, strict=False):
        if said != other:
            return Difference("output", at, str(said), str(other))
    if len(mine) != len(theirs):
        return Difference("index", cut_us, f"{len(mine)} outputs", f"{len(theirs)} outputs")
    return None


# --- poisons --------------------------------------------------------------------------------------


def _missing(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    return [_with_quotes(frame, _QUOTES, lambda _: None) for frame in future] or None


def _huge(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    def garbage(_: int) -> int:
        return 1 + int(1e8 * abs(random.normal()))

    return [_with_quotes(frame, _PRICES, garbage) for frame in future] or None


def _mirror(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    """What was dear is cheap: every price on the other side of the day's middle."""
    prices = [price for frame in future for price in _prices(frame)]
    if not prices:
        return None
    top = max(prices) + min(prices)
    return [_with_quotes(frame, _PRICES, lambda price: max(1, top - price)) for frame in future]


def _extreme(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    def extreme(_: int) -> int:
        return 1 if random.integers(2) else _EXTREME_PAISE

    return [_with_quotes(frame, _PRICES, extreme) for frame in future] or None


def _reverse(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    return _moved(future, lambda count: list(range(count))[::-1])


def _shuffled(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    return _moved(future, lambda count: random.permutation(count).tolist())


def _dropped(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    return [] if future else None


def _longer(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    frames = past + future
    if not frames:
        return None
    last = frames[-1]
    more = [
        _at(last, last["available_at"] + number * _MINUTE_US)
        for number in range(1, EXTRA_FRAMES + 1)
    ]
    return future + more


def _relabelled(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    """What was one underlying's is another's."""
    names = sorted({frame["underlying"] for frame in past + future})
    if len(names) < 2 or not future:
        return None
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    return [{**frame, "underlying": following[frame["underlying"]]} for frame in future]


def _contracts(
    past: list[FrameData],
    future: list[FrameData],
    random: np.random.Generator,
) -> list[FrameData] | None:
    """Expiries that were not listed before: each chain again a week later, and nearer than all."""
    changed = []
    for frame in future:
        if not frame["chain"]:
            continue
        first = frame["chain"][0]
        later = {**first, "expiry": "2099-12-31", "expires_at_us": first["expires_at_us"] * 2}
        changed.append({**frame, "chain": [*frame["chain"], later]})
    return changed or None


def _revised(
    past: list[FrameData], future: list[FrameData], random: np.random.Generator
) -> list[FrameData] | None:
    """The last known frames again with other prices, received after the cut."""
    if not past or not future:
        return None
    at = future[0]["available_at"]

    def other(price: int) -> int:
        return price + 5 * int(random.integers(1, 1000))

    late: dict[tuple[str, int], FrameData] = {}
    for number, frame in enumerate(past[-5:]):
        revised = {**_with_quotes(frame, _PRICES, other), "available_at": at + number}
        late[revised["underlying"], revised["available_at"]] = revised
    taken = {(frame["underlying"], frame["available_at"]) for frame in future}
    return future + [frame for key, frame in late.items() if key not in taken]


FRAME_POISONS = (
    FramePoison("missing", _missing),
    FramePoison("huge", _huge),
    FramePoison("mirror", _mirror),
    FramePoison("reverse", _reverse),
    FramePoison("infinite", _extreme),
    FramePoison("dropped", _dropped),
    FramePoison("longer", _longer),
    FramePoison("shuffled", _shuffled),
    FramePoison("relabelled", _relabelled),
    FramePoison("contracts", _contracts),
    FramePoison("revised", _revised),
)


def _with_quotes(
    frame: FrameData, fields: Sequence[str], change: Callable[[int], int | None]
) -> FrameData:
    """A frame whose quotes that are there are changed."""
    names = [f"{side}_{field}" for side in ("call", "put") for field in fields]
    chain = []
    for block in frame["chain"]:
        columns = {
            name: [None if value is None else change(value) for value in block[name]]
            for name in names
        }
        chain.append({**block, **columns})
    return {**frame, "chain": chain}


def _prices(frame: FrameData) -> list[int]:
    return [
        value
        for block in frame["chain"]
        for side in ("call", "put")
        for field in _PRICES
        for value in block[f"{side}_{field}"]
        if value is not None
    ]


def _moved(future: list[FrameData], order: Callable[[int], list[int]]) -> list[FrameData] | None:
    """Each underlying's frames in another order, at the times there were."""
    changed = []
    for name in sorted({frame["underlying"] for frame in future}):
        own = [frame for frame in future if frame["underlying"] == name]
        moved = [own[number] for number in order(len(own))]
        changed += [_at(frame, at["available_at"]) for frame, at in zip(moved, own, strict=True)]
    return changed if len(changed) > 1 else None


def _at(frame: FrameData, available_at: int) -> FrameData:
    """A frame at another instant, everything that was measured against the old one moved along."""
    by = available_at - frame["available_at"]
    moved = {
        name: frame[name] + by
        for name in ("as_of", "exchange_stamp", "collection_stamp")
        if frame[name] is not None
    }
    return {**frame, **moved, "available_at": available_at}
