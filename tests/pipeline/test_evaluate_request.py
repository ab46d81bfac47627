import os
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.errors import UsageError
from s2scli.pipeline.evaluate_request import EvaluateRequest


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            EvaluateRequest(("bleu",), hypothesis=Path("h"), reference=Path("r")),
            "--multi-reference with --hypothesis also needs --source FILE",
        ),
        (EvaluateRequest(("perplexity",)), "give a metric of outputs"),
    ],
)
def test_several_references_need_sources_and_outputs(
    request_: EvaluateRequest, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        replace(request_, multi_reference=True).check()


def test_references_that_are_read_twice_must_be_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outputs = EvaluateRequest(("bleu",), hypothesis=Path("h"), multi_reference=True)
    for reference in (Path("-"), pipe):
        with pytest.raises(UsageError, match="is read twice, beside --hypothesis and beside --so"):
            replace(outputs, source=Path("s"), reference=reference).check()
    replace(outputs, source=Path("s"), reference=Path("r")).check()
    replace(outputs, multi_reference=False, reference=pipe).check()


def test_what_is_asked_decides_whether_translations_are_needed() -> None:
    assert EvaluateRequest(()).searches, "the default metrics compare outputs"
    assert EvaluateRequest(("bleu",)).searches
    assert not EvaluateRequest(("perplexity",)).searches
    assert EvaluateRequest(("perplexity",), examples=1).searches
    assert EvaluateRequest(("perplexity", "bleu")).needing("model") == ["perplexity"]


def test_only_the_workspaces_own_model_and_corpus_are_of_the_workspace() -> None:
    assert EvaluateRequest(("bleu",), split="valid").of_workspace
    for other in (
        EvaluateRequest(("bleu",), models=(Path("m"),)),
        EvaluateRequest(("bleu",), source=Path("s"), reference=Path("r")),
        EvaluateRequest(("bleu",), int8=True),
    ):
        assert not other.of_workspace


def test_pictures_are_scored_by_their_tokens() -> None:
    assert "bleu" not in EvaluateRequest(()).for_pictures().metrics
    with pytest.raises(UsageError, match="--bleu compares texts, and the target is pictures"):
        EvaluateRequest(("bleu",)).for_pictures()
    with pytest.raises(UsageError, match="-o is for text"):
        EvaluateRequest((), output=Path("out")).for_pictures()
