"""Metrics of a run in Prometheus' text format."""

GAUGES = {
    "gristmill_step_seconds": ("Wall time of the step in seconds.", "seconds"),
    "gristmill_step_jobs": ("Jobs that ran; finished ones are not repeated.", "jobs"),
    "gristmill_step_mb_per_second": ("MB of input per second.", "mb_per_second"),
    "gristmill_step_finished_timestamp_seconds": ("Time at which the step was finished.", "time"),
}


def exposition(lines: list[dict]) -> str:
    """Return the steps of a run as metrics, for the node exporter's textfile collector.

    >>> exposition([]).splitlines()[1]
    '# TYPE gristmill_step_seconds gauge'
    """
    text = []
    for name, (about, key) in GAUGES.items():
        text += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        text += [f"{name}{{step={_label(line['step'])}}} {line[key]}" for line in lines]
    text += [
        "# HELP gristmill_step_count Counts of the step: documents, bytes and others.",
        "# TYPE gristmill_step_count gauge",
    ]
    for line in lines:
        counts = {k: v for k, v in line["counts"].items() if isinstance(v, int)}
        text += [f"gristmill_step_count{{step={_label(line['step'])},of={_label(k)}}} {v}" for k, v in counts.items()]
    return "\n".join(text) + "\n"


def _label(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
