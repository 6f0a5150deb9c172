"""What a frame shows of one contract to someone who wants to trade it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trading.execution.orders import Contract, Side
    from trading.market.frames import ExpiryBlock, MarketFrame


def closing_price(frame: MarketFrame, contract: Contract) -> int | None:
    """Return a contract's last price, in an end-of-day frame its close, paise; None when it did not
    trade.
    """
    found = _place(frame, contract)
    if found is None:
        return None
    block, index = found
    price: int | None = getattr(block, f"{_column(contract)}_last_paise")[index]
    return price


def opposite_quote(
    frame: MarketFrame, contract: Contract, side: Side
) -> tuple[int | None, int | None]:
    """Return (price in paise, quoted quantity) a taker meets: the ask to buy, the bid to sell;
    (None, …) when there is none.
    """
    found = _place(frame, contract)
    if found is None:
        return None, None
    block, index = found
    quote = f"{_column(contract)}_{'ask' if side == 'BUY' else 'bid'}"
    price = getattr(block, f"{quote}_paise")[index]
    return price, getattr(block, f"{quote}_quantity")[index]


def _place(frame: MarketFrame, contract: Contract) -> tuple[ExpiryBlock, int] | None:
    for block in frame.chain:
        if block.expiry == contract.expiry and contract.strike_paise in block.strike_paise:
            return block, block.strike_paise.index(contract.strike_paise)
    return None


def _column(contract: Contract) -> str:
    return "call" if contract.right == "CE" else "put"
