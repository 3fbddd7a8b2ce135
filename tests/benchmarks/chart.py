"""The chart of costs per request as SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from operator import attrgetter
from typing import Final
from xml.sax.saxutils import escape

from .results import Run, Sample, median

_WIDTH: Final = 900
_LEFT: Final = 330
_RIGHT: Final = 70
_TOP: Final = 64
_LINE: Final = 26
# An SVG in a page only knows whether the reader prefers a dark scheme.
_STYLE: Final = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .note { font-size: 12px; fill: #57606a }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #d0d7de }
  .range { stroke: #57606a; stroke-width: 2 }
  .ours { fill: #0969da } .other { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9da7b1 } .grid { stroke: #30363d } .range { stroke: #9da7b1 }
    .ours { fill: #58a6ff } .other { fill: #848d97 }
  }
"""


class _Scale:
    """Powers of ten on an axis."""

    def __init__(self, values: Sequence[float]) -> None:
        self._first, self._last = floor(log10(min(values))), ceil(log10(max(values)))

    def __call__(self, value: float) -> float:
        share = (log10(value) - self._first) / max(1, self._last - self._first)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    @property
    def powers(self) -> list[int]:
        return [10**power for power in range(self._first, self._last + 1)]


def chart(run: Run) -> str:
    """Return the chart of a run that compared."""
    found = [(each.contender, run.of(each.contender, run.usual)) for each in run.standings]
    found.sort(key=lambda pair: median(pair[1], attrgetter("cpu")))
    scale = _Scale([sample.cpu for _, samples in found for sample in samples])
    height = _TOP + _LINE * len(found) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">',
        "<title>Processor time for each request</title>",
        f"<style>{_STYLE}</style>",
        '<text class="title" x="12" y="24">Processor time for each request, in microseconds (less is better)</text>',
        f'<text class="note" x="12" y="44">{run.usual} connections; median and range of the rounds, {run.date}; '
        "each line of the scale is ten times the one before</text>",
        *_grid(scale, height - 30),
        *(line for row, (name, samples) in enumerate(found) for line in _row(row, name, samples, scale)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(scale: _Scale, bottom: int) -> Iterator[str]:
    for power in scale.powers:
        x = scale(power)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>'
        yield f'<text class="note" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{power:,}</text>'


def _row(row: int, name: str, samples: Sequence[Sample], scale: _Scale) -> Iterator[str]:
    y = _TOP + _LINE * row + _LINE / 2
    costs = [sample.cpu for sample in samples]
    middle = median(samples, attrgetter("cpu"))
    kind = "ours" if name.startswith("adapter-host") else "other"
    yield f'<text x="12" y="{y + 4:.1f}">{escape(name)}</text>'
    yield f'<line class="range" x1="{scale(min(costs)):.1f}" x2="{scale(max(costs)):.1f}" y1="{y}" y2="{y}"/>'
    yield f'<circle class="{kind}" cx="{scale(middle):.1f}" cy="{y}" r="6"/>'
    yield f'<text class="note" x="{scale(max(costs)) + 10:.1f}" y="{y + 4:.1f}">{middle:,.0f}</text>'
