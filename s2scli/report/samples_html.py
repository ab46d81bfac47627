"""Outputs and their attention over time, as a part of an HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s2scli.report.grid_html import map_picture
from s2scli.report.markup import escaped
from s2scli.report.page import EMPTY, Part, key, key_style, level_style
from s2scli.report.pieces import piece_label

MAX_MAPS = 12  # more steps than this are thinned out
STYLE = (
    """
.sample { margin-top: 2rem; }
.sample table { margin: .5rem 0 0; }
.maps { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr));
  margin-top: 1rem; }
.maps figure { margin: 0; }
.maps svg { border: 1px solid var(--line); }
"""
    + level_style("fill: @")
    + key_style()
)


@dataclass(frozen=True)
class Output:
    """The output for an example at one step of a run.

    Attributes:
        step: the number of updates.
        text: the output.
        source_pieces: the S pieces of the source; empty without attention.
        target_pieces: the T pieces of the output; empty without attention.
        attention: the weights, [T, S]; empty without attention.
    """

    step: int
    text: str
    source_pieces: Sequence[str] = ()
    target_pieces: Sequence[str] = ()
    attention: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class SampleHistory:
    """The outputs for one example, in order of their steps."""

    source: str
    reference: str
    outputs: Sequence[Output]


def samples_part(samples: Sequence[SampleHistory]) -> Part:
    """Return the outputs of each example and its attention maps over time."""
    if not samples:
        return EMPTY
    return Part(STYLE, f"<h2>Samples</h2>\n{key()}\n" + "\n".join(map(_section, samples)))


def _section(sample: SampleHistory) -> str:
    """Return the texts of an example, its output whenever it changed, and its maps."""
    rows = [("source", sample.source), ("reference", sample.reference)]
    before = None
    for output in sample.outputs:
        if output.text != before:
            rows.append((f"step {output.step:,}", output.text))
        before = output.text
    body = "\n".join(
        f"<tr><th>{escaped(name)}</th><td><bdi>{escaped(text)}</bdi></td></tr>"
        for name, text in rows
    )
    maps = "\n".join(map(_figure, _thinned([each for each in sample.outputs if each.attention])))
    shown = f'\n<div class="maps">{maps}</div>' if maps else ""
    return f'<div class="sample"><table class="cells">{body}</table>{shown}</div>'


def _thinned(outputs: Sequence[Output]) -> list[Output]:
    """Return at most `MAX_MAPS` outputs, evenly spaced, with the first and the last."""
    count = min(len(outputs), MAX_MAPS)
    return [outputs[index] for index in np.linspace(0, len(outputs) - 1, count).astype(int)]


def _figure(output: Output) -> str:
    sources = [piece_label(piece) for piece in output.source_pieces]
    targets = [piece_label(piece) for piece in output.target_pieces]
    name = f"step {output.step:,}"
    picture = map_picture(np.array(output.attention), sources, targets, f"attention at {name}")
    return f"<figure>{picture}<figcaption>{name}</figcaption></figure>"
