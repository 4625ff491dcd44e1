"""95 % intervals of shares and of their differences: percentile bootstraps over examples.

Resampling n examples of which some are right draws their number from a binomial distribution (from
a multinomial one for pairs), so no example is touched (Efron 1979). Seeded: the same counts give
the same interval. Examples count as independent, the steps of one conversation too.
"""

import numpy as np

RESAMPLES = 10_000


def share_interval(share: float, n: int) -> tuple[float, float]:
    """The interval of a share seen on `n` examples.

    All right, or none: every resample is the same, and a bootstrap would claim certainty. The open
    end is then what is exactly known, the share under which `n` alike have a chance of 5 %
    (about 3 / n away, "the rule of three": Hanley and Lippman-Hand 1983).
    """
    if n == 0:
        return 0.0, 1.0
    right = round(share * n)
    if right == n:
        return 0.05 ** (1 / n), 1.0
    if right == 0:
        return 0.0, 1 - 0.05 ** (1 / n)
    low, high = np.quantile(_rng().binomial(n, right / n, RESAMPLES) / n, [0.025, 0.975])
    return float(low), float(high)


def difference_interval(fell: int, rose: int, n: int) -> tuple[float, float]:
    """The interval of the difference of two shares over the same `n` examples (paired).

    `fell` examples are right in the first alone, `rose` in the second alone.
    """
    shares = [fell / n, rose / n, 1 - (fell + rose) / n]
    drawn = _rng().multinomial(n, shares, RESAMPLES)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / n, [0.025, 0.975])
    return float(low), float(high)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
