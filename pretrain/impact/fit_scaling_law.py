"""Robust fit of a scaling law by BFGS with an analytic gradient, fast enough for thousands of fits.

    ln L̂ = logsumexp(e, a - α ln N, b - β (ln D + κ_arm)),  misfit = Σ w huber(ln L̂ - ln L),  θ = (e, a, α, b, β, κ…)

The joint form of Kaplan et al. (2020, arXiv:2001.08361, eq. 1.5), L = ((Nc / N)^(α/β) + Dc / D)^β, has the same θ with
a = α ln Nc and b = β ln Dc, no E, and all terms of the sum divided by β: ln L̂ = β logsumexp((a - α ln N) / β, …).

The misfit is that of Hoffmann et al. (2022, arXiv:2203.15556, eq. 3). They use L-BFGS; for 5 to 10 dimensions the full
matrix costs nothing. It starts as the Gauss-Newton matrix: A and α change L̂ in nearly the same way, so first steps
without it lead astray. The misfit is divided by δ². Undivided it is near 1e-5, and optimizers stop far from the
minimum, which was the error of the published fit (Besiroglu et al. 2024, arXiv:2404.10102).
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel

E, A, ALPHA, B, BETA = range(5)
FIRST_ARM = 5  # θ[5 + k] is κ of arm k + 1; arm 0 has none
STEPS = 400
MIN_SCALE = 1e-3  # of β in the joint form


@allocating_kernel
def huber_loss(theta, points, arms, weights, terms, delta, gradient, curvature):
    """Return the misfit over δ² of ``points``, float64[n, 3] of ln N, ln D, ln L; fill gradient and curvature.

    ``curvature`` is the Gauss-Newton matrix.

    ``terms``, bool[4]: whether the law has the terms of E, N and D, and whether it is the joint form. ``arms``,
    int64[n]: the arm of each point.
    """
    total, p = 0.0, theta.size
    scale = max(theta[BETA], MIN_SCALE) if terms[3] else 1.0
    gradient[:] = 0.0
    curvature[:, :] = 0.0
    slope = np.empty(p)
    for i in range(points.shape[0]):
        shift = theta[FIRST_ARM + arms[i] - 1] if arms[i] > 0 else 0.0
        size, data = points[i, 0], points[i, 1] + shift
        e = theta[E] if terms[0] else -np.inf
        n = (theta[A] - theta[ALPHA] * size) / scale if terms[1] else -np.inf
        d = (theta[B] - theta[BETA] * data) / scale if terms[2] else -np.inf
        top, size_term, data_term = max(e, n, d), n, d
        e, n, d = np.exp(e - top), np.exp(n - top), np.exp(d - top)
        whole = e + n + d
        log_sum = top + np.log(whole)
        residual = scale * log_sum - points[i, 2]
        e, n, d = e / whole, n / whole, d / whole
        slope[:] = 0.0
        slope[E], slope[A], slope[ALPHA], slope[B], slope[BETA] = e, n, -n * size, d, -d * data
        if terms[3]:
            slope[BETA] += log_sum - n * size_term - d * data_term
        if arms[i] > 0:
            slope[FIRST_ARM + arms[i] - 1] = -d * theta[BETA]
        far = abs(residual) / delta
        if far <= 1.0:
            total += weights[i] * 0.5 * far * far
            pull, curve = residual, 1.0
        else:
            total += weights[i] * (far - 0.5)
            pull, curve = delta * np.sign(residual), 1.0 / far
        pull, curve = pull * weights[i] / (delta * delta), curve * weights[i] / (delta * delta)
        for j in range(p):
            gradient[j] += pull * slope[j]
            for k in range(p):
                curvature[j, k] += curve * slope[j] * slope[k]
    return total


@allocating_kernel
def _inverse(curvature):
    """Inverse of the Gauss-Newton matrix, regularized where it is nearly flat; zero directions stay put."""
    p = curvature.shape[0]
    scale = np.ones(p)
    for j in range(p):
        if curvature[j, j] > 0:
            scale[j] = 1.0 / np.sqrt(curvature[j, j])
    scaled = np.empty((p, p))
    for j in range(p):
        for k in range(p):
            scaled[j, k] = curvature[j, k] * scale[j] * scale[k] + (1e-9 if j == k else 0.0)
            if j == k and curvature[j, j] == 0:
                scaled[j, k] = 1.0
    inverse = np.linalg.inv(scaled)
    for j in range(p):
        for k in range(p):
            inverse[j, k] *= scale[j] * scale[k]
    return inverse


@allocating_kernel
def minimize(start, points, arms, weights, terms, delta):
    """Return the nearest minimum of the misfit, θ float64[p], and the misfit there."""
    p = start.size
    theta, gradient, curvature = start.copy(), np.empty(p), np.empty((p, p))
    value = huber_loss(theta, points, arms, weights, terms, delta, gradient, curvature)
    inverse, fresh, stalled = _inverse(curvature), True, 0
    tried, new = np.empty(p), np.empty(p)
    for _ in range(STEPS):
        step = -(inverse @ gradient)
        descent = step @ gradient
        if not descent < 0:
            if fresh:
                break
            inverse, fresh = _inverse(curvature), True
            continue
        length, after = min(1.0, 2.0 / max(1e-300, np.abs(step).max())), np.inf  # no parameter moves by more than 2
        for _ in range(40):
            tried[:] = theta + length * step
            after = huber_loss(tried, points, arms, weights, terms, delta, new, curvature)
            if after <= value + 1e-4 * length * descent:
                break
            length *= 0.5
        if not after < value:
            if fresh:
                break
            huber_loss(theta, points, arms, weights, terms, delta, new, curvature)
            inverse, fresh = _inverse(curvature), True
            continue
        stalled = stalled + 1 if value - after < 1e-12 * value + 1e-14 else 0
        s, y = tried - theta, new - gradient
        theta[:], gradient[:] = tried, new
        value, fresh = after, False
        if stalled == 3:
            break
        sy = s @ y
        if sy > 1e-12 * np.sqrt((s @ s) * (y @ y)):
            hy = inverse @ y
            inverse += (1 + (y @ hy) / sy) / sy * np.outer(s, s) - (np.outer(hy, s) + np.outer(s, hy)) / sy
    return theta, value
