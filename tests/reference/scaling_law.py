"""The misfit of a scaling law, term by term."""

import math


def misfit(theta, sizes, tokens, losses, arms, weights, delta, joint=False):
    """The sum of Huber losses of ln L̂ - ln L, over delta squared; theta as in pretrain/impact/fit_scaling_law.py."""
    e, a, alpha, b, beta, *worth = theta
    total = 0.0
    for size, count, loss, arm, weight in zip(sizes, tokens, losses, arms, weights, strict=True):
        count = count * math.exp(worth[arm - 1] if arm else 0.0)
        law = math.exp(e) + math.exp(a) / size**alpha + math.exp(b) / count**beta
        if joint:  # Kaplan's
            law = ((math.exp(a / alpha) / size) ** (alpha / beta) + math.exp(b / beta) / count) ** beta
        far = abs(math.log(law) - math.log(loss)) / delta
        total += weight * (far**2 / 2 if far <= 1 else far - 0.5)
    return total
