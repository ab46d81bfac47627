"""Blocks of HTML, such as paragraphs, that are translated as a whole with their inline tags.

A model reads the text of a block without its tags. Then each element goes around the words that the
words of its source are aligned to. So the text is what the model writes for the text alone, and
elements are nested as they were. A block whose tags cannot be placed is lost: its texts are then
translated one by one, each between its own tags.
"""

import html
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from s2scli.scripts import is_unspaced
from s2scli.serve.markup import SPACE, TAG, VOID, Markup, is_blank, leading_space, trailing_space

INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite data del dfn em font i img ins label mark q s small span "
    "strike strong sub sup time tt u wbr"
)
INLINE = frozenset(INLINE_NAMES.split())
MOST_TAGS, MOST_CHARACTERS = 100, 5000  # in a block: longer ones would take long to place

Links = Collection[tuple[int, int]]  # indices of a source word and of a target word


@dataclass(frozen=True)
class Word:
    """A word of a text, between spaces; `core` is its part without punctuation around it.

    Attributes:
        start: where it begins in the text.
        end: where it ends.
        core: where its first letter or digit is, and where the last one ends; None without one.
    """

    start: int
    end: int
    core: tuple[int, int] | None


@dataclass
class Element:
    """An element of a block, or a tag or comment that has no content.

    Attributes:
        opening: its tag.
        start: where it begins in the text of the block.
        closing: its other tag; empty if it has none.
        end: where it ends.
        children: the elements in it.
    """

    opening: str
    start: int
    closing: str = ""
    end: int = 0
    children: list["Element"] = field(default_factory=list)


@dataclass(frozen=True)
class Placed:
    """An element in a target text: where it begins and ends."""

    element: Element
    start: int
    end: int
    children: tuple["Placed", ...] = ()


class LostError(Exception):
    """A tag has no place in a translation."""


@dataclass(frozen=True)
class Block:
    """A run of texts and inline tags.

    Attributes:
        first: the index of its first piece in the markup.
        last: the index of its last piece.
        text: its text, without tags and entities, with single spaces.
        around: the white space before and after the text.
        elements: its outermost elements.
    """

    first: int
    last: int
    text: str
    around: tuple[str, str]
    elements: tuple[Element, ...]

    def carry(self, written: "Written") -> str | None:
        """Return the HTML of a translation with all tags; None if one of them has no place."""
        target = written.text
        if written.links is None or is_unspaced(self.text) or is_unspaced(target):
            return None
        try:
            carrier = _Carrier(words_of(self.text), words_of(target), written.links)
            placed = carrier.place(self.elements, (0, len(self.text)), (0, len(target)))
        except LostError:
            return None
        before, after = self.around
        return f"{before}{''.join(_write(target, placed, 0, len(target)))}{after}"


@dataclass(frozen=True)
class Written:
    """A translation of a line, and the pairs of aligned words; None without alignment."""

    text: str
    links: Links | None = None


