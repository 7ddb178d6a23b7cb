"""Bar charts of how many times as fast gristmill is as each peer, as SVG: on a log scale, for light and dark pages."""

from html import escape
from math import ceil, floor, log10

from benchmarks.harness import Figures, digits

ROW, LABEL, BARS, NUMBER, TOP = 20, 380, 360, 60, 26  # pixels
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #24292f } .peer, .tick { fill: #57606a }
line { stroke: #d0d7de } .one { stroke: #57606a } .won { fill: #2f6f4f } .lost { fill: #b35900 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .peer, .tick { fill: #9198a1 } line { stroke: #30363d } .one { stroke: #9198a1 }
  .won { fill: #57a97f } .lost { fill: #e09b52 }
}"""


def chart(results: dict[str, tuple[Figures, dict[str, Figures]]], title: str) -> str:
    """Return a chart with a bar for each peer; bars to the left of the line at 1 are lost."""
    bars = [
        (name if number == 0 else "", peer, ours.times(theirs, "cpu"))
        for name, (ours, peers) in results.items()
        for number, (peer, theirs) in enumerate(peers.items())
    ]
    low = min(0, floor(min(log10(times) for *_, times in bars)))
    high = ceil(max(log10(times) for *_, times in bars))
    height = TOP + ROW * len(bars) + 6

    def x(times: float) -> float:
        return LABEL + BARS * (log10(times) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + BARS + NUMBER}" height="{height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title><style>{STYLE}</style>'
    ]
    for power in range(low, high + 1):
        at, kind = x(10.0**power), ' class="one"' if power == 0 else ""
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 6}" y2="{height}"{kind}/>')
        parts.append(f'<text class="tick" x="{at:.1f}" y="14" text-anchor="middle">{10.0**power:,g} ×</text>')
    for number, (name, peer, times) in enumerate(bars):
        y, (left, right) = TOP + ROW * number, sorted((x(1), x(times)))
        parts.append(f'<text x="0" y="{y + 14}">{escape(name)}</text>')
        parts.append(f'<text class="peer" x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(peer)}</text>')
        kind = "won" if times >= 1 else "lost"
        parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{y + 4}" width="{max(right - left, 1):.1f}" height="12"/>'
        )
        parts.append(f'<text x="{right + 5:.1f}" y="{y + 14}">{digits(times)}</text>')
    return "\n".join([*parts, "</svg>\n"])
