"""Text that goes into HTML and SVG: escaped, and made of characters that XML allows."""

import html
import re

from s2scli.report.console import visible

NO_XML = re.compile(r"[\ud800-\udfff\ufffe\uffff]")


def escaped(text: str) -> str:
    """Return `text` as it can stand between tags and inside a quoted attribute."""
    return html.escape(NO_XML.sub("\ufffd", visible(text)))
