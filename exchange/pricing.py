"""The price curve p(u) = F·exp(u/b), its integral, what a sale pays, fees and spread.

Pure. All results are integers; the curve is evaluated in decimal with 40 digits, whose
exponential is correctly rounded by definition (General Decimal Arithmetic), so every
machine gets the same unit. What a player pays is rounded up, what a player gets is
rounded down: against the player by less than one unit, whatever the size.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)
from functools import lru_cache

from exchange.settings import (
    MICROS_PER_SHARE,
    NANOS_PER_SHARE,
    PPM,
    ExchangeSettings,
)

DIGITS = Context(prec=40, rounding=ROUND_HALF_EVEN)
_CEILING = Context(prec=60, rounding=ROUND_CEILING)
_FLOOR = Context(prec=60, rounding=ROUND_FLOOR)
_SECONDS_PER_DAY = 86_400


def ceiling(number: Decimal) -> int:
    """The smallest integer not below the number."""
    return int(_CEILING.to_integral_value(number))


def floor(number: Decimal) -> int:
    """The largest integer not above the number."""
    return int(_FLOOR.to_integral_value(number))


# A curve stays where it is until somebody trades, and is asked for again and again.
@lru_cache(maxsize=8192)
def _growth(displacement_micros: int, depth_shares: int) -> Decimal:
    return DIGITS.exp(
        DIGITS.divide(
            Decimal(displacement_micros), Decimal(depth_shares * MICROS_PER_SHARE)
        )
    )


def displacement(net_shares: int, baseline_micros: int) -> int:
    """u = q − q̄, in millionths of a share."""
    return net_shares * MICROS_PER_SHARE - baseline_micros


def spot(fundamental_units: int, depth_shares: int, displacement_micros: int) -> int:
    """The price of one more share, p(u), rounded down, at least one unit."""
    exact = DIGITS.multiply(
        Decimal(fundamental_units), _growth(displacement_micros, depth_shares)
    )
    return max(1, floor(exact))


def exact_cost(
    fundamental_units: int, depth_shares: int, displacement_micros: int, shares: int
) -> Decimal:
    """C(Q) = F·b·(exp((u+Q)/b) − exp(u/b)); negative for sales (Q < 0)."""
    after = _growth(displacement_micros + shares * MICROS_PER_SHARE, depth_shares)
    before = _growth(displacement_micros, depth_shares)
    return DIGITS.multiply(
        Decimal(fundamental_units * depth_shares), DIGITS.subtract(after, before)
    )


def purchase_value(
    fundamental_units: int, depth_shares: int, displacement_micros: int, shares: int
) -> int:
    """What the curve asks for shares, before the fee; rounded up."""
    return ceiling(
        exact_cost(fundamental_units, depth_shares, displacement_micros, shares)
    )


def sale_value(
    fundamental_units: int,
    depth_shares: int,
    displacement_micros: int,
    sold: int,
    held: int,
    basis_nanos: int,
) -> int:
    """What a sale pays before the fee, rounded down: the curve, capped by the basis.

    A share pays min(F·exp(max(u, 0)/b), F·B/n). Down the curve the first `top` shares
    are capped by the basis, the next `mid` pay the curve, and from u = 0 on it is F.
    """
    most = basis_value(fundamental_units, basis_nanos, sold, held)
    if basis_nanos <= held * NANOS_PER_SHARE:
        return most
    ratio = DIGITS.divide(Decimal(basis_nanos), Decimal(held * NANOS_PER_SHARE))
    above = DIGITS.divide(
        Decimal(max(displacement_micros, 0)), Decimal(MICROS_PER_SHARE)
    )
    below_cap = DIGITS.multiply(Decimal(depth_shares), DIGITS.ln(ratio))
    top = min(max(DIGITS.subtract(above, below_cap), Decimal(0)), Decimal(sold))
    if top == sold:
        return most
    mid = min(DIGITS.subtract(above, top), DIGITS.subtract(Decimal(sold), top))
    left = DIGITS.subtract(above, top)
    curve = DIGITS.multiply(
        Decimal(depth_shares),
        DIGITS.subtract(
            _exp(left, depth_shares), _exp(DIGITS.subtract(left, mid), depth_shares)
        ),
    )
    shares = DIGITS.add(
        DIGITS.multiply(ratio, top),
        DIGITS.add(curve, DIGITS.subtract(Decimal(sold), DIGITS.add(top, mid))),
    )
    return min(most, floor(DIGITS.multiply(Decimal(fundamental_units), shares)))


def _exp(displacement: Decimal, depth_shares: int) -> Decimal:
    return DIGITS.exp(DIGITS.divide(displacement, Decimal(depth_shares)))


def basis_value(fundamental_units: int, basis_nanos: int, sold: int, held: int) -> int:
    """F·B·Q/n, the most that a sale can pay, rounded down."""
    return fundamental_units * basis_nanos * sold // (held * NANOS_PER_SHARE)


def basis_bought(value_units: int, fundamental_units: int) -> int:
    """C/F, the basis that a purchase adds, in billionths of a share; rounded down."""
    return value_units * NANOS_PER_SHARE // fundamental_units


def basis_sold(basis_nanos: int, sold: int, held: int) -> int:
    """B·Q/n, the basis that leaves with the shares sold; rounded up."""
    return -(-basis_nanos * sold // held)


def holding_worth(
    shares: int, basis_nanos: int, fundamental_units: int, price_units: int
) -> int:
    """A holding at its own price: what the first share of a sale would pay, times n."""
    return min(
        shares * max(price_units, fundamental_units),
        fundamental_units * basis_nanos // NANOS_PER_SHARE,
    )


def mean_price(
    fundamental_units: int, depth_shares: int, displacement_micros: int, shares: int
) -> Decimal:
    """C(Q)/Q, the uniform price of a net demand Q; p(u) itself for Q = 0."""
    if shares == 0:
        return DIGITS.multiply(
            Decimal(fundamental_units), _growth(displacement_micros, depth_shares)
        )
    return DIGITS.divide(
        exact_cost(fundamental_units, depth_shares, displacement_micros, shares),
        Decimal(shares),
    )


def spread_ppm(staleness_z_milli: int, sigma_ppm: int, seconds: int) -> int:
    """z·σ·sqrt(h/24) in ppm, rounded up; prices older than a day go on widening."""
    if seconds <= 0 or sigma_ppm <= 0:
        return 0
    root = DIGITS.sqrt(DIGITS.divide(Decimal(seconds), Decimal(_SECONDS_PER_DAY)))
    spread = DIGITS.multiply(Decimal(staleness_z_milli * sigma_ppm), root)
    return ceiling(DIGITS.divide(spread, Decimal(1000)))


def fee_of(value_units: int, rate_ppm: int) -> int:
    """The fee on a value, rounded up."""
    return -(-value_units * rate_ppm // PPM)


def sale_fee_of(value_units: int, rate_ppm: int) -> int:
    """The fee on a sale: never more than what the sale brings."""
    return min(value_units, fee_of(value_units, rate_ppm))


def value_at(price: Decimal, shares: int) -> int:
    """Shares at a uniform price: rounded up if bought (> 0), down if sold (< 0)."""
    exact = DIGITS.multiply(price, Decimal(abs(shares)))
    return ceiling(exact) if shares > 0 else floor(exact)


def depth_for(settings: ExchangeSettings, fundamental_units: int) -> int:
    """Depth b of a new listing, in shares: the same money moves every artist alike."""
    return max(
        settings.min_depth_shares,
        settings.depth_value_units // max(1, fundamental_units),
    )


def decayed(settings: ExchangeSettings, net_shares: int, baseline_micros: int) -> int:
    """q̄ + (1 − 2^(−1/half-life))·(q − q̄), in millionths of a share."""
    move = DIGITS.multiply(
        DIGITS.subtract(Decimal(1), _kept(settings.decay_half_life_days)),
        Decimal(displacement(net_shares, baseline_micros)),
    )
    return baseline_micros + int(move.to_integral_value(rounding=ROUND_HALF_EVEN))


@lru_cache(maxsize=8)
def _kept(half_life_days: int) -> Decimal:
    """2^(−1/half-life): what a day leaves of a displacement."""
    return DIGITS.power(Decimal(2), DIGITS.divide(Decimal(-1), Decimal(half_life_days)))


def is_within_impact(
    settings: ExchangeSettings,
    depth_shares: int,
    before_micros: int,
    after_micros: int,
) -> bool:
    """|u| stays inside its limit, or at least comes nearer to it."""
    bound = impact_bound_micros(settings, depth_shares)
    return abs(after_micros) <= bound or abs(after_micros) < abs(before_micros)


def impact_bound_micros(settings: ExchangeSettings, depth_shares: int) -> int:
    """The largest |u|, in millionths of a share."""
    return depth_shares * MICROS_PER_SHARE * settings.impact_limit_pct // 100
