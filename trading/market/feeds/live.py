"""Live feeds: what a broker adapter implements, and how its messages become frames.

An adapter is a `LiveFeed`: it yields messages as they come, as the structs below. `live_items`
stamps each with the moment it was received (the clock is an argument), puts it through the same
assembly as a recorded day, and yields frames, statuses and gaps. A message that cannot be read is
said and left out; it never stops the feed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from trading.market.feeds.assembly import Assembly, Bar, ChainSnapshot, Print
from trading.market.frames import ExpiryBlock, FrameSource, MarketFrame, MarketStatus
from trading.market.quality import CADENCES, Reading
from trading.pricing.forward import parity_forward

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


class ChainMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="chain"):
    """A snapshot of an option chain: the expiries as a frame has them; their forwards are computed
    here, whatever the message says.
    """

    underlying: str
    as_of: int
    blocks: tuple[ExpiryBlock, ...]
    spot_paise: int | None = None


class LevelMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="level"):
    """A level of an index, or with an expiry (ISO date) of its future, in paise."""

    underlying: str
    as_of: int
    value_paise: int
    expiry: str | None = None


class VixMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="vix"):
    """A level of the volatility index, percent a year."""

    as_of: int
    value: float


class PrintMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="print"):
    """A trade of an underlying's future."""

    underlying: str
    as_of: int
    instrument: str
    trade_id: int | None
    price_paise: int
    quantity: float
    aggressor: Literal["BUY", "SELL"] | None = None


class StatusMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="status"):
    """Trading in an underlying stopped or went on."""

    underlying: str
    status: Literal["HALT", "RESUME"]
    reason: str | None = None


Message = ChainMessage | LevelMessage | VixMessage | PrintMessage | StatusMessage


class MessageError(ValueError):
    """A message that cannot be read; the text says what was expected."""


def message_of(text: bytes | str) -> Message:
    """The message of a JSON text with a `kind`; raises MessageError."""
    try:
        message: Message = msgspec.json.decode(text, type=Message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MessageError(f"unreadable message: {error}") from None
    return message


class LiveFeed(Protocol):
    """What an adapter is: its name, its cadence in µs, and its messages (JSON texts or structs) as
    they come. The iteration ends when the feed does.
    """

    name: str
    cadence_us: int

    def messages(self) -> AsyncIterator[bytes | str | Message]:
        """Yield messages until the feed ends."""
        ...


class LiveAssembly:
    """Frames of a live feed's messages, for some underlyings."""

    def __init__(self, feed: LiveFeed, underlyings: Sequence[str]) -> None:
        self._source = FrameSource(name=feed.name, digest=f"live:{feed.name}", synthetic=False)
        self._cadence_us = feed.cadence_us
        self._assemblies = {name: Assembly(name) for name in underlyings}
        self._due: dict[str, int] = {}

    def take(self, message: Message, at_us: int) -> list[MarketFrame | MarketStatus]:
        """What a message received at an instant (µs UTC) leads to."""
        if isinstance(message, VixMessage):
            reading = Reading(
                message.value, message.as_of, at_us, self._source.digest, self._cadence_us
            )
            for assembly in self._assemblies.values():
                assembly.take_vix(reading)
            return []
        known = self._assemblies.get(message.underlying)
        if known is None:
            return []
        if isinstance(message, StatusMessage):
            return self._status(known, message, at_us)
        self._observe(known, message, at_us)
        if not known.is_due:
            return []
        self._due[known.underlying] = at_us + CADENCES * self._cadence_us
        return [known.frame(at_us)]

    def gaps(self, at_us: int) -> list[MarketStatus]:
        """The gaps that are due by an instant, each told once."""
        late = [name for name, due in self._due.items() if due < at_us]
        reason = f"nothing received for {CADENCES * self._cadence_us / 1e6:g} s"
        return [MarketStatus(name, self._due.pop(name), "GAP", reason) for name in late]

    def _status(
        self, known: Assembly, message: StatusMessage, at_us: int
    ) -> list[MarketFrame | MarketStatus]:
        known.halted = message.status == "HALT"
        self._due.pop(known.underlying, None)
        if not known.halted:
            self._due[known.underlying] = at_us + CADENCES * self._cadence_us
        return [MarketStatus(known.underlying, at_us, message.status, message.reason)]

    def _observe(
        self, known: Assembly, message: ChainMessage | LevelMessage | PrintMessage, at_us: int
    ) -> None:
        if isinstance(message, ChainMessage):
            known.take_chain(self._snapshot(message, at_us))
        elif isinstance(message, PrintMessage):
            known.take_print(
                Print(
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
            )
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
            tuple(with_forward(block) for block in message.blocks),
        )


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


async def live_items(
    feed: LiveFeed,
    underlyings: Sequence[str],
    *,
    clock: Callable[[], int],
    refused: Callable[[str], None],
) -> AsyncIterator[MarketFrame | MarketStatus]:
    """Frames, statuses and gaps of a live feed as they come; `clock` gives µs UTC, `refused` is
    told of messages that cannot be read.
    """
    assembly = LiveAssembly(feed, underlyings)
    messages = aiter(feed.messages())
    waiting: asyncio.Task[bytes | str | Message] | None = None
    patience = CADENCES * feed.cadence_us / 1e6
    last_us = 0
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(messages))
            done, _ = await asyncio.wait([waiting], timeout=patience)
            last_us = max(last_us, clock())  # a wall clock set back does not turn time round
            for gap in assembly.gaps(last_us):
                yield gap
            if not done:
                continue
            try:
                received = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            try:
                message = message_of(received) if isinstance(received, bytes | str) else received
            except MessageError as error:
                refused(str(error))
                continue
            for item in assembly.take(message, last_us):
                yield item
    finally:
        if waiting is not None:
            waiting.cancel()
