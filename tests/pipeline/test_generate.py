"""Vectors and the sentences that they become, by tiny models that were never trained."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from s2scli.data.batch import make_source
from s2scli.errors import MissingInputError, UsageError
from s2scli.pipeline.generate import Writer
from s2scli.search.settings import GenerateSettings
from tests.folders import letters_of, write_model

PAIR = ("abc", "hij ab")
SETTINGS = GenerateSettings(count=5)
BLIND = 'model.attention={kind="none"}'
LATENT = (BLIND, 'model.connection={kind="latent", latent_dim=4}', "training.max_length=12")


def writer_of(folder: Path, *changes: str) -> Writer:
    letters = letters_of(["abcdefgh ij"])
    return Writer.load(write_model(folder / "model", letters, *changes, scale=3.0), "cpu")


@pytest.fixture(scope="module")
def variational(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return writer_of(tmp_path_factory.mktemp("vae"), *LATENT)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return writer_of(tmp_path_factory.mktemp("autoencoder"), BLIND, "training.max_length=12")


def code_of(writer: Writer, text: str) -> Tensor:
    """Return the vector of a sentence, [C], read alone."""
    source, lengths = make_source([writer.translator.source.encode(text)])
    with torch.inference_mode():
        return writer.model.code(source, lengths)[0]


def texts(writer: Writer, codes: Tensor, **overrides: object) -> list[str]:
    settings = writer.translator.settings({"max_length": 6, **overrides})
    return [found.text for found in writer.write(codes, settings)]


def test_the_seed_decides_and_more_vectors_begin_with_the_same_ones(variational: Writer) -> None:
    drawn = variational.draw(SETTINGS)
    assert drawn.shape == (5, variational.model.code_dim)
    assert torch.equal(variational.draw(GenerateSettings(count=5)), drawn)
    assert torch.equal(variational.draw(GenerateSettings(count=3)), drawn[:3])
    assert not torch.equal(variational.draw(GenerateSettings(count=5, seed=2)), drawn)
    assert len({tuple(vector) for vector in drawn.tolist()}) == 5


def test_the_temperature_scales_the_prior(variational: Writer) -> None:
    hot = variational.draw(GenerateSettings(count=5, temperature=3.0))
    torch.testing.assert_close(hot, 3 * variational.draw(SETTINGS))
    assert not variational.draw(GenerateSettings(count=5, temperature=0.0)).any()


def test_vectors_of_the_prior_have_the_mean_and_deviation_of_a_standard_normal(
    variational: Writer,
) -> None:
    drawn = variational.draw(GenerateSettings(count=20_000))
    assert drawn.mean().item() == pytest.approx(0.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(1.0, abs=0.02)


def test_around_a_sentence_the_noise_is_that_of_the_prior(variational: Writer) -> None:
    middle = code_of(variational, PAIR[0])
    still = variational.draw_around(PAIR[0], GenerateSettings(count=2, temperature=0.0))
    torch.testing.assert_close(still, middle.expand(2, -1))
    offsets = variational.draw_around(PAIR[0], SETTINGS) - middle
    deviations = offsets / variational.draw(SETTINGS)
    torch.testing.assert_close(deviations, deviations[:1].expand(5, -1))
    assert (deviations > 0).all()


@pytest.mark.parametrize("steps", [2, 7])
def test_from_one_sentence_to_another_the_steps_are_equal(
    variational: Writer, plain: Writer, steps: int
) -> None:
    for writer in (variational, plain):
        codes = writer.interpolate(*PAIR, GenerateSettings(steps=steps))
        ends = [code_of(writer, text) for text in PAIR]
        torch.testing.assert_close(codes[[0, -1]], torch.stack(ends))
        pace = (ends[1] - ends[0]) / (steps - 1)
        torch.testing.assert_close(codes.diff(dim=0), pace.expand(steps - 1, -1))


def test_a_vector_writes_the_same_whatever_is_written_beside_it(
    variational: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = variational.draw(GenerateSettings(count=7))
    for overrides in ({}, {"beam_size": 1}, {"sample": True, "temperature": 3.0}):
        together = texts(variational, codes, **overrides)
        assert len(set(together)) > 1
        with monkeypatch.context() as patch:
            patch.setattr("s2scli.pipeline.generate.VECTORS_AT_ONCE", 3)
            assert texts(variational, codes, **overrides) == together


@pytest.mark.parametrize(("max_length", "longest"), [(None, 12), (None, 300), (3, 3), (40, 40)])
def test_a_sentence_is_at_most_as_long_as_asked_or_as_those_of_training(
    variational: Writer, max_length: int | None, longest: int
) -> None:
    own = {"max_length": max_length, "min_length": longest}
    settings = variational.translator.settings(own)
    for found in variational.write(variational.draw(SETTINGS), settings):
        assert len(found.pieces) == longest


def test_no_vectors_are_no_sentences(variational: Writer) -> None:
    assert texts(variational, variational.draw(SETTINGS)[:0]) == []


def test_a_model_without_a_distribution_says_what_it_can_do(plain: Writer) -> None:
    message = r"kind projected\); use --between A B"
    with pytest.raises(UsageError, match=message):
        plain.draw(SETTINGS)
    with pytest.raises(UsageError, match=message):
        plain.draw_around(PAIR[0], SETTINGS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \u200b", "expected a sentence or a picture file, found empty text"),
        ("", "expected a sentence or a picture file, found empty text"),
        ("abcdefgh" * 2, "'abcdefghabcdefgh'...: 16 tokens, but the model accepts at most 12"),
    ],
)
def test_a_sentence_that_cannot_be_read_is_refused(
    variational: Writer, text: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        variational.draw_around(text, SETTINGS)
    with pytest.raises(UsageError, match=message):
        variational.interpolate("a", text, SETTINGS)


def test_a_model_that_attends_has_no_vector_for_a_source(tmp_path: Path) -> None:
    message = r"model: the decoder attends .*\(model.attention.kind general\).*--recipe vae or auto"
    with pytest.raises(UsageError, match=message):
        writer_of(tmp_path)


def test_no_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no model here"):
        Writer.load(tmp_path, "cpu")
