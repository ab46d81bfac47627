"""Tags: a name in front of a source, such as `<2de>`, that tells a model what to write.

One model can so write several languages or styles (Johnson et al. 2017, section 3). In a corpus the
tag stands before the text, with a space; the tokenizer gives it one token of its own.
"""

import re
from collections.abc import Collection

MAX_TAGS = 1000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
TAGGED = re.compile(rf"<2({NAME.pattern})>")
RULE = "expected up to 32 ASCII letters, digits, _, . and -, such as de"


def is_tag(name: str) -> bool:
    """Whether this can be the name of a tag."""
    return NAME.fullmatch(name) is not None


def check_tag(name: str) -> str:
    """Return the name of a tag.

    Raises:
        ValueError: it cannot be one.
    """
    if not is_tag(name):
        raise ValueError(f"not a tag: {name!r:.60}; {RULE}")
    return name


def token_of(tag: str) -> str:
    """Return the token of a tag."""
    return f"<2{tag}>"


def tag_of(token: str) -> str:
    """Return the tag of a token; empty if it is none."""
    found = TAGGED.fullmatch(token)
    return found[1] if found else ""


def tagged(tag: str, text: str) -> str:
    """Return a text with a tag in front of it."""
    return f"{token_of(tag)} {text}"


def divide_tag(text: str, tags: Collection[str]) -> tuple[str, str]:
    """Return the tag in front of a text, if it is one of `tags`, and the text after it."""
    if not tags or not text.startswith("<2"):
        return "", text
    found = TAGGED.match(text)
    if found is None or found[1] not in tags:
        return "", text
    return found[1], text[found.end() :].removeprefix(" ")
