"""What the market store holds: its categories, each with its columns, key and units.

Every row of every category also carries the columns of COMMON_COLUMNS. Times are µs UTC, prices
integer paise (hundredths of the quoted currency where a market is not Indian), a missing number is
null and never zero. `as_of` is when a row was true, `available_at` when it could be known.
"""

from __future__ import annotations

from typing import NamedTuple


class Category(NamedTuple):
    """One kind of row: `columns` maps each column, the common ones apart, to its SQL type; rows of
    one `key` and one `available_at` say the same thing or contradict each other.
    """

    name: str
    title: str
    description: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def is_dated_table(self) -> bool:
        """Whether its rows are figures with a status and a source, of no day of their own."""
        return _STATUS.keys() <= self.columns.keys()

    @property
    def order(self) -> str:
        """The order of its rows in a file."""
        names = ("available_at", *(name for name in self.key if name != "available_at"))
        return ", ".join(f'"{name}"' for name in names)


COMMON_COLUMNS = {
    "as_of": "BIGINT",
    "available_at": "BIGINT",
    "source_digest": "VARCHAR",
    "synthetic": "BOOLEAN",
    "generator": "VARCHAR",
    "seed": "UBIGINT",
    "mode": "VARCHAR",
}
ADDED_COLUMNS = ("source_digest", "synthetic", "generator", "seed", "mode")  # by the store, to all

_PRICES = dict.fromkeys(("open_paise", "high_paise", "low_paise", "close_paise"), "BIGINT")
_CONTRACT = {
    "underlying": "VARCHAR",
    "expiry": "DATE",
    "strike_paise": "BIGINT",
    "right": "VARCHAR",
}
_CONTRACT_KEY = ("underlying", "expiry", "strike_paise", "right")
_STATUS = {"status": "VARCHAR", "source": "VARCHAR"}
_LEGS = {
    f"{side}_{field}": kind
    for side in ("call", "put")
    for field, kind in {
        "bid_paise": "BIGINT",
        "ask_paise": "BIGINT",
        "bid_quantity": "BIGINT",
        "ask_quantity": "BIGINT",
        "last_paise": "BIGINT",
        "oi_contracts": "DOUBLE",
        "volume_contracts": "BIGINT",
    }.items()
}
_LEVELS = {
    f"{side}_{field}_{level}": "BIGINT"
    for side in ("bid", "ask")
    for level in range(1, 6)
    for field in ("paise", "quantity", "orders")
}


def _bars(name: str, title: str, of: str, contract: dict[str, str]) -> Category:
    return Category(
        name,
        title,
        f"Bars of {of}, labelled by their end (as_of); interval_us is a minute, five minutes or, "
        "for a day's bar, the length of its session. Volume and open interest in units, null where "
        "the source has none.",
        {
            **contract,
            "interval": "VARCHAR",  # 1m, 5m, 1d
            "interval_us": "BIGINT",
            **_PRICES,
            "volume": "BIGINT",
            "open_interest": "DOUBLE",
        },
        (*contract, "interval", "as_of"),
    )


def _bhavcopy(name: str, title: str, contract: dict[str, str]) -> Category:
    return Category(
        name,
        title,
        "The exchange's end-of-day record of each contract, available at 09:00 IST of the next "
        "market day. Open, high and low are null when it did not trade; settlement_paise is the "
        "index itself on expiry day (settles_index). Open interest in units, volume in contracts.",
        {
            "trade_date": "DATE",
            **contract,
            "instrument": "VARCHAR",  # IDO, IDF, STO, STF
            "exchange_token": "BIGINT",
            **_PRICES,
            "last_paise": "BIGINT",
            "previous_close_paise": "BIGINT",
            "underlying_paise": "BIGINT",
            "settlement_paise": "BIGINT",
            "settles_index": "BOOLEAN",
            "open_interest": "BIGINT",
            "open_interest_change": "BIGINT",
            "volume_contracts": "BIGINT",
            "turnover_paise": "BIGINT",
            "trades": "BIGINT",
            "lot_size": "BIGINT",
        },
        ("trade_date", *contract),
    )


def _table(name: str, title: str, description: str, columns: dict[str, str], *key: str) -> Category:
    return Category(name, title, description, {**columns, **_STATUS}, key)


_FUTURE = {"underlying": "VARCHAR", "expiry": "DATE"}
_OF_EVENT = {"session": "VARCHAR", "seq": "BIGINT", "event_hash": "VARCHAR"}

