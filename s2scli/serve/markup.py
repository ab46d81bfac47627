"""HTML whose texts are translated; tags, comments, scripts and white space stay as they are."""

import html
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TAG = re.compile(
    r"""<!--.*?(?:-->|\Z)|<[!?][^>]*+(?:>|\Z)"""
    r"""|<(?P<close>/?)(?P<name>[A-Za-z][^\s<>/"']*+)(?P<rest>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>""",
    re.DOTALL,
)
NOT_TRANSLATED = re.compile(
    r"""(?<![\w-])translate\s*=\s*["']?no\b"""
    r"""|(?<![\w-])class\s*=\s*(?:"[^"]*|'[^']*|)(?<![\w-])notranslate(?![\w-])""",
    re.IGNORECASE,
)
NO_LANGUAGE_NAMES = "script style code pre kbd samp var textarea svg math"
VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
NO_LANGUAGE, VOID = frozenset(NO_LANGUAGE_NAMES.split()), frozenset(VOID_NAMES.split())
# elements whose text has no tags and comments, and what ends each
RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea")
}
SPACE = re.compile(r"\s+")
CHARACTER = re.compile(r"&#?\w+;|.", re.DOTALL)


@dataclass(frozen=True)
class Markup:
    """HTML in pieces.

    Attributes:
        pieces: the HTML, in order.
        places: the indices of the pieces that are texts to translate.
        refused: for each piece, whether it is an element that is not translated, or inside one.
    """

    pieces: tuple[str, ...]
    places: tuple[int, ...]
    refused: tuple[bool, ...]

    @property
    def texts(self) -> list[str]:
        """The texts to translate, without entities and without white space around them."""
        return [SPACE.sub(" ", html.unescape(self.pieces[place])).strip() for place in self.places]

    def with_texts(self, texts: Sequence[str]) -> str:
        """Return the HTML with other texts, which are escaped, in the places of its own."""
        pieces = list(self.pieces)
        for place, text in zip(self.places, texts, strict=True):
            pieces[place] = self.written(place, text)
        return "".join(pieces)

    def written(self, place: int, text: str) -> str:
        """Return a text as HTML, with the white space around the one in its place."""
        before, after = leading_space(self.pieces[place]), trailing_space(self.pieces[place])
        return f"{before}{html.escape(text, quote=False)}{after}"


def leading_space(raw: str) -> str:
    """Return the white space before a text of HTML; entities such as `&nbsp;` are some, too."""
    return "".join(itertools.takewhile(is_blank, CHARACTER.findall(raw)))


def trailing_space(raw: str) -> str:
    """Return the white space after a text of HTML; entities such as `&nbsp;` are some, too."""
    backwards = itertools.takewhile(is_blank, reversed(CHARACTER.findall(raw)))
    return "".join(reversed([*backwards]))


def is_blank(raw: str) -> bool:
    """Whether a text of HTML is only white space."""
    return not html.unescape(raw).strip()


def read_markup(text: str) -> Markup:
    """Divide HTML into the texts between tags, and the rest.

    A text without a letter or a digit is not to be translated, nor are those of elements that hold
    no language, such as `code`, and of elements with `translate="no"` or the class `notranslate`.
    Nothing is repaired: what is no tag is text.
    """
    pieces = [*_pieces(text)]
    places = [index for index, (_, says, refused) in enumerate(pieces) if says and not refused]
    texts = tuple(text for text, _, _ in pieces)
    return Markup(texts, tuple(places), tuple(refused for _, _, refused in pieces))


def _pieces(text: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield the pieces of HTML: each with whether it is a text that says something, and `refused`.

    See `Markup.refused`.
    """
    end = 0
    opened: list[tuple[str, bool]] = []  # the open elements, and whether each is not translated
    while tag := TAG.search(text, end):
        yield from _text(text[end : tag.start()], opened)
        before = _refused(opened)
        if tag["name"]:
            _enter(tag, opened)
        yield tag.group(), False, before or _refused(opened)
        end = tag.end()
        if opened and (closing := RAW.get(opened[-1][0])):
            found = closing.search(text, end)
            begin, end = end, found.start() if found else len(text)
            yield from _text(text[begin:end], opened)
    yield from _text(text[end:], opened)


def _text(raw: str, opened: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool, bool]]:
    if raw:
        says = any(character.isalnum() for character in html.unescape(raw))
        yield raw, says, _refused(opened)


def _refused(opened: Sequence[tuple[str, bool]]) -> bool:
    """Whether the innermost open element is not translated."""
    return bool(opened and opened[-1][1])


def _enter(tag: re.Match[str], opened: list[tuple[str, bool]]) -> None:
    """Note that a tag opens or closes an element."""
    name = tag["name"].lower()
    if tag["close"]:
        names = [each for each, _ in opened]
        if name in names:
            del opened[len(names) - 1 - names[::-1].index(name) :]
    elif name not in VOID and not tag["rest"].endswith("/"):
        refused = name in NO_LANGUAGE or bool(NOT_TRANSLATED.search(tag["rest"]))
        opened.append((name, refused or _refused(opened)))
