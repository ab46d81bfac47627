"""What a request demands of outputs and forbids in them, in text, and as token ids of a model."""

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2scli.data.cleaning import is_blank, tidy
from s2scli.data.codecs.copying import CopyingSource
from s2scli.data.codecs.text import TextCodec
from s2scli.errors import CorpusError, UsageError
from s2scli.search.banned import BannedWords, Copies
from s2scli.search.rules import Demand, Phrase, Rules
from s2scli.search.spelling import Spelling, begins_word
from s2scli.settings import Tree
from s2scli.special_ids import UNK_ID
from s2scli.translation.glossary import NO_TERMS, Glossary, holds
from s2scli.translation.lines import Part, Plan
from s2scli.translation.protecting import Protected, protect


@dataclass(frozen=True)
class Constraints:
    """What outputs must contain, and what they must not.

    Attributes:
        prefix: whether each line is a source, a TAB and the beginning of its output.
        glossary: terms of the source with the terms that outputs must contain.
        protect: whether numbers, URLs, e-mail addresses and tags must come out unchanged.
        banned: words that no output contains.
    """

    prefix: bool = False
    glossary: Glossary = NO_TERMS
    protect: bool = False
    banned: tuple[str, ...] = ()

    @property
    def flags(self) -> list[str]:
        """The flags of what is demanded or forbidden."""
        given = {
            "--prefix": self.prefix,
            "--glossary": bool(self.glossary.terms),
            "--protect": self.protect,
            "--ban": bool(self.banned),
        }
        return [flag for flag, is_given in given.items() if is_given]

    def tree(self) -> Tree:
        """Return what the outputs depend on; empty if nothing is demanded or forbidden."""
        if not self.flags:
            return {}
        words = [sorted(self.glossary.terms.items()), sorted(self.banned)]
        return {"constraints": [*self.flags, digest_of(words)]}


def digest_of(words: Sequence[object]) -> str:
    """Return the SHA-256 digest of some words."""
    return hashlib.sha256(repr(words).encode(errors="replace")).hexdigest()


@dataclass(frozen=True)
class Asked:
    """One line, read.

    Attributes:
        source: the source.
        prefix: the beginning of the output; empty if none is given.
        protected: the source as the model reads it.
        fault: why the line cannot be translated; empty if it can.
    """

    source: str
    prefix: str
    protected: Protected
    fault: str = ""