@dataclass(frozen=True)
class Html:
    """HTML in lines to translate: those of its blocks, and the texts that are in none.

    Attributes:
        markup: the HTML.
        blocks: the blocks.
    """

    markup: Markup
    blocks: tuple[Block, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What to translate, in order."""
        texts = dict(zip(self.markup.places, self.markup.texts, strict=True))
        return [part.text if isinstance(part, Block) else texts[part] for part in self._parts]

    def join(self, written: Sequence[Written]) -> str:
        """Return the HTML with translations of its lines, whose blocks must not be lost."""
        pieces = list(self.markup.pieces)
        for part, one in zip(self._parts, written, strict=True):
            if isinstance(part, Block):
                carried = part.carry(one)
                assert carried is not None, "keep_carried leaves lost blocks out"
                pieces[part.first : part.last + 1] = [carried, *[""] * (part.last - part.first)]
            else:
                pieces[part] = self.markup.written(part, one.text)
        return "".join(pieces)

    def keep_carried(self, written: Mapping[str, Sequence[Written]]) -> "Html":
        """Return the HTML without the blocks that are lost in one of the translations of its line.

        Args:
            written: the translations of each line.
        """
        blocks = []
        for block in self.blocks:
            carried = [block.carry(one) for one in written[block.text]]
            if carried and None not in carried:
                blocks.append(block)
        return replace(self, blocks=tuple(blocks))

    @property
    def aligns(self) -> bool:
        """Whether the alignment of a translation is needed."""
        return bool(self.blocks)

    @property
    def _parts(self) -> list[Block | int]:
        """The blocks, and the indices of the texts that are in none, in order."""
        inside = {index for block in self.blocks for index in range(block.first, block.last + 1)}
        parts: dict[int, Block | int] = {block.first: block for block in self.blocks}
        parts |= {place: place for place in self.markup.places if place not in inside}
        return [parts[index] for index in sorted(parts)]


def find_blocks(markup: Markup) -> tuple[Block, ...]:
    """Return the blocks of HTML that have inline tags between or around their texts."""
    runs: list[list[int]] = [[]]
    for index, piece in enumerate(markup.pieces):
        if _divides(piece) or markup.refused[index]:
            runs.append([])
        else:
            runs[-1].append(index)
    places = set(markup.places)
    found = (_block(markup, run) for run in runs if places.intersection(run))
    return tuple(block for block in found if block)


def words_of(text: str) -> list[Word]:
    """Return the words of a text."""
    found, end = [], 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        letters = [start + at for at, letter in enumerate(word) if letter.isalnum()]
        found.append(Word(start, end, (letters[0], letters[-1] + 1) if letters else None))
    return found


def _divides(piece: str) -> bool:
    """Whether a piece is the tag of another than an inline element."""
    tag = TAG.fullmatch(piece)
    return bool(tag and tag["name"] and tag["name"].lower() not in INLINE)


def _block(markup: Markup, run: Sequence[int]) -> Block | None:
    """Return the block of a run of pieces; None if its tags are not balanced, or if it has none.

    Tags of elements that end or begin outside stay where they are, before or after the block, and
    so do tags and comments without content at its ends.
    """
    pieces = [markup.pieces[index] for index in run]
    tags = {at for at, piece in enumerate(pieces) if TAG.fullmatch(piece)}
    paired = _pairs(pieces) if len(tags) <= MOST_TAGS else None
    if paired is None or sum(map(len, pieces)) > MOST_CHARACTERS:
        return None
    texts = [at for at, piece in enumerate(pieces) if at not in tags and not is_blank(piece)]
    alone = tags - paired.keys()
    first = max([at + 1 for at in alone if at < texts[0]], default=0)
    last = min([at - 1 for at in alone if at > texts[-1]], default=len(run) - 1)
    if any(first <= at <= last for at in alone) or any(
        not first <= other <= last for at, other in paired.items() if first <= at <= last
    ):
        return None
    while paired.get(first) == first or (first not in tags and first < texts[0]):
        first += 1
    while paired.get(last) == last or (last not in tags and last > texts[-1]):
        last -= 1
    reader = _Reader()
    for at in range(first, last + 1):
        other = paired.get(at)
        reader.read(pieces[at], None if other is None else other > at, is_empty=other == at)
    if not reader.outermost:
        return None
    before = [leading_space(pieces[at]) for at in range(first, texts[0] + 1) if at not in tags]
    after = [trailing_space(pieces[at]) for at in range(texts[-1], last + 1) if at not in tags]
    around = "".join(before), "".join(after)
    text = reader.text.rstrip()
    return Block(run[first], run[last], text, around, tuple(reader.outermost))


def _pairs(pieces: Sequence[str]) -> dict[int, int] | None:
    """Return the index of the other tag of each tag; None if elements overlap.

    A tag without content is its own other one. A tag whose other one is not here is left out.
    """
    found: dict[int, int] = {}
    opened: list[tuple[str, int]] = []
    for at, piece in enumerate(pieces):
        tag = TAG.fullmatch(piece)
        if not tag:
            continue
        name = (tag["name"] or "").lower()
        if not name or name in VOID or tag["rest"].endswith("/"):
            found[at] = at
        elif not tag["close"]:
            opened.append((name, at))
        elif opened and opened[-1][0] == name:
            _, other = opened.pop()
            found |= {at: other, other: at}
        elif name in [each for each, _ in opened]:
            return None
    return found


class _Reader:
    """Reads the text and the elements of a block.

    Attributes:
        text: the text so far.
        outermost: the elements that are in no other.
    """

    def __init__(self) -> None:
        self.text = ""
        self.outermost: list[Element] = []
        self._opened: list[Element] = []

    def read(self, piece: str, opens: bool | None, *, is_empty: bool) -> None:
        """Read a piece: a text (`opens` is None), or a tag that opens or closes an element."""
        if opens is None:
            more = SPACE.sub(" ", html.unescape(piece))
            self.text += more.lstrip() if not self.text or self.text.endswith(" ") else more
        elif opens or is_empty:
            element = Element(piece, len(self.text), end=len(self.text))
            (self._opened[-1].children if self._opened else self.outermost).append(element)
            self._opened += [element] * (not is_empty)
        else:
            element = self._opened.pop()
            element.closing, element.end = piece, len(self.text)


@dataclass(frozen=True)
class _Carrier:
    """Finds where elements go.

    Attributes:
        source: the words of the source.
        target: the words of the target.
        links: which words are aligned.
    """

    source: Sequence[Word]
    target: Sequence[Word]
    links: Links

    def place(
        self, elements: Sequence[Element], within: tuple[int, int], limits: tuple[int, int]
    ) -> tuple[Placed, ...]:
        """Return where elements go.

        Args:
            elements: elements with the same parent.
            within: the range of their parent in the source.
            limits: the range of their parent in the target.

        Raises:
            LostError: an element has no place.
        """
        return tuple(
            self._element(one, within, limits)
            if any(_overlap(word, one.start, one.end) for word in self.source)
            else self._point(one, within, limits)
            for one in elements
        )

    def _element(
        self, element: Element, within: tuple[int, int], limits: tuple[int, int]
    ) -> Placed:
        """Place an element around the words that its words are aligned to."""
        words = self._covered(element.start, element.end)
        if not words:
            raise LostError
        if words == self._covered(*within):
            run, (start, end) = self._inside(limits), limits
            near = self.source
        else:
            run = self._run(words, limits)
            start, end = self.target[run[0]].start, self.target[run[-1]].end
            near = [self.source[words[0]], self.source[words[-1]]]
        ends = [core for index in run if (core := self.target[index].core)]
        if ends and any(_overlap(word, within[0], element.start) for word in near):
            start = ends[0][0]  # punctuation before it is outside
        if ends and any(_overlap(word, element.end, within[1]) for word in near):
            end = ends[-1][1]
        start, end = max(start, limits[0]), min(end, limits[1])
        inner = self.place(element.children, (element.start, element.end), (start, end))
        return Placed(element, start, end, inner)

    def _covered(self, start: int, end: int) -> list[int]:
        """Return the indices of the words of the source in a range.

        Raises:
            LostError: a word is only partly in it.
        """
        found = []
        for index, word in enumerate(self.source):
            if word.core is None or word.core[1] <= start or end <= word.core[0]:
                continue
            if word.core[0] < start or end < word.core[1]:
                raise LostError
            found.append(index)
        return found

    def _run(self, words: Collection[int], limits: tuple[int, int]) -> list[int]:
        """Return the longest run of words in a range of the target that are aligned to some words.

        A run may have words in it that are aligned to nothing.

        Raises:
            LostError: there is none.
        """
        others = {target for source, target in self.links if source not in words}
        own = {target for source, target in self.links if source in words} - others
        runs: list[list[int]] = [[]]
        for index in self._inside(limits):
            if index in own:
                runs[-1].append(index)
            elif index in others:
                runs.append([])
        best = max(runs, key=len)
        if not best:
            raise LostError
        return best

    def _inside(self, limits: tuple[int, int]) -> list[int]:
        """Return the indices of the words of the target in a range, without punctuation alone."""
        return [
            index
            for index, word in enumerate(self.target)
            if word.core and word.core[0] < limits[1] and limits[0] < word.core[1]
        ]

    def _point(self, element: Element, within: tuple[int, int], limits: tuple[int, int]) -> Placed:
        """Place an element without a text before the word that follows it, or after the last."""
        inside = self._covered(*within)
        after = [index for index in inside if self.source[index].end > element.start]
        before = [index for index in inside if self.source[index].end <= element.start]
        if element.start == within[0] or not before:
            at = limits[0]
        elif not after:
            at = limits[1]
        else:
            at = self.target[self._run([after[0]], limits)[0]].start
        at = min(max(at, limits[0]), limits[1])
        return Placed(element, at, at, self.place(element.children, (0, 0), (at, at)))


def _write(target: str, placed: Sequence[Placed], start: int, end: int) -> Iterator[str]:
    """Yield the HTML of a part of a target with its elements, in the order of the target."""
    for one in sorted(placed, key=lambda one: (one.start, one.end)):
        first = max(start, one.start)  # one without content may stand in another: it comes after it
        yield html.escape(target[start:first], quote=False)
        start = max(first, one.end)
        yield one.element.opening
        yield from _write(target, one.children, first, start)
        yield one.element.closing
    yield html.escape(target[start:end], quote=False)


def _overlap(word: Word, start: int, end: int) -> bool:
    """Whether a part of a word is in a range."""
    return word.start < end and start < word.end
