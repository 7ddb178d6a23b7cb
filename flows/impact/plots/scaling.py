"""Plot of scaling runs: losses at equal FLOPs over model sizes, by Hoffmann's and by Kaplan's law of the same runs."""

import numpy as np
from upath import UPath

from gristmill.pipelines.storage.figures import new_figure, write_png
from gristmill.pretrain.impact.compute_optimal import FLOPS
from gristmill.pretrain.impact.scaling import laws, theta_of

TITLES = {"chinchilla": "Hoffmann: E + A / N^α + B / D^β", "kaplan": "Kaplan: ((Nc / N)^(α/β) + Dc / D)^β"}
CURVES = 5  # budgets, from that of the smallest run to ten times that of the largest
WIDE = 30.0  # a curve spans sizes down to a thirtieth, and up to thirty times, that of its minimum


def draw_scaling(path: UPath, scaling: dict, name: str) -> None:
    """Write a PNG with a panel per law: a curve per budget, its minimum, and the runs of the first arm."""
    from matplotlib.colors import LogNorm

    figure = new_figure(11, 4.6)
    panels = figure.subplots(1, 2, sharey=True)
    first = scaling["points"][0]["arm"]
    sizes, tokens, losses = (
        np.array([point[key] for point in scaling["points"] if point["arm"] == first], float)
        for key in ("size", "tokens", "loss")
    )
    flops = FLOPS * sizes * tokens
    budgets = np.geomspace(flops.min(), 10 * flops.max(), CURVES)
    colors = {"norm": LogNorm(budgets[0], budgets[-1]), "cmap": "viridis"}
    for axes, law in zip(panels, (scaling["law"], scaling["kaplan"]), strict=True):
        for budget in budgets:
            x, y = curve(law, budget)
            best = int(np.argmin(y))
            axes.scatter(x, y, c=np.full(x.size, budget), s=1, **colors)
            axes.plot(x[best], y[best], "v", color="black", markersize=5)
        runs = axes.scatter(sizes, losses, c=flops, s=26, edgecolors="black", linewidths=0.5, zorder=3, **colors)
        (a, b), (low, high) = (law["split"][key]["value"] for key in "ab"), law["split"]["a"]["interval"]
        axes.set_title(
            f"{TITLES[law['form']]}\nN ∝ C^{a:.2f} (95 % interval {low:.2f} to {high:.2f}), D ∝ C^{b:.2f}", fontsize=9
        )
        axes.set_xscale("log")
        axes.set_xlabel("parameters N; triangles: the lowest loss of a budget")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(f"bits per byte of {name}, {first}")
    figure.colorbar(runs, ax=panels, label="FLOPs, 6 N D")
    write_png(figure, path)


def curve(law: dict, flops: float) -> tuple[np.ndarray, np.ndarray]:
    """Return model sizes around the best one for a budget, and the losses that a law gives them."""
    theta = np.array([theta_of({key: each["value"] for key, each in law["values"].items()})])
    grid = np.geomspace(1e3, 1e13, 2000)
    best = grid[int(np.argmin(laws(theta, law["form"], grid, flops / FLOPS / grid)))]
    sizes = np.geomspace(best / WIDE, best * WIDE, 400)
    return sizes, laws(theta, law["form"], sizes, flops / FLOPS / sizes)
