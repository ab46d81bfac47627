"""The model that `s2scli.load` returns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from s2scli.data.stream import Line
from s2scli.errors import CorpusError, UsageError
from s2scli.search.settings import ScoreSettings, SearchSettings
from s2scli.settings import default_of
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator

NO_PENALTY: float = default_of(ScoreSettings, "length_penalty")


@dataclass(frozen=True)
class TextModel:
    """A trained model that translates and scores texts. Several threads may use it at once."""

    translator: Translator

    def translate(self, texts: Sequence[str], **settings: Any) -> list[str]:
        """Translate texts, and return the best translation of each one.

        A blank text has an empty translation. A text that is too long for the model is split at
        sentence ends, and the translations of its parts are joined. Use `records` if some texts
        may fail, or to get scores or several hypotheses.

        Example:
            >>> model.translate(["samedi 21 novembre 2026"], beam_size=1)
            ['2026-11-21']

        Args:
            texts: the texts, each one line of plain text.
            settings: search settings that override the model's own, such as `beam_size=1`.

        Returns:
            One translation for each text, in order.

        Raises:
            ConfigError: a setting is unknown or has a wrong value.
            UsageError: `texts` is not a list of texts, `n_best` is more than 1, or a setting has no
                effect.
            CorpusError: a text could not be translated.
        """
        chosen = self._settings(settings, "translate")
        if chosen.n_best > 1:
            raise UsageError(
                "translate returns one translation per text; for n_best > 1, use records"
            )
        found = self._records(texts, chosen, Wanted(scores=False))
        for record in found:
            if record.status == "failed":
                raise CorpusError(
                    f"{record.line.where}: not translated ({record.fault}); use records, which "
                    "returns the translations of the other texts"
                )
        return [record.text for record in found]

    def records(
        self, texts: Sequence[str], *, attention: bool = False, **settings: Any
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
            texts: the texts, each one line of plain text.
            attention: also return attention weights, which alignments need.
            settings: search settings that override the model's own, such as `n_best=3`.

        Returns:
            One record for each text, in order. `s2scli.translation.records.Record` and
            `s2scli.translation.results.TargetText` document the fields.

        Raises:
            ConfigError: a setting is unknown or has a wrong value.
            UsageError: `texts` is not a list of texts, or a setting has no effect.
        """
        return self._records(texts, self._settings(settings, "records"), Wanted(attention))

    def score(
        self, pairs: Iterable[tuple[str, str]], *, length_penalty: float = NO_PENALTY
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
            UsageError: `pairs` does not hold pairs of texts.
        """
        penalty = {"length_penalty": length_penalty, "length_offset": 0.0}
        chosen = self._settings(penalty, "score")
        given = list(pairs)
        for index, pair in enumerate(given):
            if isinstance(pair, str) or len(pair) != 2:
                raise UsageError(f"expected (source, target), found {pair!r:.80} at index {index}")
        sources, targets = [source for source, _ in given], [target for _, target in given]
        for texts in (sources, targets):
            _check_texts(texts)
        options = Options(chosen, window=max(1, len(given)))
        return list(self.translator.score(pairs_of("pairs", sources, targets), options))

    def _settings(self, overrides: dict[str, Any], where: str) -> SearchSettings:
        """Return the model's search settings with overrides, which must all have an effect."""
        chosen = self.translator.settings(overrides, where)
        for name in sorted(chosen.unread & overrides.keys()):
            state = "with" if chosen.sample else "without"
            raise UsageError(f"{name} has no effect {state} sample=True")
        return chosen

    def _records(
        self, texts: Sequence[str], settings: SearchSettings, wanted: Wanted
    ) -> list[Record]:
        _check_texts(texts)
        lines = [Line("texts", number, text) for number, text in enumerate(texts, 1)]
        options = Options(settings, wanted=wanted, window=max(1, len(lines)))
        return list(self.translator.translate(lines, options))


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse a single text, and values that are not texts.

    Raises:
        UsageError: `texts` is not a list of texts.
    """
    if isinstance(texts, str):
        raise UsageError("expected a list of texts, found one text; put it in [ ]")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"expected texts, found {text!r:.80} at index {index}")
