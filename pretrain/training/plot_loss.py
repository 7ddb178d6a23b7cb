"""Plot of the loss over the steps."""

from collections.abc import Sequence

from upath import UPath

from gristmill.pipelines.storage.figures import new_figure, write_png

SPAN = 30, 50  # the running mean is over 1/30 of the steps, at most 50: more would lag behind the loss


def running_mean(losses: Sequence[float]) -> list[float]:
    """Return the exponential mean of the losses up to each step; it begins with the first loss."""
    momentum = 1 - 1 / min(SPAN[1], 1 + len(losses) / SPAN[0])
    mean, means = 0.0, []
    for i, loss in enumerate(losses):
        mean = momentum * mean + (1 - momentum) * loss
        means.append(mean / (1 - momentum ** (i + 1)))
    return means


def draw_curve(path: UPath, lines: list[dict], title: str) -> None:
    """Draw a PNG from the lines of a run's log: loss of each step, its running mean, and validation losses."""
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    steps, losses = zip(*((line["step"], line["loss"]) for line in lines if "loss" in line), strict=True)
    axes.plot(steps, losses, color="#1f5fa8", alpha=0.25, linewidth=0.8, label="training, each step")
    axes.plot(steps, running_mean(losses), color="#1f5fa8", linewidth=1.6, label="training, running mean")
    validation = [(line["step"], line["validation"]) for line in lines if "validation" in line]
    if validation:
        axes.plot(
            *zip(*validation, strict=True), "o-", color="#c8553d", linewidth=1.6, markersize=4, label="validation"
        )
    axes.set(xlabel="step", ylabel="loss (nats)", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_png(figure, path)
