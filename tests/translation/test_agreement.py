"""How two engines are compared, by stubs instead of engines."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from s2scli.data.example import TokenIds
from s2scli.data.settings import BY_NAME
from s2scli.errors import CheckpointError, CorpusError
from s2scli.export.settings import ExportSettings
from s2scli.report.console import Talk
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.translation import agreement
from s2scli.translation.agreement import (
    Agreement,
    Decoded,
    _require_same_tokens,
    compare_exports,
    decode,
    read_pairs,
    score_difference,
    token_agreement,
)
from s2scli.translation.options import Wanted
from s2scli.translation.pairs import pairs_of
from s2scli.translation.translator import Translator
from tests.folders import letters_of
from tests.translation.stub import StubEngine, stub_translator

PAIRS = pairs_of("f", ["a b c d e", "f g h i j"], ["A B C D E", "F G H I J"])


def decoded(*pieces: str, scores: Sequence[Sequence[float]] = ((-1.0,),)) -> Decoded:
    return Decoded(
        (), tuple(tuple(text.split()) for text in pieces), tuple(map(tuple, scores)), 1.0
    )


def test_agreement_is_the_share_of_our_tokens_that_they_have() -> None:
    ours = decoded("a b c", "d")
    assert token_agreement(ours, ours) == 1
    assert token_agreement(ours, decoded("a x c", "d")) == pytest.approx(3 / 4)
    assert token_agreement(ours, decoded("a x y z z z", "x y z")) == 0


def test_the_score_difference_is_the_largest_and_no_number_is_no_agreement() -> None:
    ours = decoded(scores=[[-1.0, -2.0], [-3.0]])
    assert score_difference(ours, decoded(scores=[[-1.0, -2.5], [-2.9]])) == pytest.approx(0.5)
    assert math.isnan(score_difference(ours, decoded(scores=[[-9.0, math.nan], [-3.0]])))


def test_what_an_engine_makes_of_pairs() -> None:
    found = decode(stub_translator(), PAIRS, SearchSettings())
    assert found.texts == ("A B C D E", "F G H I J")
    assert found.pieces[0] == ("A", "B", "C", "D", "E", "</s>")
    assert [len(scores) for scores in found.scores] == [6, 6]
    assert found.lines_per_second > 0


def test_a_line_at_which_the_model_fails_ends_it() -> None:
    pairs = pairs_of("pairs.tsv", ["a", "boom"], ["A", "B"])
    with pytest.raises(CheckpointError, match=r"pairs\.tsv, line 2: the model failed on this line"):
        decode(stub_translator(), pairs, SearchSettings())
    with pytest.raises(CheckpointError, match="the search found no output"):
        decode(stub_translator(), pairs_of("f", ["silence"], ["A"]), SearchSettings())


def test_the_first_pairs_that_fit_the_model_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["a\tb", "\tb", "no tab", "a b c d e f g h i\tb", "b\tc", "c\td"]
    (tmp_path / "pairs.tsv").write_text("".join(f"{row}\n" for row in rows))
    found = read_pairs(tmp_path / "pairs.tsv", BY_NAME, 3, stub_translator(), Talk())
    assert [(pair.line.number, pair.source, pair.target) for pair in found] == [
        (1, "a", "b"),
        (5, "b", "c"),
    ]
    told = " ".join(capsys.readouterr().err.split())
    assert "bad lines left out: 1; the first is " in told and "line 3: no TAB" in told
    assert "left out 1 of 3 pairs, too long for the model" in told
    (tmp_path / "none.tsv").write_text("\tb\n")
    with pytest.raises(CorpusError, match="found no pair to verify with; expected source TAB"):
        read_pairs(tmp_path / "none.tsv", BY_NAME, 3, stub_translator(), Talk())


@dataclasses.dataclass
class Worse(StubEngine):
    """Loses words, and is surer or less sure of targets than it should be."""

    off: float = 0.0

    def search(
        self,
        sources: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        return super().search([ids[:-1] for ids in sources], settings, wanted)

    def force(
        self,
        sources: Sequence[TokenIds],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        found = super().force(sources, targets, settings, wanted)
        return [
            dataclasses.replace(one, token_scores=tuple(s + self.off for s in one.token_scores))
            for one in found
        ]


def compared(
    exported: dict[str, Translator], settings: ExportSettings, monkeypatch: pytest.MonkeyPatch
) -> list[Agreement]:
    def exported_as(target: object, model: object, facts: object, kind: str, pairs: object) -> Any:
        return exported[kind]

    monkeypatch.setattr(agreement, "_exported", exported_as)
    nothing = object()
    found = compare_exports(nothing, stub_translator(), nothing, PAIRS, settings)  # type: ignore[arg-type]
    return list(found)


def test_each_export_is_held_against_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = {"float32": stub_translator(), "int8": stub_translator(Worse())}
    same, exact, small = compared(exported, ExportSettings(), monkeypatch)
    assert (same.engine, exact.engine, small.engine) == (
        "PyTorch float32",
        "CTranslate2 float32",
        "CTranslate2 int8",
    )
    assert (exact.tokens, exact.score_difference, exact.bleu_difference) == (1, 0, 0)
    assert small.tokens == pytest.approx(1 - 2 / 12)
    assert small.bleu_difference == small.bleu - same.bleu < 0


def test_other_probabilities_are_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = {"float32": stub_translator(Worse(off=0.5)), "int8": stub_translator()}
    with pytest.raises(CheckpointError, match=r"the log-probability of a token differs by 0\.5;"):
        compared(exported, ExportSettings(), monkeypatch)


def test_what_is_asked_for_may_lose_so_much_bleu(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = {"float32": stub_translator(), "int8": stub_translator(Worse())}
    with pytest.raises(
        CheckpointError, match=r"the int8 export loses .* BLEU, more than --tolerance 0.5"
    ):
        compared(exported, ExportSettings(quantization="int8"), monkeypatch)
    allowed = ExportSettings(quantization="int8", tolerance=100.0)
    exact, small = compared(exported, allowed, monkeypatch)[1:]
    assert exact.bleu_difference == 0 > small.bleu_difference


def test_a_target_that_does_not_quantize_is_compared_in_greedy_search_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = compared({"float32": stub_translator()}, ExportSettings(to="huggingface"), monkeypatch)
    names = ["PyTorch float32", "Transformers float32", "Transformers greedy"]
    assert [one.engine for one in found] == names
    assert {one.tokens for one in found} == {1.0}


def test_a_tokenizer_that_gives_other_tokens_is_refused(tmp_path: Path) -> None:
    class Target:
        name = "Other"

        def encode(self, folder: Path, texts: Sequence[str]) -> list[list[int]]:
            return [[*source.encode(text), 3 + text.count("b")] for text in texts]

    tokenizers = letters_of(["ab"])
    source, _ = tokenizers.texts
    target: Any = Target()
    pairs = list(pairs_of("f", ["a", "ab"], ["a", "b"]))
    _require_same_tokens(target, tmp_path, tokenizers, pairs[:1])
    with pytest.raises(CheckpointError, match="f, line 2: the tokenizer of Other gives other"):
        _require_same_tokens(target, tmp_path, tokenizers, pairs)
