"""The three discounts of an order, from how many of its grams occur once, twice, three and four times."""

import numpy as np

from gristmill.pipelines.errors import InputError

FALLBACK = (0.5, 1.0, 1.5)


def discounts(
    counts: np.ndarray, order: int, fallback: tuple[float, float, float] | None, modified: bool = True
) -> np.ndarray:
    """Adjusted counts of an order's grams -> what is taken from counts 0, 1, 2, and 3 or more: float64[4].

    Chen and Goodman 1999, equation 26: ``Y = n1 / (n1 + 2 n2)``, ``D_i = i - (i + 1) Y n_(i+1) / n_i``. Without
    ``modified``, Y from every count, as Kneser and Ney 1995 have it. Where the corpus is too small (some n_i is 0, or
    a discount lies outside 0 to i), ``fallback`` is taken, and without one InputError raised.
    """
    n = [int((counts == i).sum()) for i in (1, 2, 3, 4)]
    if all(n[:3]):
        y = n[0] / (n[0] + 2 * n[1])
        if not modified:
            return np.array([0.0, y, y, y])
        found = np.array([0.0, *(i - (i + 1) * y * n[i] / n[i - 1] for i in (1, 2, 3))])
        if all(0 <= found[i] <= i for i in (1, 2, 3)):
            return found
    if fallback is None:
        raise InputError(
            f"the corpus is too small for order {order}: {n[0]:,}, {n[1]:,}, {n[2]:,} and {n[3]:,} grams count 1, 2, 3 "
            f"and 4, which gives no discounts; use more text, a lower order, or fallback discounts "
            f"({', '.join(map(str, FALLBACK))})"
        )
    return np.array([0.0, *fallback])
