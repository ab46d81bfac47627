"""Several parts as one HTML page: a title, a list of contents, and a section for each part."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.report.markup import escaped
from s2scli.report.page import Part, page

STYLE = """
body { max-width: 72rem; margin-inline: auto; padding: 0 1rem; }
.title { font-size: 1.7rem; font-weight: 600; opacity: 1; }
.summary { margin: .3rem 0 1rem; max-width: 50rem; }
nav a { color: inherit; margin-right: 1.2rem; white-space: nowrap; }
section { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem;
  overflow-x: auto; }
section > h2 { font-size: 1.3rem; margin: 0 0 1rem; }
pre { overflow-x: auto; font-size: .85rem; line-height: 1.4; }
@media print { nav { display: none; } section { overflow: visible; } }
"""


@dataclass(frozen=True)
class Chapter:
    """A section of a document.

    Attributes:
        name: its name in the address: letters and hyphens.
        title: its heading.
        part: its content; its CSS applies to this section alone.
    """

    name: str
    title: str
    part: Part


def document_html(title: str, summary: Sequence[str], chapters: Sequence[Chapter]) -> str:
    """Return the page.

    Args:
        title: its title.
        summary: sentences under the title, each a paragraph.
        chapters: its sections.
    """
    links = "".join(f'<a href="#{one.name}">{escaped(one.title)}</a>' for one in chapters)
    told = "\n".join(f'<p class="summary">{escaped(one)}</p>' for one in summary)
    sections = "\n".join(
        f'<section id="{one.name}">\n<h2>{escaped(one.title)}</h2>\n{one.part.body}\n</section>'
        for one in chapters
    )
    head = f'<h1 class="title">{escaped(title)}</h1>\n{told}\n<nav>{links}</nav>'
    styles = "\n".join(f"#{one.name} {{ {one.part.style} }}" for one in chapters if one.part.style)
    return page(title, Part(STYLE + styles, f"{head}\n{sections}"))


def joined(parts: Sequence[Part], between: str = "\n") -> Part:
    """Return parts one after the other; a style that several have is there once.

    Args:
        parts: the parts.
        between: HTML between two of them.
    """
    styles = dict.fromkeys(part.style for part in parts)
    return Part("\n".join(styles), between.join(part.body for part in parts))


def preformatted(text: str) -> str:
    """Return a text whose line breaks and spaces are kept, such as commands."""
    return "<pre>" + "\n".join(map(escaped, text.splitlines())) + "</pre>"
