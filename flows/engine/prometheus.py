"""The figures of a run, as Prometheus collects them from a text file."""

GAUGES = {
    "gristmill_step_seconds": ("Wall seconds that the step took.", "seconds"),
    "gristmill_step_jobs": ("Jobs that were done and not found finished.", "jobs"),
    "gristmill_step_mb_per_second": ("MB of input a second.", "mb_per_second"),
    "gristmill_step_finished_timestamp_seconds": ("When the step was finished.", "time"),
}


def exposition(lines: list[dict]) -> str:
    """The steps of a run in Prometheus' text format, for the node exporter's textfile collector.

    >>> exposition([]).splitlines()[1]
    '# TYPE gristmill_step_seconds gauge'
    """
    told = []
    for name, (about, key) in GAUGES.items():
        told += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        told += [f"{name}{{step={_label(line['step'])}}} {line[key]}" for line in lines]
    told += ["# HELP gristmill_step_count What the step counted.", "# TYPE gristmill_step_count gauge"]
    for line in lines:
        counts = {k: v for k, v in line["counts"].items() if isinstance(v, int)}
        told += [f"gristmill_step_count{{step={_label(line['step'])},of={_label(k)}}} {v}" for k, v in counts.items()]
    return "\n".join(told) + "\n"


def _label(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
