"""The settings of Sphinx for the guide; its pages are the Markdown files of all the examples.

    sphinx-build -W -c examples/guide examples site

builds it, with `pip install "s2scli[docs]"`. The pages read well on GitHub too, so they hold no
directives: each page has its reference written, and its table of contents drawn from its links, as
it is read.
"""

import sys
from pathlib import Path
from typing import Any

from s2scli import __version__

HERE = Path(__file__).parent

project = "s2s"
version = release = __version__
root_doc = "guide/README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**/workspace"]
highlight_language = "text"
html_theme = "furo"
html_title = f"s2s {__version__}"
html_show_copyright = False
myst_heading_anchors = 3
myst_enable_extensions = ["html_image"]
default_role = "code"  # of a name between backquotes in a docstring
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"


def setup(app: Any) -> dict[str, bool]:
    """Connect what changes a page as it is read, and what adds the first page of the site."""
    sys.path.insert(0, str(HERE))  # this folder is no package
    from reference import page

    def read(app: Any, name: str, source: list[str]) -> None:
        source[0] = page(source[0], (Path(app.srcdir) / name).parent)

    def add_index(app: Any, error: Exception | None) -> None:
        if not error:
            target = f"{root_doc}.html"
            text = f'<!doctype html><meta http-equiv="refresh" content="0; url={target}">\n'
            (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")

    app.connect("source-read", read)
    app.connect("build-finished", add_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
