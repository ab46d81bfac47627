"""Import models of other programs, and compare them with plain twins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from s2scli.data.codecs import SourceCodec
from s2scli.export.foreign import TokenizerFiles
from s2scli.export.unpack import unpack
from s2scli.pipeline.import_ import import_model
from s2scli.translation.model_folder import LoadedModel, load_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.translator import Translator
from tests.export.foreign_models import TEXTS, Logits

CPU = torch.device("cpu")
READERS = ("from_marian", "from_opennmt", "from_huggingface")
PLAIN = Wanted(attention=False)
LONGEST = 12


@dataclass(frozen=True)
class Imported:
    """An imported model."""

    loaded: LoadedModel
    translator: Translator

    @property
    def source(self) -> SourceCodec:
        return self.translator.source


def imported(path: Path, output: Path, files: TokenizerFiles | None = None) -> Imported:
    """Import a model in this process, as it is our own, and load it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in READERS:
            patch.setattr(f"s2scli.export.{name}.read_checkpoint", unpack)
        import_model(path, output, "imported", files or TokenizerFiles())
    loaded = load_model_folder(output, CPU)
    return Imported(loaded, translator_of(loaded, device=CPU))


def same_scores(
    found: Imported,
    logits: Logits,
    read: Sequence[Sequence[int]],
    written: Sequence[Sequence[int]],
    end: int,
    unknown: int,
) -> None:
    """Check that targets of known pieces have the twin's log-probabilities."""
    engine = found.translator.engine
    sources = [found.source.encode(text) for text in TEXTS]
    targets = [found.translator.target.encode(text) for text in TEXTS[::-1]]
    scored = engine.force(sources, targets, engine.settings, PLAIN)
    compared = 0
    for source, target, one in zip(read, written, scored, strict=True):
        if unknown in target:
            continue
        rows = logits(source, target).log_softmax(-1)
        expected = [float(row[id]) for row, id in zip(rows, [*target, end], strict=True)]
        assert one.token_scores == pytest.approx(expected, abs=2e-5)
        compared += 1
    assert compared


def same_search(
    found: Imported,
    logits: Logits,
    read: Sequence[Sequence[int]],
    end: int,
    never: Sequence[int],
) -> None:
    """Check that greedy search writes what the twin writes."""
    engine = found.translator.engine
    changes = {"beam_size": 1, "max_length": LONGEST, "max_length_ratio": 100.0}
    settings = engine.settings.model_copy(update=changes)
    sources = [found.source.encode(text) for text in TEXTS]
    for source, (one,) in zip(read, engine.search(sources, settings, PLAIN), strict=True):
        written: list[int] = []
        while len(written) < LONGEST - 1:
            row = logits(source, written)[-1]
            row[list(never)] = -torch.inf
            best = int(row.argmax())
            if best == end:
                break
            written.append(best)
        assert len(one.token_ids) == len(written) + 1
        rows = logits(source, written).log_softmax(-1)
        expected = [float(row[id]) for row, id in zip(rows, [*written, end], strict=True)]
        assert one.token_scores == pytest.approx(expected, abs=2e-5)
