"""The close of a day: once, in order, in one transaction.

`settle` runs the steps; each step is a function in a module of this package that takes
what it needs and returns what it made. What comes from the warehouse is passed by
value.
"""

from exchange.settlement.close_day import last_settled, settle
from exchange.settlement.contract import ArtistValue, Settled, SettlementInputs
from exchange.settlement.dividends import share_out, split

__all__ = [
    "ArtistValue",
    "Settled",
    "SettlementInputs",
    "last_settled",
    "settle",
    "share_out",
    "split",
]
