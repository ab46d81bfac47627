"""The page to try models in: one HTML file with its style and script, which loads nothing else."""

import base64
import hashlib
import re
from importlib.resources import files


def _sources(page: str, element: str) -> str:
    """Return the hashes of the elements of a page, as a Content-Security-Policy lists them."""
    contents = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


PAGE = (files("s2scli.serve") / "page.html").read_text(encoding="utf-8")
PAGE_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_sources(PAGE, 'script')}; "
        f"style-src {_sources(PAGE, 'style')}; connect-src 'self'; img-src data: blob:; "
        "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
