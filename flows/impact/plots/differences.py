"""Plot of an experiment: differences between arms with their intervals, and each seed's loss."""

from upath import UPath

from gristmill.pipelines.storage.figures import new_figure, write_png

COLORS = {"better": "#1b7f4d", "worse": "#c8553d"}  # of verdicts; all others are gray
GRAY = "#6b7280"


def draw(path: UPath, report: dict) -> None:
    """Write a PNG of a report: one row per question with its interval and the margin, and each seed's loss."""
    rows, name = report["questions"], report["test"]["decision_set"]
    height = 1.6 + 0.55 * max(len(rows), len(report["arms"]))
    figure = new_figure(11, height)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    margin = sum(row["margin"] for row in rows) / len(rows)
    left.axvspan(-margin, margin, color="#e5e7eb", zorder=0, label=f"within {report['test']['margin']:.1%} of the loss")
    left.axvline(0, color="black", linewidth=0.8)
    for y, row in enumerate(rows):
        color = COLORS.get(row["verdict"], GRAY)
        left.plot(row["bootstrap"], [y + 0.16] * 2, color=color, alpha=0.4, linewidth=1.2)
        left.plot(row["interval"], [y] * 2, color=color, linewidth=2.4, solid_capstyle="butt")
        left.plot(row["delta"], y, "o", color=color, markersize=6)
        left.annotate(row["verdict"], (row["interval"][1], y), (6, 0), "data", "offset points", va="center", fontsize=8)
    left.set_yticks(range(len(rows)), [f"{row['arm']}\nagainst {row['against']}" for row in rows], fontsize=9)
    confidence = rows[0]["confidence"]
    left.set_xlabel(
        f"difference in bits per byte of {name}, lower is better; thick: {confidence:.0%} interval, thin: bootstrap"
    )
    left.invert_yaxis()
    left.margins(x=0.25, y=0.12)
    left.legend(frameon=False, fontsize=8, loc="lower right")
    for y, arm in enumerate(report["arms"]):
        seeds = arm["losses"][name]["seeds"]
        right.plot(seeds, [y] * len(seeds), "|", color=GRAY, markersize=12)
        right.plot(arm["losses"][name]["mean"], y, "o", color="#1f5fa8", markersize=6)
    right.set_yticks(range(len(report["arms"])), [arm["name"] for arm in report["arms"]], fontsize=9)
    right.set_xlabel(f"bits per byte on {name}, each seed and mean")
    right.invert_yaxis()
    right.margins(y=0.12)
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    size = max(arm["parameters"] for arm in report["arms"]) / 1e6
    figure.suptitle(f"{report['name']}: models of {size:.2g} M parameters, scored on {name}", fontsize=11)
    write_png(figure, path)
