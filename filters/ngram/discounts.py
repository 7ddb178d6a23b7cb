"""Kneser-Ney discounts of an order, from its numbers of n-grams that count 1, 2, 3 and 4."""

import numpy as np

from gristmill.pipelines.errors import InputError

FALLBACK = (0.5, 1.0, 1.5)


def discounts(
    counts: np.ndarray, order: int, fallback: tuple[float, float, float] | None, modified: bool = True
) -> np.ndarray:
    """Return the discounts of the adjusted counts 0, 1, 2, and 3 or more: float64[4].

    - ``modified``: Chen and Goodman 1999, equation 26: ``D_i = i - (i + 1) Y n_(i+1) / n_i`` with
      ``Y = n1 / (n1 + 2 n2)``.
    - Otherwise Y for every count (Kneser and Ney 1995).

    A corpus is too small if n1, n2 or n3 is 0 or a discount lies outside 0 to i. Then ``fallback`` is returned;
    without one, InputError is raised.
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
            f"the corpus is too small for order {order}: {n[0]:,}, {n[1]:,}, {n[2]:,} and {n[3]:,} n-grams count 1, 2, "
            f"3 and 4, which gives no discounts; use more text, a lower order, or set discount_fallback "
            f"([{', '.join(map(str, FALLBACK))}])"
        )
    return np.array([0.0, *fallback])
