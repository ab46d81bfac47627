"""What `s2scli.load` returns: a model that translates lists of texts."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s2scli.data.stream import Line
from s2scli.errors import UsageError
from s2scli.settings import Tree
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator


@dataclass(frozen=True)
class TextModel:
    """A trained model that translates lists of texts; several threads may use it at once."""

    translator: Translator

    def translate(self, texts: Sequence[str], **settings: Any) -> list[str]:
        """Return the best translation of each text.

        A blank text gives an empty one. So does a text that makes the model fail, with a Python
        warning that names it. A text that is too long is split at sentence ends, and its
        translations are joined again.

        Args:
            texts: lines of plain text.
            settings: search settings that override the model's own, such as `beam_size=1`.

        Raises:
            ConfigError: no such setting, or a wrong value.
            UsageError: `texts` is not a list of texts.
        """
        found = self._records(texts, Wanted(), settings)
        for record in found:
            if record.status == "failed":
                fault = f"{record.line.where}: not translated ({record.fault})"
                warnings.warn(fault, stacklevel=2)
        return [record.text for record in found]

    def records(
        self, texts: Sequence[str], *, attention: bool = False, **settings: Any
    ) -> list[Record]:
        """Return a record for each text: its status, and its hypotheses with their scores.

        Args:
            texts: lines of plain text.
            attention: return the attention weights too.
            settings: search settings that override the model's own, such as `n_best=3`.

        Raises:
            as `translate`.
        """
        return self._records(texts, Wanted(attention), settings)

    def _records(self, texts: Sequence[str], wanted: Wanted, settings: Tree) -> list[Record]:
        if isinstance(texts, str):
            raise UsageError("expected a list of texts, found one text; put it in [ ]")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise UsageError(f"expected texts, found {text!r:.80} at index {index}")
        chosen = self.translator.settings(settings, "translate")
        lines = [Line("texts", number, text) for number, text in enumerate(texts, 1)]
        options = Options(chosen, wanted=wanted, window=max(1, len(lines)))
        return list(self.translator.translate(lines, options))
