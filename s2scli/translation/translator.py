"""Translate lines of text with an engine and a codec for each side (imports no torch)."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from s2scli.data.codecs import SourceCodec, TargetCodec, source_codec, target_codec
from s2scli.data.codecs.cell import Stored, beside
from s2scli.data.codecs.text import TextCodec
from s2scli.data.example import Values
from s2scli.data.sentences import Splitter
from s2scli.data.stream import Line
from s2scli.errors import S2SError, UsageError
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.sides import TEXT, Picture, Sides, Sound
from s2scli.special_ids import UNK_ID
from s2scli.tags import divide_tag
from s2scli.tokenizer.copying import Copier
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.constraints import Constraints, Speller, speller_of
from s2scli.translation.copied import with_copies
from s2scli.translation.cues import Cue, time_words
from s2scli.translation.engine import Engine
from s2scli.translation.lines import Part, Plan, fault_of, isolate, make_record, plan_line, put_tag
from s2scli.translation.options import Options
from s2scli.translation.pairs import EncodedPair, Pair, encode_pair, failed, scored
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation
from s2scli.translation.risk import least_risk
from s2scli.translation.unknown import replacements

Item = TypeVar("Item")

SHOWN = 50  # tags in a message
WINDOW_BYTES = 1 << 28  # of sources in memory: over two hours of sound at 16 kHz
NO_PARTS = "too long: a picture is drawn from one part, of at most"


@dataclass(frozen=True)
class Translator:
    """An engine, with a codec for each side that converts text to token ids and back.

    Several threads may translate with one translator at once.

    Attributes:
        engine: searches over token ids.
        source: the codec of the source.
        target: the codec of the target.
        sides: what the model reads and writes: text, sound or pictures.
        identity: identifies the models and their weights: the digests of their folders.
        copier: for a model that copies: which tokens can be copied.
    """

    engine: Engine
    source: SourceCodec
    target: TargetCodec
    sides: Sides = TEXT
    identity: tuple[str, ...] = ()
    copier: Copier | None = None

    @classmethod
    def of(
        cls,
        engine: Engine,
        tokenizers: Tokenizers,
        identity: Sequence[str] = (),
        copier: Copier | None = None,
    ) -> "Translator":
        """Return a translator with the codecs of a model's two sides.

        Args:
            engine: searches over token ids.
            tokenizers: the tokenizers of both sides.
            identity: identifies the models and their weights.
            copier: for a model that copies: which tokens can be copied.
        """
        source = source_codec(tokenizers.source, copier)
        target = target_codec(tokenizers.target, copier)
        return cls(engine, source, target, tokenizers.sides, tuple(identity), copier)

    @property
    def has_attention(self) -> bool:
        """Whether the engine returns attention weights."""
        return self.engine.attention_shape is not None

    @property
    def reads_end(self) -> bool:
        """Whether the model reads an end token after a text."""
        return isinstance(self.source, TextCodec) and self.source.tokenizer.ends

    @property
    def tags(self) -> Collection[str]:
        """The tags that a source can have in front of it; none for sound and pictures."""
        return self.source.tags

    def require_tag(self, tag: str) -> None:
        """Check that the model knows a tag.

        Args:
            tag: the tag; an empty one is no tag, which every model knows.

        Raises:
            UsageError: the model does not know it.
        """
        if tag and tag not in self.tags:
            known = ", ".join(sorted(self.tags)[:SHOWN]) or "none"
            raise UsageError(f"--tag {tag:.60}: unknown to the model; its tags: {known}")

    def settings(self, overrides: Tree, where: str = "command line") -> SearchSettings:
        """Return the model's own search settings with overrides.

        Args:
            overrides: settings by name.
            where: the origin of the overrides, for error messages.

        Raises:
            ConfigError: a setting is unknown or has a wrong value.
        """
        own = self.engine.settings.model_dump()
        return load_settings(SearchSettings, {**own, **overrides}, where)

    def speller(self, constraints: Constraints) -> Speller | None:
        """Return how the model writes what is demanded of outputs; None if nothing is.

        Raises:
            UsageError: a side of the model is not text, or the model writes from right to left.
            CorpusError: the model cannot write a term of the glossary.
        """
        speller = speller_of(self.source, self.target, constraints)
        if speller is not None:
            speller.check()
        return speller

    def translate(self, lines: Iterable[Line], options: Options | None = None) -> Iterator[Record]:
        """Yield one record for each line, in order.

        A blank line gives an empty record without calling the model. `options.overlong`
        says what happens to a line that is too long; by default it is split at sentence ends, and
        the translations are joined. `options.unit` says whether a line is translated as a whole or
        sentence by sentence. A line that makes the model fail gives a failed record and does
        not affect the others.

        Args:
            lines: the sources; they are read and translated one window at a time, and a window
                ends early when its recordings or pictures fill much memory.
            options: how to translate; None uses the model's own search settings.

        Raises:
            CorpusError: a line is too long and `options.overlong` is `error`; the lines before it
                are yielded first.
            MissingExtraError: `options.language` is given, and sentencex is not installed.
        """
        chosen = options or Options(self.engine.settings)
        plan = functools.partial(self._plan, options=chosen, split=chosen.splitter)
        answer = functools.partial(self._answered, options=chosen)
        for records in map(answer, _windows(map(plan, lines), chosen.window, _plan_bytes)):
            yield from records

    def score(self, pairs: Iterable[Pair], options: Options | None = None) -> Iterator[Record]:
        """Yield one record for each pair, in order, with the scores of the target's tokens.

        A pair with a blank source gives an empty record. A pair that is too long, or that makes the
        model fail, gives a failed record; it is never split.

        Args:
            pairs: sources with given targets.
            options: only `wanted`, `window`, `tag` and the length penalty in `settings` are used;
                None uses the model's own settings.
        """
        chosen = options or Options(self.engine.settings)
        encode = functools.partial(self._encode, tag=chosen.tag)
        answer = functools.partial(self._scored, options=chosen)
        for records in map(answer, _windows(map(encode, pairs), chosen.window, _pair_bytes)):
            yield from records

    def text_of(
        self, found: Hypothesis, source_length: int, source: Sequence[str] = ()
    ) -> TargetText:
        """Return a hypothesis as text.

        Args:
            found: the hypothesis.
            source_length: encoder states of the source; attention beyond them is to padding.
            source: the pieces of the source, for a model that copies.
        """
        text, read = self.target.decode(found.token_ids, source), self._as_read(found)
        weights = read.attention_weights
        return TargetText(
            text,
            read.score,
            self.target.pieces(read.token_ids, source),
            read.token_scores,
            () if weights is None else (weights[..., :source_length],),
            read.first_choices,
            read.token_ids.count(UNK_ID),
            read.p_copy,
        )

    def _as_read(self, found: Hypothesis) -> Hypothesis:
        """Return a hypothesis with its tokens in reading order; the end token stays the last."""
        if not self.target.reverse:
            return found
        order = [*reversed(range(len(found.token_ids) - 1)), len(found.token_ids) - 1]
        weights = found.attention_weights
        return replace(
            found,
            token_ids=tuple(found.token_ids[index] for index in order),
            token_scores=_ordered(found.token_scores, order),
            attention_weights=None if weights is None else weights[order],
            first_choices=_ordered(found.first_choices, order),
            p_copy=_ordered(found.p_copy, order),
        )

    def _answered(self, plans: Sequence[Plan], options: Options) -> Iterator[Record]:
        """Translate a window of lines."""
        work = functools.partial(self._search, options=options)
        found = iter(isolate([part for plan in plans for part in plan.parts], work))
        for plan in plans:
            yield make_record(plan, [next(found) for _ in plan.parts], options.settings)

    def _scored(self, pairs: Sequence[EncodedPair | Record], options: Options) -> Iterator[Record]:
        """Score a window of pairs; those that could not be encoded are records already."""
        work = functools.partial(self._force, options=options)
        found = iter(isolate([one for one in pairs if isinstance(one, EncodedPair)], work))
        for one in pairs:
            yield scored(one, next(found)) if isinstance(one, EncodedPair) else one

    def _plan(self, line: Line, options: Options, split: Splitter | None) -> Plan:
        if line.fault:
            return Plan(line, line.text, fault=line.fault)
        overlong, speller = options.overlong, options.speller
        text = line.text if self.sides.source is None else beside(line.text, line.folder)
        tag, text = (options.tag, text) if options.tag else divide_tag(text, self.tags)
        draws = isinstance(self.sides.target, Picture)
        most = self.engine.max_source_tokens - bool(tag)
        try:
            if speller is None:
                plan = plan_line(
                    line, self.source, most, overlong, split, text, at_pauses=not draws
                )
            else:
                asked = speller.read(text)
                text = asked.protected.text
                plan = plan_line(line, self.source, most, overlong, split, text)
                plan = speller.demanded(plan, asked)
            if draws and len(plan.parts) > 1:
                return replace(plan, parts=(), fault=f"{NO_PARTS} {most} tokens")
            return put_tag(plan, tag, self.source) if tag else plan
        except S2SError:
            raise
        except Exception as error:  # noqa: BLE001 - a text that its codec cannot encode
            return Plan(line, line.text, fault=fault_of(error))

    def _encode(self, pair: Pair, tag: str) -> EncodedPair | Record:
        most, folder = self.engine.max_source_tokens, pair.line.folder
        if self.sides.source is not None:
            pair = replace(pair, source=beside(pair.source, folder))
        if self.sides.target is not None:
            pair = replace(pair, target=beside(pair.target, folder))
        try:
            return encode_pair(pair, self.source, self.target, most, tag)
        except Exception as error:  # noqa: BLE001 - a text that its codec cannot encode
            return failed(pair, fault_of(error))

    def _search(self, parts: Sequence[Part], options: Options) -> list[Translation]:
        sources = [part.values for part in parts]
        settings, wanted = options.settings, options.wanted
        if settings.mbr:
            settings = settings.model_copy(update={"n_best": settings.mbr, "mbr": 0})
            wanted = replace(wanted, all_times=True)
        rules = options.speller.rules(parts) if options.speller else NO_RULES
        found = self.engine.search(sources, settings, wanted, rules)
        translations = [
            self._translation(part.text, part.values, hypotheses)
            for part, hypotheses in zip(parts, found, strict=True)
        ]
        if options.dictionary is not None:
            translations = [
                self._without_unknown(*each, options.dictionary)
                for each in zip(translations, found, strict=True)
            ]
        if not options.settings.mbr:
            return translations
        return [
            self._chosen(*each, options.settings)
            for each in zip(parts, translations, found, strict=True)
        ]

    def _chosen(
        self,
        part: Part,
        translation: Translation,
        found: Sequence[Hypothesis],
        settings: SearchSettings,
    ) -> Translation:
        """Return a translation with the hypotheses of least risk, and the cue of the best one."""
        order = least_risk(translation.hypotheses, settings)
        texts = _ordered(translation.hypotheses, order)
        cues = self._cues(part.text, part.values, _ordered(found, order), texts)
        return replace(translation, hypotheses=texts, cues=cues)

    def _without_unknown(
        self,
        translation: Translation,
        found: Sequence[Hypothesis],
        dictionary: Mapping[str, str],
    ) -> Translation:
        """Return a translation with unknown tokens replaced by what they attend to."""
        texts = []
        for one, hypothesis in zip(translation.hypotheses, found, strict=True):
            alignment = translation.token_alignment(one)
            if one.unknown_tokens and alignment is not None:
                surfaces, words = self.source.surfaces(translation.source), self.target.are_words
                ids = self._as_read(hypothesis).token_ids
                known = replacements(ids, alignment, surfaces, dictionary, words=words)
                text = self.target.decode_with(ids, known, translation.source_pieces)
                one = replace(one, text=text)
            texts.append(one)
        return replace(translation, hypotheses=tuple(texts))

    def _force(self, pairs: Sequence[EncodedPair], options: Options) -> list[Translation]:
        sources, targets = [one.source for one in pairs], [one.target for one in pairs]
        found = self.engine.force(sources, targets, options.settings, options.wanted)
        return [
            self._translation(one.text, one.source, (hypothesis,))
            for one, hypothesis in zip(pairs, found, strict=True)
        ]

    def _translation(
        self, text: str, values: Values, hypotheses: Sequence[Hypothesis]
    ) -> Translation:
        positions = self.engine.positions(self.source.length(values))
        labels = self.source.labels(values, positions, text)
        found = tuple(self.text_of(one, positions, labels) for one in hypotheses)
        shape, unknown = self.engine.attention_shape or (1, 1), self.source.unknown(values)
        if self.copier:
            copies, size = self.copier.copies(values), self.copier.target.vocab_size
            found = tuple(
                with_copies(one, self._as_read(each), copies, shape[1], size)
                for one, each in zip(found, hypotheses, strict=True)
            )
        cues = self._cues(text, values, hypotheses, found)
        axis = "seconds" if isinstance(self.sides.source, Sound) else ""
        reading = self.engine.reading
        from_right = self.target.reverse
        name = str(text)  # without the samples of a recording
        return Translation(name, labels, found, unknown, shape, cues, axis, reading, from_right)

    def _cues(
        self,
        text: str,
        values: Values,
        hypotheses: Sequence[Hypothesis],
        texts: Sequence[TargetText],
    ) -> tuple[Cue, ...]:
        """Return the cue of the best hypothesis of a recording; none for other sources."""
        sound = self.sides.source
        if not isinstance(sound, Sound) or not texts:
            return ()
        positions = self.engine.positions(self.source.length(values))
        start = text.start if isinstance(text, Stored) else 0.0
        step = len(values) / sound.sample_rate / positions
        return (_cue(start, step, positions, hypotheses[0], texts[0]),)


def _ordered(values: Sequence[Item], order: Sequence[int]) -> tuple[Item, ...]:
    """Return values in another order; none if there are none."""
    return tuple(values[index] for index in order) if values else ()


def _cue(start: float, step: float, positions: int, best: Hypothesis, text: TargetText) -> Cue:
    """Return the cue of a recording, or of a part of one.

    Args:
        start: where it begins, in seconds.
        step: the seconds from one encoder state to the next.
        positions: the number of encoder states.
        best: the best hypothesis.
        text: the same as text.
    """
    spans = [(start + step * first, start + step * after) for first, after in best.token_spans]
    words = time_words(text.text, text.pieces, spans)
    return Cue(start, start + step * positions, text.text, words)


def _windows(
    items: Iterable[Item], size: int, bytes_of: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Yield items in windows of at most `size`; one that reaches `WINDOW_BYTES` also ends.

    If an item is refused with an `S2SError`, the items before it are yielded first.
    """
    window: list[Item] = []
    held = 0
    try:
        for item in items:
            window.append(item)
            held += bytes_of(item)
            if len(window) == size or held >= WINDOW_BYTES:
                yield window
                window, held = [], 0
    except S2SError:
        yield window
        raise
    yield window


def _plan_bytes(plan: Plan) -> int:
    return sum(part.values.nbytes for part in plan.parts)


def _pair_bytes(pair: EncodedPair | Record) -> int:
    return pair.source.nbytes if isinstance(pair, EncodedPair) else 0
