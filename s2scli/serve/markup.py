"""HTML whose texts are translated; tags, comments, scripts and white space stay as they are."""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from s2scli.translation.lines import divide_space

TAG = re.compile(
    r"""<!--.*?(?:-->|\Z)|<[!?][^>]*+>"""
    r"""|<(?P<close>/?)(?P<name>[A-Za-z][^\s<>/"']*+)(?P<rest>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>""",
    re.DOTALL,
)
NOT_TRANSLATED = re.compile(r"""\btranslate\s*=\s*["']?no\b""", re.IGNORECASE)
NO_LANGUAGE_NAMES = "script style code pre kbd samp var textarea svg math"
VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
NO_LANGUAGE, VOID = frozenset(NO_LANGUAGE_NAMES.split()), frozenset(VOID_NAMES.split())
SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Markup:
    """HTML in pieces.

    Attributes:
        pieces: the HTML, in order.
        places: the indices of the pieces that are texts to translate.
    """

    pieces: tuple[str, ...]
    places: tuple[int, ...]

    @property
    def texts(self) -> list[str]:
        """The texts to translate, without entities and without white space around them."""
        return [SPACE.sub(" ", html.unescape(self.pieces[place])).strip() for place in self.places]

    def with_texts(self, texts: Sequence[str]) -> str:
        """Return the HTML with other texts, which are escaped, in the places of its own."""
        pieces = list(self.pieces)
        for place, text in zip(self.places, texts, strict=True):
            before, _, after = divide_space(pieces[place])
            pieces[place] = f"{before}{html.escape(text, quote=False)}{after}"
        return "".join(pieces)


def read_markup(text: str) -> Markup:
    """Divide HTML into the texts between tags, and the rest.

    A text without a letter or a digit is not to be translated, nor are those of elements that hold
    no language, such as `code`, and of elements with `translate="no"`. Nothing is repaired: what
    is no tag is text.
    """
    pieces = [*_pieces(text)]
    places = [index for index, (_, translate) in enumerate(pieces) if translate]
    return Markup(tuple(piece for piece, _ in pieces), tuple(places))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of HTML, each with whether it is to be translated."""
    end = 0
    opened: list[tuple[str, bool]] = []  # the open elements, and whether each is not translated
    for tag in TAG.finditer(text):
        yield from _text(text[end : tag.start()], opened)
        yield tag.group(), False
        end = tag.end()
        if tag["name"]:
            _enter(tag, opened)
    yield from _text(text[end:], opened)


def _text(raw: str, opened: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    if raw:
        says = any(character.isalnum() for character in html.unescape(raw))
        yield raw, says and not (opened and opened[-1][1])


def _enter(tag: re.Match[str], opened: list[tuple[str, bool]]) -> None:
    """Note that a tag opens or closes an element."""
    name = tag["name"].lower()
    if tag["close"]:
        names = [each for each, _ in opened]
        if name in names:
            del opened[len(names) - 1 - names[::-1].index(name) :]
    elif name not in VOID and not tag["rest"].endswith("/"):
        refused = name in NO_LANGUAGE or bool(NOT_TRANSLATED.search(tag["rest"]))
        opened.append((name, refused or bool(opened and opened[-1][1])))
