"""Live feeds: what a broker adapter implements, and how its messages become frames.

An adapter is a `LiveFeed`: it yields messages (`messages.py`) as they come. `LiveAssembly` puts
each, with the moment it was received, through the same assembly as a recorded day, and gives
frames, statuses and gaps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from trading.market.circuit_breakers import INDICES
from trading.market.feeds.assembly import Assembly, Bar, ChainSnapshot, Print
from trading.market.feeds.messages import (
    ChainMessage,
    LevelMessage,
    Message,
    PrintMessage,
    StatusMessage,
    VixMessage,
)
from trading.market.frames import ExpiryBlock, FrameSource, MarketFrame, MarketStatus
from trading.market.quality import CADENCES, Reading
from trading.pricing.forward import parity_forward

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence

    from trading.market.feeds.live_halts import LiveHalts


class LiveFeed(Protocol):
    """What an adapter is: its name, its cadence in µs, and its messages as they come. The iteration
    ends when the feed does; one that breaks off raises FeedLostError or another OSError.
    """

    @property
    def name(self) -> str:
        """What its frames name as their source."""
        ...

    @property
    def cadence_us(self) -> int:
        """How often it speaks, µs."""
        ...

    def messages(self) -> AsyncGenerator[bytes | str, None]:
        """Yield messages, JSON texts, until the feed ends."""
        ...


class LiveAssembly:
    """Frames of a live feed's messages, for some underlyings: chains of the nearest `expiries`,
    each with `strikes_each_side` of its forward, as a recorded day shows them.

    The feed is expected to speak from `from_us` on (µs UTC); `halted` are the underlyings that
    stood still when it was taken up. With `halts` the market-wide ones are counted from the index.
    """

    def __init__(
        self,
        feed: LiveFeed,
        underlyings: Sequence[str],
        *,
        expiries: int,
        strikes_each_side: int,
        from_us: int,
        halted: Collection[str] = (),
        halts: LiveHalts | None = None,
    ) -> None:
        self._source = FrameSource(name=feed.name, digest=f"live:{feed.name}", synthetic=False)
        self._cadence_us = feed.cadence_us
        self._expiries, self._each_side = expiries, strikes_each_side
        self._from_us = self._taken_us = from_us
        self._halts = halts
        self._assemblies = {name: Assembly(name) for name in underlyings}
        self._due: dict[str, int] = {}
        for name, assembly in self._assemblies.items():
            assembly.halted = name in halted
            if not assembly.halted:
                self._expect(name, from_us)

    def take(self, message: Message, at_us: int) -> list[MarketFrame | MarketStatus]:
        """What a message received at an instant (µs UTC) leads to."""
        self._taken_us = at_us
        if isinstance(message, VixMessage):
            reading = Reading(
                message.value, message.as_of, at_us, self._source.digest, self._cadence_us
            )
            for assembly in self._assemblies.values():
                assembly.take_vix(reading)
            return []
        known = self._assemblies.get(message.underlying)
        if isinstance(message, StatusMessage):
            return [] if known is None else self._told(self._heard(message, at_us))
        begun = self._told(self._begun(message, at_us))
        if known is None:
            return begun
        self._observe(known, message, at_us)
        if not known.is_due:
            return begun
        if not known.halted:
            self._expect(known.underlying, at_us)
        return [*begun, known.frame(at_us)]

    def resumed(self, at_us: int) -> list[MarketFrame | MarketStatus]:
        """What the clock alone leads to: a market-wide halt is over."""
        return [] if self._halts is None else self._told(self._halts.due(at_us))

    def gaps(self, at_us: int) -> list[MarketStatus]:
        """The gaps that are due by an instant, each told once."""
        late = [name for name, due in self._due.items() if due < at_us]
        reason = f"nothing received for {CADENCES * self._cadence_us / 1e6:g} s"
        # Never before a message that came at the very moment its time was up.
        return [
            MarketStatus(name, max(self._due.pop(name), self._taken_us), "GAP", reason)
            for name in late
        ]

    def _expect(self, underlying: str, at_us: int) -> None:
        self._due[underlying] = max(at_us, self._from_us) + CADENCES * self._cadence_us

    def _heard(self, message: StatusMessage, at_us: int) -> list[MarketStatus]:
        said = MarketStatus(message.underlying, at_us, message.status, message.reason)
        return [said if self._halts is None else self._halts.heard(said)]

    def _begun(
        self, message: ChainMessage | LevelMessage | PrintMessage, at_us: int
    ) -> list[MarketStatus]:
        """The halt that a message about an index begins."""
        if self._halts is None or isinstance(message, PrintMessage):
            return []
        level_paise = message.spot_paise if isinstance(message, ChainMessage) else None
        if isinstance(message, LevelMessage) and message.expiry is None:
            level_paise = message.value_paise
        if message.underlying not in INDICES or level_paise is None:
            return []
        digest, cadence_us = self._source.digest, self._cadence_us
        reading = Reading(level_paise, message.as_of, at_us, digest, cadence_us)
        return self._halts.begun(message.underlying, reading)

    def _told(self, statuses: list[MarketStatus]) -> list[MarketFrame | MarketStatus]:
        """Let trading stand still or go on as some statuses say."""
        for status in statuses:
            known = self._assemblies[status.underlying]
            if status.status in {"HALT", "RESUME"}:
                known.halted = status.status == "HALT"
                self._due.pop(known.underlying, None)
                if not known.halted:
                    self._expect(known.underlying, status.available_at)
        return [*statuses]

    def _observe(
        self, known: Assembly, message: ChainMessage | LevelMessage | PrintMessage, at_us: int
    ) -> None:
        if isinstance(message, ChainMessage):
            known.take_chain(self._snapshot(message, at_us))
        elif isinstance(message, PrintMessage):
            trade = Print(
                message.as_of,
                at_us,
                message.instrument,
                message.trade_id,
                message.price_paise,
                message.quantity,
                message.aggressor,
                self._source.digest,
                self._cadence_us,
            )
            known.take_prints([trade])
        else:
            bar = Bar(
                message.as_of,
                at_us,
                message.value_paise,
                message.expiry,
                self._source,
                self._cadence_us,
            )
            (known.take_spot if message.expiry is None else known.take_future)(bar)

    def _snapshot(self, message: ChainMessage, at_us: int) -> ChainSnapshot:
        return ChainSnapshot(
            message.as_of,
            at_us,
            message.as_of,
            at_us,
            message.spot_paise,
            self._source,
            self._cadence_us,
            self._shown(message),
        )

    def _shown(self, message: ChainMessage) -> tuple[ExpiryBlock, ...]:
        """The nearest expiries that have not expired and have a parity forward, cut to the strikes
        around it.
        """
        alive = (block for block in message.blocks if block.expires_at_us > message.as_of)
        priced = [block for block in map(with_forward, alive) if block.forward_paise is not None]
        return tuple(around_forward(block, self._each_side) for block in priced[: self._expiries])


def with_forward(block: ExpiryBlock) -> ExpiryBlock:
    """A block with the parity forward of its own quotes."""
    found = parity_forward(
        block.strike_paise,
        block.call_bid_paise,
        block.call_ask_paise,
        block.put_bid_paise,
        block.put_ask_paise,
    )
    return msgspec.structs.replace(
        block,
        forward_paise=found.forward_paise,
        forward_pairs=found.pairs,
        forward_spread_paise=found.spread_paise,
    )


def around_forward(block: ExpiryBlock, each_side: int) -> ExpiryBlock:
    """A block that has a forward, cut to the strike nearest it (of two the lower) and so many on
    either side.
    """
    forward = block.forward_paise or 0
    strikes = block.strike_paise
    nearest = min(range(len(strikes)), key=lambda i: abs(strikes[i] - forward))
    shown = slice(max(0, nearest - each_side), nearest + each_side + 1)
    columns = {
        name: value[shown]
        for name in block.__struct_fields__
        if isinstance(value := getattr(block, name), tuple)
    }
    return msgspec.structs.replace(block, **columns)
