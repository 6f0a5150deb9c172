"""The figures of the synthetic market that no mode changes. They are calibrated to what the
literature says of index markets, not to exchange data; docs/synthetic.md has the ranges.
"""

from __future__ import annotations

from datetime import date

GENERATOR_VERSION = 3
SOURCE_NAME = "synthetic-market"

FIRST_DAY = date(2022, 1, 1)  # the state of every later day is reached from here
LONGEST_SESSION = 400  # minutes
FULL_SESSION = 375  # minutes, which the daily variance is stated for

UNDERLYINGS = ("NIFTY", "BANKNIFTY")
FIRST_LEVEL = {"NIFTY": 17_400.0, "BANKNIFTY": 35_600.0}  # points, at the first open
VOLATILITY_RATIO = {"NIFTY": 1.0, "BANKNIFTY": 1.15}
CORRELATION = 0.90  # of BANKNIFTY's shocks with NIFTY's, which is the market's

REGIMES = ("CALM", "TREND", "CHOPPY", "STRESS")
STRESS = 3
TRANSITIONS = (
    (0.955, 0.02, 0.02, 0.005),
    (0.03, 0.94, 0.02, 0.01),
    (0.03, 0.02, 0.94, 0.01),
    (0.01, 0.03, 0.06, 0.90),
)
REGIME_VOLATILITY = (0.74, 0.95, 1.05, 2.0)
MOST_VOLATILITY = 2.1  # of a day over the base one, whatever the regime and the factors say

BASE_VOLATILITY = 0.138  # a year of 252 days
YEAR_DAYS = 252
SLOW_HALF_LIFE_DAYS, SLOW_DEVIATION = 20.0, 0.25
FAST_HALF_LIFE_DAYS, FAST_DEVIATION = 1.5, 0.45
INTRADAY_HALF_LIFE_MINUTES, INTRADAY_DEVIATION = 40.0, 0.24
LEVERAGE = -0.83
# Of the rough option, in place of the fast and the intraday factor: the deviation is what one day
# makes, and the process begins so many days before the first.
ROUGH_HURST, ROUGH_DEVIATION, ROUGH_DAYS_BEFORE = 0.1, 0.22, 60

OVERNIGHT_SHARE = 0.28
WIDE_NIGHT_CHANCE, WIDE_NIGHT_SCALE = 0.20, 1.3
JUMPS_A_DAY, JUMP_MEAN, JUMP_DEVIATION = 0.10, -3e-4, 12e-4
CARRY = 0.06  # a year of 365 days, continuous

PREMIUM_HALF_LIFE_DAYS = 10.0
SKEW_MEAN, SKEW_DEVIATION, SKEW_HALF_LIFE_DAYS = -0.475, 0.06, 15.0
SKEW_LIMITS = (-0.60, -0.35)
SMILE_POWER = 0.4

BRANCHING_FAST, BRANCHING_SLOW = 0.40, 0.25
DECAY_FAST, DECAY_SLOW = 1 / 20, 1 / 300  # a second
SAME_SIDE = 0.72
EVENTS_A_DAY = {"NIFTY": 11_000.0, "BANKNIFTY": 7_000.0}
LOTS_AN_EVENT = {"NIFTY": 10.0, "BANKNIFTY": 7.0}
SIZE_DEVIATION = 1.1

HALTS_A_DAY = 1e-3
SCRIPTED_HALT_DAY = date(2025, 4, 7)  # every realistic market halts on it
RECEIPT_LAG_US = 2_000_000  # of chain snapshots, bars and status
PRINT_LAG_US = 300_000
STRIKES_EACH_SIDE = 30
CLOSE_STRIKES = 20  # so many either side are one step apart, the rest of a far expiry four
FAR_EXPIRY_DAYS = 15
DEFAULT_EXPIRIES = 3
