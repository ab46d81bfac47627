"""`s2s translate`: a filter that writes one record for each line, in order."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2scli.data.stream import StreamSettings
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.translation.filter import Tally, run_filter
from s2scli.translation.options import Options, Wanted
from s2scli.translation.records import RecordFormat, plain_record
from s2scli.translation.translator import Translator


@dataclass(frozen=True)
class TranslateRequest:
    """What to translate, and what to write of it.

    Attributes:
        inputs: files, plain or gzip; `-` is stdin.
        output: the file to write; None is stdout.
        settings: of the search.
        stream: how lines are read and gathered.
        record_format: how a record is written.
        attention: whether the records show what the decoder attended to.
    """

    inputs: Sequence[Path]
    output: Path | None
    settings: SearchSettings
    stream: StreamSettings
    record_format: RecordFormat
    attention: bool = False

    @property
    def options(self) -> Options:
        """How the lines are translated; scores are shown by all but plain records."""
        wanted = Wanted(self.attention, scores=self.record_format is not plain_record)
        return Options(self.settings, self.stream.overlong, wanted, self.stream.window)


def translate(translator: Translator, request: TranslateRequest, talk: Talk) -> Tally:
    """Translate files (or stdin for `-`) line by line, into a file or to stdout.

    Lines that came before an error are written to stdout; a file appears only when it is whole.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused (`stream.strict`,
            `stream.overlong`).
        StorageError: the output cannot be written; an existing file is not changed.
    """
    return run_filter(
        request.inputs,
        request.output,
        request.stream,
        functools.partial(translator.translate, options=request.options),
        request.record_format,
        talk,
    )


def require_attention(translator: Translator) -> None:
    """Check that the model has attention to align words by.

    Raises:
        UsageError: the model has no attention; of an ensemble, the first model.
    """
    if not translator.has_attention:
        from s2scli.pipeline.inspect_recipe import recipes_with_attention

        raise UsageError(
            "--alignment: the (first) model has no attention to align words by; "
            f"recipes that have it: {', '.join(recipes_with_attention())}"
        )