@dataclass(frozen=True)
class Speller:
    """Says how a model writes what is demanded.

    Attributes:
        source: the codec of the source.
        target: the codec of the target.
        constraints: what is demanded.
    """

    source: TextCodec
    target: TextCodec
    constraints: Constraints

    @functools.cached_property
    def spelling(self) -> Spelling:
        """What each token of the target writes."""
        return Spelling(self.target.tokenizer.spellings)

    @functools.cached_property
    def _banned(self) -> BannedWords | None:
        words = [self._normal(word).encode() for word in self.constraints.banned]
        return BannedWords(tuple(dict.fromkeys(words)), self.spelling) if words else None

    def check(self) -> None:
        """Check that the model can write all target terms of the glossary.

        Raises:
            CorpusError: it cannot, or a target term holds a banned word.
        """
        glossary = self.constraints.glossary
        for source, term in glossary.terms.items():
            where = f"{glossary.name}, line {glossary.lines[source]}"
            if not self._phrase(term):
                raise CorpusError(
                    f"{where}: the model cannot write {term!r}: the tokenizer of the target does "
                    "not know all of its characters or words; leave the term out"
                )
            text = self._normal(term)
            holds = (word for word in self.constraints.banned if self._holds(text, word))
            banned = next(holds, None)
            if banned is not None:
                raise CorpusError(f"{where}: {term!r} holds the banned word {banned!r}")

    def _holds(self, text: str, word: str) -> bool:
        """Whether a text has a word that is not part of a longer one."""
        return holds(text, self._normal(word))

    def read(self, text: str) -> Asked:
        """Read a line: divide source and prefix, and protect the source."""
        source, prefix = text, ""
        if self.constraints.prefix:
            source, tab, prefix = text.partition("\t")
            if not tab and not is_blank(source):
                fault = "no TAB, expected source TAB prefix"
                return Asked(source, "", Protected(source), fault)
        if not self.constraints.protect:
            return Asked(source, prefix, Protected(source))
        protected = protect(source, self._writes, self._stands_in, self._words)
        if protected is None:
            fault = "texts to protect, and no word that the model knows to stand in for one"
            return Asked(source, prefix, Protected(source), fault)
        for each in protected.stand_ins:
            prefix = prefix.replace(each.original, each.word)
        return Asked(source, prefix, protected)

    def demanded(self, plan: Plan, asked: Asked) -> Plan:
        """Return the plan of a line with the demands on the output of each part.

        The prefix is for the first part.
        """
        if asked.fault and not plan.fault:
            return replace(plan, fault=asked.fault, parts=())
        prefix = self._prefix(asked.prefix)
        if prefix is None:
            return replace(plan, parts=(), fault="the model cannot write the prefix")
        return replace(
            plan,
            source=asked.source,
            protected=asked.protected if asked.protected.stand_ins else None,
            parts=tuple(
                self._demanded(part, asked.protected, () if number else prefix)
                for number, part in enumerate(plan.parts)
            ),
        )

    def rules(self, parts: Sequence[Part]) -> Rules:
        """Return the rules for the outputs of some parts."""
        demands, banned = [part.demand for part in parts], self._banned
        copies: Sequence[Copies] = ()
        if banned and isinstance(self.source, CopyingSource):
            copies = [banned.copies(_copied(self.source, part)) for part in parts]
        return Rules(demands, banned, self.spelling, copies)

    def _demanded(self, part: Part, protected: Protected, prefix: tuple[int, ...]) -> Part:
        own = protected.within(part.text) if self.constraints.protect else Protected(part.text)
        wanted = self.constraints.glossary.find(part.text) + Counter(own.numbers)
        phrases = [Phrase(self._phrase(text), times) for text, times in wanted.items()]
        phrases += [Phrase(self._phrase(each.word), exact=True) for each in own.stand_ins]
        return replace(part, demand=Demand(prefix, tuple(phrases)))

    def _prefix(self, text: str) -> tuple[int, ...] | None:
        """Return the tokens of a prefix; None if the model cannot write it."""
        if not text.strip():
            return ()
        ids = tuple(self.target.encode(text).tolist())
        return None if UNK_ID in ids else ids

    def _phrase(self, text: str) -> tuple[tuple[int, ...], ...]:
        """Return the ways to write a text, the one that can follow any output first."""
        normal = self._normal(text)
        spell = self.target.tokenizer.spell
        ways = [spell(normal, spaced=True), spell(normal, spaced=False)]
        if ways[0] is None and begins_word(normal.encode()):
            return ()  # it could not follow a word
        if ways[1] is not None and not begins_word(normal.encode()):
            ways.reverse()
        return tuple(tuple(way) for way in ways if way is not None)

    def _normal(self, text: str) -> str:
        tokenizer = self.target.tokenizer
        return tokenizer.canonical(tidy(text, tokenizer.normalization))

    def _writes(self, text: str) -> bool:
        return self._normal(text) == text and bool(self._phrase(text))

    @functools.cached_property
    def _words(self) -> list[str]:
        """The words of the target's vocabulary, rare ones first, if each token is a word."""
        if self.target.tokenizer.kind != "word":
            return []
        texts = (text.decode(errors="replace").strip() for text in self.spelling.texts)
        return [text for text in reversed([*texts]) if text.isalpha()]

    def _stands_in(self, word: str) -> bool:
        known = UNK_ID not in self.source.encode(word) and self._writes(word)
        return known and word not in self.constraints.glossary.terms


def speller_of(source: object, target: object, constraints: Constraints) -> Speller | None:
    """Return how a model writes what is demanded; None if nothing is.

    Args:
        source: the codec of the source.
        target: the codec of the target.
        constraints: what is demanded.

    Raises:
        UsageError: a side of the model is not text, or the model writes from right to left.
    """
    if not constraints.flags:
        return None
    if not isinstance(source, TextCodec) or not isinstance(target, TextCodec):
        raise UsageError(f"{constraints.flags[0]} is for models from text to text; leave it out")
    if target.tokenizer.reverse:
        raise UsageError(
            f"{constraints.flags[0]} needs a model that writes from left to right; leave it out"
        )
    return Speller(source, target, constraints)


def _copied(source: CopyingSource, part: Part) -> dict[int, bytes]:
    """Return the text of each token that can be copied from a source.

    Those that the target vocabulary has are written like any other token.
    """
    texts, known = source.surfaces(part.text), source.copier.target.vocab_size
    ids = source.copier.copies(part.values)[: len(texts)].tolist()
    pairs = zip(ids, texts, strict=True)
    return {id: text.encode() for id, text in pairs if id >= known}
