"""Text for HTML and SVG: escaped, without characters that XML forbids."""

import html
import re

from s2scli.report.console import visible

NO_XML = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """Return `text` for use between tags and in quoted attributes."""
    return html.escape(NO_XML.sub("\ufffd", visible(text)))
