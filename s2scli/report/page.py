"""Parts of HTML pages and SVG pictures: the page itself, and the colours of weights.

Colours are CSS classes, so that they follow the light or dark mode of the browser.
"""

from dataclasses import dataclass

from s2scli.report.colours import hex_colour
from s2scli.report.markup import escaped

LEVELS = 32
DARK = "@media (prefers-color-scheme: dark)"
BASE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
  --ground: #fff; --ink: #1b1b1f; --line: #8888; }
body { margin: 1.5rem clamp(1rem, 3vw, 4rem); background: var(--ground); color: var(--ink); }
h1 { font-size: 1.1rem; font-weight: 400; margin: 0; opacity: .7; }
h2 { font-size: 1.3rem; margin: 0 0 1.5rem; }
footer { margin-top: 1.5rem; opacity: .7; font-size: .85rem; }
.cells { border-collapse: collapse; margin: 0 0 1.5rem; }
.cells th, .cells td { text-align: left; vertical-align: top; font-weight: 400;
  padding: .2rem 1.2rem .2rem 0; }
.cells thead th { border-bottom: 1px solid var(--line); opacity: .7; }
.cells .n { text-align: right; }
:root { --c0: #0f7c8a; --c1: #b0670a; --c2: #2f7d32; --c3: #a3296d; }
"""
BASE_DARK = f"""{DARK} {{ :root {{ --ground: #111114; --ink: #e8e8ec;
  --c0: #4cc9da; --c1: #f2b34c; --c2: #7fd182; --c3: #f07fbd; }} }}
"""


@dataclass(frozen=True)
class Part:
    """Content for an HTML page.

    Attributes:
        style: the CSS that it needs beside that of every page; without `:root`.
        body: the content, as HTML.
    """

    style: str = ""
    body: str = ""


EMPTY = Part()


def page(title: str, part: Part) -> str:
    """Return an HTML page that loads nothing and runs no script.

    Args:
        title: the title of the window, as plain text.
        part: the content.
    """
    return f"""<!doctype html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{BASE}{BASE_DARK}{part.style}</style>
</head>
<body>
{part.body}
</body>
</html>
"""


def sentences(source: str, target: str) -> str:
    """Return the source and the target as the headings of a page."""
    return f"<h1><bdi>{escaped(source)}</bdi></h1>\n<h2><bdi>{escaped(target)}</bdi></h2>"


def level(weight: float) -> int:
    """Return the colour level of a weight, from 0; level 7 has the CSS class `l7`."""
    return round(min(max(weight, 0.0), 1.0) * (LEVELS - 1))


def level_style(template: str) -> str:
    """Return the CSS class of each colour level, for light and dark mode.

    Args:
        template: the content of a class, with `@` for its colour.
    """
    light, dark = (_rules(template, light=light) for light in (True, False))
    return f"{light}\n{DARK} {{\n{dark}\n}}\n"


def key_style() -> str:
    """Return the CSS class `key`: a gradient of the colours from weight 0 to 1."""
    light, dark = (
        ", ".join(hex_colour(step / 8, light=light) for step in range(9)) for light in (True, False)
    )
    shape = "display: inline-block; width: 12rem; height: .8rem; margin: 0 .5rem"
    return (
        f".key {{ {shape}; border: 1px solid var(--line);"
        f" background: linear-gradient(to right, {light}); }}\n"
        f"{DARK} {{ .key {{ background: linear-gradient(to right, {dark}); }} }}\n"
    )


def key(measure: str = "attention", note: str = "") -> str:
    """Return the scale of the colours of what is measured, and a note beside it."""
    more = f" &ensp; {escaped(note)}" if note else ""
    return f'<p>{measure} weight &ensp; 0<span class="key"></span>1{more}</p>'


def _rules(template: str, *, light: bool) -> str:
    colours = (hex_colour(number / (LEVELS - 1), light=light) for number in range(LEVELS))
    return "\n".join(
        f".l{number} {{ {template.replace('@', colour)} }}" for number, colour in enumerate(colours)
    )
