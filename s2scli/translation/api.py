"""The model that `s2scli.load` returns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from s2scli.data.codecs.cell import Recorded
from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError, UsageError
from s2scli.search.settings import ScoreSettings, SearchSettings
from s2scli.settings import default_of, load_settings
from s2scli.sides import Media, Sound
from s2scli.translation.demands import DemandSettings
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator

Source: TypeAlias = str | Path | tuple[NDArray[Any], int]

OF_STREAMS = {"unit", "language", "overlong"}
OF_DEMANDS = DemandSettings.model_fields.keys()
NO_PENALTY: float = default_of(ScoreSettings, "length_penalty")


class CallSettings(SearchSettings, DemandSettings, StreamSettings):
    """All settings of a call together, so that an error names the nearest of them."""


@dataclass(frozen=True)
class TextModel:
    """A trained model that translates and scores texts. Several threads may use it at once."""

    translator: Translator

    @property
    def tags(self) -> tuple[str, ...]:
        """The values of `tag`, if the model was trained with some."""
        return tuple(self.translator.tags)

    def translate(self, texts: Sequence[Source], **settings: Any) -> list[str]:
        """Translate texts, recordings or pictures; return the best translation of each one.

        A blank text has an empty translation. A text that is too long for the model is split at
        sentence ends, and the translations of its parts are joined. Use `records` if some texts
        may fail, or to get scores or several hypotheses.

        Example:
            >>> model.translate(["samedi 21 novembre 2026"], beam_size=1)
            ['2026-11-21']
            >>> speech_model.translate([Path("a.wav"), (samples, 16000)])
            ['seven', 'three']

        Args:
            texts: one line of plain text each. For a model that reads sound or pictures, the path
                of a file each; a recording may also be a pair (samples, rate), where the samples
                are an array of int16, or of floats from -1 to 1, [N] or [N, channels].
            settings: search settings that override the model's own, such as `beam_size=1` or
                `mbr=5`; and the options of `s2s translate`, which its help explains: `tag`,
                `glossary` and `dictionary` (a file, or a dict of terms), `protect`, `ban` (a list),
                `ban_from`, `prefix` (each text is source TAB prefix), `replace_unknown`,
                `unit` (`line`, `sentence` or `document`) with `language`, and `overlong`.

        Returns:
            One translation for each text, in order.

        Raises:
            ConfigError: a setting is unknown or has a wrong value.
            UsageError: `texts` is not a list of sources, `n_best` is more than 1, a setting has
                no effect, or the model cannot do what is demanded.
            CorpusError: a text could not be translated, or a file of terms or the terms themselves
                cannot be used.
            MissingInputError: a file of terms is missing.
            MissingExtraError: `language` is given, and sentencex is not installed.
        """
        options = self._options(settings, "translate", Wanted(scores=False))
        if options.settings.n_best > 1:
            raise UsageError(
                "translate returns one translation per text; for n_best > 1, use records"
            )
        found = self._records(texts, options)
        for record in found:
            if record.status == "failed":
                raise CorpusError(
                    f"{record.line.where}: not translated ({record.fault}); use records, which "
                    "returns the translations of the other texts"
                )
        return [record.text for record in found]

    def records(
        self,
        texts: Sequence[Source],
        *,
        attention: bool = False,
        times: bool = False,
        **settings: Any,
    ) -> list[Record]:
        """Translate texts, and return hypotheses with their scores.

        A text that cannot be translated does not affect the others: its record has the status
        `failed` and the reason in `fault`.

        Example:
            >>> (record,) = model.records(["samedi 21 novembre 2026"], n_best=3, attention=True)
            >>> [(one.text, one.score) for one in record.hypotheses]
            >>> record.best.token_scores
            >>> record.translation.word_alignment(record.best)
            >>> model.records(["samedi"], sample=True, n_best=5, seed=2)  # five random outputs

        Args:
            texts: the sources, as for `translate`.
            attention: also return attention weights, which alignments need.
            times: find the times of words too, in `record.translation.cues`; this needs a model
                that reads sound and has a CTC layer (`model.ctc_weight`).
            settings: search settings that override the model's own, such as `n_best=3`, and options
                as for `translate`.

        Returns:
            One record for each text, in order. `s2scli.translation.records.Record` and
            `s2scli.translation.results.TargetText` document the fields.

        Raises:
            ConfigError: a setting is unknown or has a wrong value.
            UsageError: `texts` is not a list of sources, a setting has no effect, or the model
                cannot do what is demanded.
            CorpusError: a file of terms, or the terms themselves, cannot be used; or a text is too
                long, and `overlong` is `error`.
            MissingInputError: a file of terms is missing.
            MissingExtraError: `language` is given, and sentencex is not installed.
        """
        options = self._options(settings, "records", Wanted(attention, times=times))
        return self._records(texts, options)

    def score(
        self, pairs: Iterable[tuple[Source, str]], *, length_penalty: float = NO_PENALTY
    ) -> list[Record]:
        """Score given targets, as `s2s score` does.

        Example:
            >>> (record,) = model.score([("samedi 21 novembre 2026", "2026-11-21")])
            >>> record.best.score, record.best.token_scores

        Args:
            pairs: pairs of a source and its target.
            length_penalty: exponent A: each score is divided by length^A, where the length is in
                target tokens, including the end token; 0 gives the log-probability of the
                target, 1 the mean per token.

        Returns:
            One record for each pair, in order; `record.best` is the scored target. It is None if
            the source is blank (status `empty`), or if scoring failed (`failed`).

        Raises:
            ConfigError: the length penalty has a wrong value.
            UsageError: `pairs` does not hold pairs of a source and a text.
        """
        penalty = {"length_penalty": length_penalty, "length_offset": 0.0}
        chosen = self._settings(penalty, "score")
        given = list(pairs)
        for index, pair in enumerate(given):
            if isinstance(pair, str) or len(pair) != 2:
                raise UsageError(f"expected (source, target), found {pair!r:.80} at index {index}")
        sources, targets = [source for source, _ in given], [target for _, target in given]
        cells = self._cells(sources)
        _check_texts(targets)
        options = Options(chosen, window=max(1, len(given)))
        return list(self.translator.score(pairs_of("pairs", cells, targets), options))

    def _settings(self, overrides: dict[str, Any], where: str) -> SearchSettings:
        """Return the model's search settings with overrides, which must all have an effect."""
        chosen = self.translator.settings(overrides, where)
        for name in sorted(chosen.unread.keys() & overrides.keys()):
            without, other = chosen.unread[name]
            shown = "sample=True" if other == "sample" else other
            raise UsageError(f"{name} has no effect {without} {shown}")
        return chosen

    def _options(self, given: dict[str, Any], where: str, wanted: Wanted) -> Options:
        """Return the options of a call: those of `s2s translate` with these settings."""
        stream, demands = (
            {name: given[name] for name in names & given.keys()}
            for names in (OF_STREAMS, OF_DEMANDS)
        )
        unknown = given.keys() - CallSettings.model_fields.keys()
        load_settings(CallSettings, {name: given[name] for name in unknown}, where)
        rest = {name: given[name] for name in given.keys() - stream.keys() - demands.keys()}
        settings = self._settings(rest, where)
        read = load_settings(StreamSettings, stream, where)
        demanded = load_settings(DemandSettings, demands, where).read()
        return demanded.options(self.translator, settings, read, wanted)

    def _records(self, texts: Sequence[Source], options: Options) -> list[Record]:
        lines = [Line("texts", number, cell) for number, cell in enumerate(self._cells(texts), 1)]
        together = replace(options, window=max(1, len(lines)))
        return list(self.translator.translate(lines, together))

    def _cells(self, sources: Sequence[Source]) -> list[str]:
        """Return the cell of each source.

        Raises:
            UsageError: a source is not what the model reads.
        """
        media = self.translator.sides.source
        if media is None or isinstance(sources, str):
            sources = sources if isinstance(sources, str) else list(sources)
            _check_texts(sources)
            return [str(source) for source in sources]
        return [_cell(source, index, media) for index, source in enumerate(sources)]


def _cell(source: Source, index: int, media: Media) -> str:
    """Return the cell of a recording or a picture."""
    if isinstance(source, str | Path):
        return str(source)
    if not isinstance(media, Sound):
        raise UsageError(f"expected paths of pictures, found {source!r:.80} at index {index}")
    if not isinstance(source, tuple) or len(source) != 2:
        raise UsageError(
            f"expected paths or pairs (samples, rate), found {source!r:.80} at index {index}"
        )
    samples, rate = np.asarray(source[0]), int(source[1])
    if samples.dtype not in (np.int16, np.float32, np.float64) or samples.ndim not in (1, 2):
        raise UsageError(
            f"expected an array of int16 or float samples, [N] or [N, channels], found "
            f"{samples.dtype} {list(samples.shape)} at index {index}"
        )
    return Recorded(f"the recording at index {index}", samples, rate)


def _check_texts(texts: Sequence[Any]) -> None:
    """Refuse a single text, and values that are not texts.

    Raises:
        UsageError: `texts` is not a list of texts.
    """
    if isinstance(texts, str):
        raise UsageError("expected a list of texts, found one text; put it in [ ]")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"expected texts, found {text!r:.80} at index {index}")