CATEGORIES = (
    _bars("spot_bars", "Spot bars", "an index or share", {"underlying": "VARCHAR"}),
    _bars("future_bars", "Future bars", "a future", _FUTURE),
    _bars("option_bars", "Option bars", "an option", _CONTRACT),
    Category(
        "chain_snapshots",
        "Chain snapshots",
        "An option chain at one instant, one row a strike. Quoted quantities in units, open "
        "interest and volume in contracts (open interest may be a fraction after a change of lot).",
        {
            "exchange_stamp": "BIGINT",
            "collection_stamp": "BIGINT",
            "underlying": "VARCHAR",
            "expiry": "DATE",
            "strike_paise": "BIGINT",
            **_LEGS,
            "spot_paise": "BIGINT",
        },
        ("underlying", "as_of", "available_at", "expiry", "strike_paise"),
    ),
    Category(
        "prints",
        "Prints",
        "Trades of one instrument; aggressor is BUY, SELL or null. Quantity in units of the "
        "instrument, which may be fractions of a coin.",
        {
            "instrument": "VARCHAR",
            "trade_id": "BIGINT",
            "price_paise": "BIGINT",
            "quantity": "DOUBLE",
            "aggressor": "VARCHAR",
        },
        ("instrument", "as_of", "trade_id"),
    ),
    Category(
        "ticks",
        "Ticks with depth",
        "Quotes of one contract with five levels of depth. Stamps are whole seconds, so sequence "
        "numbers those of one stamp in the order they came, from 1; volume is cumulative over the "
        "day, in units, and monotone only in that order.",
        {
            **_CONTRACT,
            "sequence": "BIGINT",
            "instrument_token": "BIGINT",
            "last_paise": "BIGINT",
            "last_quantity": "BIGINT",
            "average_paise": "BIGINT",
            "volume": "BIGINT",
            "buy_quantity": "BIGINT",
            "sell_quantity": "BIGINT",
            **_PRICES,
            "open_interest": "BIGINT",
            "last_trade_at": "BIGINT",
            **_LEVELS,
        },
        (*_CONTRACT_KEY, "as_of", "sequence"),
    ),
    Category(
        "vix",
        "India VIX",
        "The volatility index, minute bars or daily, in percent a year (points of the index).",
        {
            "interval": "VARCHAR",
            "open": "DOUBLE",
            "high": "DOUBLE",
            "low": "DOUBLE",
            "close": "DOUBLE",
            "previous_close": "DOUBLE",
        },
        ("interval", "as_of"),
    ),
    _bhavcopy("bhavcopy_options", "Bhavcopy, options", _CONTRACT),
    _bhavcopy("bhavcopy_futures", "Bhavcopy, futures", _FUTURE),
    Category(
        "index_closes",
        "Index closes",
        "The official daily figures of an index in hundredths of a point; the close is the average "
        "of the last half hour, not the last trade.",
        {
            "trade_date": "DATE",
            "index": "VARCHAR",
            **_PRICES,
            "volume": "BIGINT",
            "turnover_paise": "BIGINT",
            "price_earnings": "DOUBLE",
            "price_book": "DOUBLE",
            "dividend_yield": "DOUBLE",
        },
        ("trade_date", "index"),
    ),
    Category(
        "volatility",
        "Volatility file",
        "The exchange's daily volatility of each underlying, as fractions.",
        {
            "trade_date": "DATE",
            "underlying": "VARCHAR",
            "close_paise": "BIGINT",
            "previous_close_paise": "BIGINT",
            "future_close_paise": "BIGINT",
            "future_previous_close_paise": "BIGINT",
            "log_return": "DOUBLE",
            "previous_volatility_day": "DOUBLE",
            "volatility_day": "DOUBLE",
            "volatility_year": "DOUBLE",
            "future_volatility_day": "DOUBLE",
            "future_volatility_year": "DOUBLE",
            "applicable_volatility_day": "DOUBLE",
            "applicable_volatility_year": "DOUBLE",
        },
        ("trade_date", "underlying"),
    ),
    Category(
        "implied_volatilities",
        "Implied volatilities",
        "The implied volatility of an option as its source computed it, a fraction a year (null "
        "where the source has a gap), with the price of the underlying beside it.",
        {
            **_CONTRACT,
            "interval": "VARCHAR",  # 1m, 5m
            "interval_us": "BIGINT",
            "implied_volatility": "DOUBLE",
            "underlying_paise": "BIGINT",
        },
        (*_CONTRACT_KEY, "interval", "as_of"),
    ),
    Category(
        "participant_oi",
        "Participant open interest",
        "Open contracts of each class of participant at the end of a day, in contracts, fractions "
        "of one after a change of lot.",
        {
            "trade_date": "DATE",
            "participant": "VARCHAR",
            "instrument": "VARCHAR",  # INDEX_FUTURE, STOCK_FUTURE, INDEX_CALL, INDEX_PUT, …
            "long_contracts": "DOUBLE",
            "short_contracts": "DOUBLE",
        },
        ("trade_date", "participant", "instrument"),
    ),
    Category(
        "span_ranges",
        "SPAN scan ranges",
        "The price scan range of an underlying and what else the clearing house states with it.",
        {
            "trade_date": "DATE",
            "underlying": "VARCHAR",
            "price_scan_fraction": "DOUBLE",
            "price_scan_paise": "BIGINT",
            "volatility_scan_fraction": "DOUBLE",
            "underlying_paise": "BIGINT",
            "future_paise": "BIGINT",
        },
        ("trade_date", "underlying"),
    ),
    Category(
        "span_arrays",
        "SPAN arrays",
        "The sixteen scenario losses of one unit of a contract, paise, a loss to its holder is "
        "positive.",
        {
            "trade_date": "DATE",
            **_CONTRACT,
            "price_paise": "BIGINT",
            "underlying_paise": "BIGINT",
            "volatility": "DOUBLE",
            "composite_delta": "DOUBLE",
            **{f"scenario_{number}_paise": "BIGINT" for number in range(1, 17)},
        },
        ("trade_date", *_CONTRACT_KEY),
    ),
    Category(
        "contract_master",
        "Contract master",
        "The contracts listed on a day by one source, with its token. Tokens are used again after "
        "an expiry, so they are no key.",
        {
            "trade_date": "DATE",
            "venue": "VARCHAR",
            "exchange_token": "BIGINT",
            "symbol": "VARCHAR",
            "instrument": "VARCHAR",
            **_CONTRACT,
            "lot_size": "BIGINT",
            "tick_paise": "BIGINT",
            "freeze_quantity": "BIGINT",
        },
        ("trade_date", "venue", "symbol"),
    ),
    _table(
        "lots",
        "Lot sizes",
        "Units of a contract by expiry, as in force between two trade dates.",
        {
            "underlying": "VARCHAR",
            "expiry_from": "DATE",
            "expiry_to": "DATE",
            "trade_from": "DATE",
            "trade_to": "DATE",
            "quarterly": "BOOLEAN",
            "lot_size": "BIGINT",
        },
        "underlying",
        "expiry_from",
        "trade_from",
        "quarterly",
    ),
    _table(
        "freeze_quantities",
        "Freeze quantities",
        "The largest quantity of one order, units.",
        {"underlying": "VARCHAR", "from": "DATE", "quantity": "BIGINT"},
        "underlying",
        "from",
    ),
    _table(
        "tick_sizes",
        "Tick sizes",
        "The price step of an instrument, paise, within a band of its price.",
        {
            "underlying": "VARCHAR",
            "instrument": "VARCHAR",
            "from": "DATE",
            "above_paise": "BIGINT",
            "tick_paise": "BIGINT",
        },
        "underlying",
        "instrument",
        "from",
        "above_paise",
    ),
    _table(
        "calendar",
        "Calendar",
        "Every date and whether index derivatives trade on it.",
        {"day": "DATE", "trades": "BOOLEAN", "counts_for_expiry": "BOOLEAN", "name": "VARCHAR"},
        "day",
    ),
    _table(
        "sessions",
        "Sessions",
        "The trading intervals of each market day, µs UTC; null where a later announcement took "
        "the interval away.",
        {
            "day": "DATE",
            "interval": "BIGINT",
            "opens_us": "BIGINT",
            "closes_us": "BIGINT",
            "name": "VARCHAR",
        },
        "day",
        "interval",
    ),
    _table(
        "expiries",
        "Expiries",
        "Every expiry of an underlying as it was announced; by_rule is the day before any holiday "
        "moved it, withdrawn that a later announcement took it away.",
        {
            "underlying": "VARCHAR",
            "expiry": "DATE",
            "by_rule": "DATE",
            "cycle": "VARCHAR",
            "withdrawn": "BOOLEAN",
        },
        "underlying",
        "expiry",
    ),
    _table(
        "holidays",
        "Holidays",
        "Days the market is shut, with the day each was announced (null: fixed by law) or, where "
        "withdrawn, taken back.",
        {"day": "DATE", "name": "VARCHAR", "announced_on": "DATE", "withdrawn": "BOOLEAN"},
        "day",
    ),
    _table(
        "circuit_breakers",
        "Circuit breakers",
        "What a fall or rise of the index halts: minutes of the halt (null is the rest of the day) "
        "and of the auction after it, by the time of day it happens.",
        {
            "from": "DATE",
            "move_percent": "BIGINT",
            "after_ist": "VARCHAR",
            "before_ist": "VARCHAR",
            "halt_minutes": "BIGINT",
            "auction_minutes": "BIGINT",
        },
        "from",
        "move_percent",
        "after_ist",
    ),
    _table(
        "position_limits",
        "Position limits",
        "Regulatory limits on index options, in paise of future-equivalent.",
        {
            "from": "DATE",
            "holder": "VARCHAR",
            "measure": "VARCHAR",
            "limit_paise": "BIGINT",
            "share_of_oi_percent": "DOUBLE",
        },
        "from",
        "holder",
        "measure",
    ),
    _table(
        "rates",
        "Charges",
        "Rates of charges and taxes, in units of ten to the minus nine of their base (of a paisa "
        "an order, where the base is ORDER).",
        {
            "from": "DATE",
            "to": "DATE",
            "charge": "VARCHAR",
            "levied_by": "VARCHAR",  # GOVERNMENT, SEBI, an exchange, a broker
            "instrument": "VARCHAR",
            "side": "VARCHAR",
            "base": "VARCHAR",
            "rate_e9": "BIGINT",
        },
        "charge",
        "levied_by",
        "instrument",
        "side",
        "from",
    ),
    _table(
        "scheduled_events",
        "Scheduled events",
        "Budgets, policy decisions, elections: when they happen and when that was published.",
        {"day": "DATE", "name": "VARCHAR", "event": "VARCHAR", "published_on": "DATE"},
        "day",
        "event",
    ),
    Category(
        "market_status",
        "Market status",
        "When trading in an underlying stopped and went on: HALT or RESUME at as_of, known at "
        "available_at, as `market.status` events say it.",
        {"underlying": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR"},
        ("underlying", "as_of", "status"),
    ),
    Category(
        "synthetic_truth",
        "Truth of synthetic data",
        "What the generator did, for judging what others find in its data: each piece of dirt and "
        "the state of each day. Known to nobody who trades: available_at is the end of the day.",
        {
            "trade_date": "DATE",
            "number": "BIGINT",
            "kind": "VARCHAR",  # REGIME, STALE_QUOTE, CROSSED_QUOTE, MISSING_STRIKE, HALT, …
            "underlying": "VARCHAR",
            "expiry": "DATE",
            "strike_paise": "BIGINT",
            "from_us": "BIGINT",
            "until_us": "BIGINT",
            "detail": "VARCHAR",
        },
        ("trade_date", "number"),
    ),
    Category(
        "fits",
        "Fits",
        "How models met their data as sessions fitted them, exported from their logs: of each "
        "surface (model SURFACE) a row an expiry, with its refusal where it is not on the surface. "
        "event_hash is the hash of the event's line in its log; as_of that of the frame, "
        "available_at the event's time. Rung, solver_status, iterations, halvings and eta are of "
        "the fit as a whole; the time to expiry is in years of 365 days, errors to the mid are in "
        "spreads of the quote, omitted are quotes left out by reason, as JSON.",
        {
            **_OF_EVENT,
            "model": "VARCHAR",
            **_FUTURE,
            "years": "DOUBLE",
            "profile": "VARCHAR",
            "method": "VARCHAR",
            "refusal": "VARCHAR",
            "rung": "VARCHAR",
            "solver_status": "VARCHAR",
            "iterations": "BIGINT",
            "halvings": "BIGINT",
            "eta": "DOUBLE",
            "forward_paise": "DOUBLE",
            "forward_error_paise": "DOUBLE",
            "forward_residual_paise": "DOUBLE",
            "forward_pairs": "BIGINT",
            "discount": "DOUBLE",
            "quotes": "BIGINT",
            "quotes_inside": "BIGINT",
            "quotes_tolerated": "BIGINT",
            "median_error": "DOUBLE",
            "p95_error": "DOUBLE",
            "largest_error": "DOUBLE",
            "omitted": "VARCHAR",
            "at_the_money_volatility": "DOUBLE",
        },
        ("session", "seq", "expiry"),
    ),
    Category(
        "surfaces",
        "Surfaces",
        "Surfaces as sessions fitted them, exported from their logs, whole: as JSON, unrounded, "
        "which `Surface.from_data` reads; digest is that of the surface so read. Refused fits are "
        "in `fits` alone. violations counts the arbitrage found; the rest as in `fits`.",
        {
            **_OF_EVENT,
            "underlying": "VARCHAR",
            "profile": "VARCHAR",
            "method": "VARCHAR",
            "rung": "VARCHAR",
            "eta": "DOUBLE",
            "expiries": "BIGINT",
            "violations": "BIGINT",
            "digest": "VARCHAR",
            "surface": "VARCHAR",
        },
        ("session", "seq"),
    ),
)

BY_NAME = {category.name: category for category in CATEGORIES}


def columns_of(category: str) -> dict[str, str]:
    """Every column of a category's rows with its SQL type, the common ones first."""
    return {**COMMON_COLUMNS, **BY_NAME[category].columns}


def own_columns(category: str) -> dict[str, str]:
    """The columns of a category that its importer gives, with their SQL types: without those the
    store adds.
    """
    return {name: kind for name, kind in columns_of(category).items() if name not in ADDED_COLUMNS}
