"""A dialogue with a model: each line is a turn, and the model's replies become its history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from s2scli.data.cleaning import is_blank
from s2scli.data.dialogue import join_turns
from s2scli.data.stream import Line
from s2scli.translation.lines import size_of
from s2scli.translation.options import Options
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator


@dataclass
class Dialogue:
    """Answers turn by turn.

    Attributes:
        translator: translates a history into a reply.
        options: how to translate.
        size: the maximum number of turns in a source, the new one included.
        turns: the turns so far, oldest first.
        name: the file of the last turn; a new file begins a new dialogue.
    """

    translator: Translator
    options: Options
    size: int
    turns: list[str] = field(default_factory=list)
    name: str = ""

    def answer(self, lines: Sequence[Line]) -> Iterator[Record]:
        """Yield the reply to each line, in order; a blank line begins a new dialogue.

        The source is the last turns, those of the model included, as `s2s prepare --history` joins
        them. The oldest turns are left out if the source would be too long for the model. A line
        that fails is left out of the history.
        """
        for line in lines:
            if line.name != self.name or (is_blank(line.text) and not line.fault):
                self.turns, self.name = [], line.name
            turns = self._fitting([*self.turns, line.text.strip()][-self.size :])
            asked = replace(line, text=join_turns(turns))
            (record,) = self.translator.translate([asked], self.options)
            if record.status == "ok":
                self.turns = [*turns, record.text]
            yield replace(record, line=line)

    def _fitting(self, turns: list[str]) -> list[str]:
        """Return the last turns that fit the model, at least one."""
        codec = self.translator.source
        most = self.translator.engine.max_source_tokens - bool(self.options.tag)
        while len(turns) > 1 and size_of(codec.encode(join_turns(turns)), codec) > most:
            turns = turns[1:]
        return turns
