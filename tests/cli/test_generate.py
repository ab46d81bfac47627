"""`s2s generate`, by tiny models that were never trained."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.folders import letters_of, write_model

Run = Callable[..., Result]

PAIR = ("abc dad", "hij ab")
SHORT = ("--max-length", "8")


BLIND = 'model.attention={kind="none"}'
LATENT = 'model.connection={kind="latent", latent_dim=4}'


def workspace_of(folder: Path, *changes: str) -> Path:
    """Write an untrained model, whose sentences differ, as that of a workspace."""
    write_model(folder / "model", letters_of(["abcdefgh ij"]), *changes, scale=3.0)
    return folder


@pytest.fixture(scope="module")
def variational(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_of(tmp_path_factory.mktemp("vae"), BLIND, LATENT)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace_of(tmp_path_factory.mktemp("autoencoder"), BLIND)


def generate(workspace: Path, *arguments: str) -> Result:
    words = ["generate", "-w", str(workspace), "--device", "cpu", *SHORT, *arguments]
    return CliRunner().invoke(app, words)


def lines(workspace: Path, *arguments: str) -> list[str]:
    result = generate(workspace, *arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout.splitlines()


def reconstruct(workspace: Path, *texts: str) -> list[str]:
    words = ["translate", "-w", str(workspace), "--device", "cpu", *SHORT]
    result = CliRunner().invoke(app, words, input="".join(f"{text}\n" for text in texts))
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_dash_is_stdout(
    variational: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for flags in ((), ("--json",)):
        words = ("-n", "2", *flags)
        assert lines(variational, *words, "-o", "-") == lines(variational, *words)
    assert list(tmp_path.iterdir()) == []


def test_samples_are_one_a_line_and_the_seed_decides(variational: Path) -> None:
    first = lines(variational, "-n", "12")
    assert len(first) == 12
    assert lines(variational, "--count", "12", "--seed", "1") == first
    assert lines(variational, "-n", "12", "--seed", "2") != first
    assert lines(variational, "-n", "3") == first[:3], "more samples begin with the same ones"


def test_the_default_is_ten(variational: Path) -> None:
    assert len(lines(variational)) == 10


def test_temperature_0_is_the_mean(variational: Path) -> None:
    assert len(set(lines(variational, "--temperature", "0"))) == 1
    around = lines(variational, "--around", PAIR[0], "--temperature", "0", "-n", "2")
    assert around == reconstruct(variational, PAIR[0]) * 2


@pytest.mark.parametrize("steps", [(), ("--steps", "3")])
def test_the_ends_of_a_line_are_the_reconstructions(
    variational: Path, plain: Path, steps: tuple[str, ...]
) -> None:
    for workspace in (variational, plain):
        found = lines(workspace, "--between", *PAIR, *steps)
        assert len(found) == int(steps[1] if steps else 7)
        assert [found[0], found[-1]] == reconstruct(workspace, *PAIR)
        assert found[0] != found[-1]


def test_json_has_scores_and_tokens(variational: Path) -> None:
    result = generate(variational, "-n", "2", "--json")
    document = json.loads(result.stdout)
    assert [each["text"] for each in document["sentences"]] == lines(variational, "-n", "2")
    for sentence in document["sentences"]:
        assert sentence["tokens"][-1] == "</s>"
        assert len(sentence["tokens"]) == len(sentence["token_scores"]) <= 8
        mean = sum(sentence["token_scores"]) / len(sentence["tokens"])
        assert sentence["score"] == pytest.approx(mean, abs=1e-4)


def test_the_search_is_as_asked(variational: Path) -> None:
    found = json.loads(
        generate(variational, "--beam-size", "1", "--max-length", "3", "--json").stdout
    )
    assert all(len(sentence["tokens"]) <= 3 for sentence in found["sentences"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--around", "a", "--between", "a", "b"],
            "--around and --between cannot be used together",
        ),
        (["--steps", "3"], "--steps has no effect without --between"),
        (["--between", "a", "b", "-n", "3"], "--count has no effect with --between"),
        (["--between", "a", "b", "--seed", "3"], "--seed has no effect with --between"),
        (["--between", "a", "b", "--steps", "1"], "--steps: input should be greater than or equal"),
        (["-n", "0"], "--count: input should be greater than or equal to 1"),
        (["--temperature", "-1"], "--temperature: input should be greater than or equal to 0"),
        (["--beam-size", "0"], "--beam-size: input should be greater than or equal to 1"),
        (["--around", " \u200b"], "expected a sentence or a picture file, found empty text"),
        (["--between", "a", ""], "expected a sentence or a picture file, found empty text"),
    ],
)
def test_what_makes_no_sense_is_refused(
    variational: Path, arguments: list[str], message: str
) -> None:
    result = generate(variational, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_model_without_a_distribution_says_what_it_can(plain: Path) -> None:
    result = generate(plain)
    assert result.exit_code == 2
    assert "model.connection.kind projected" in result.stderr
    assert "use --between A B" in result.stderr


def test_no_model_is_said_with_what_to_do(tmp_path: Path) -> None:
    result = generate(tmp_path)
    assert result.exit_code == 66
    assert "s2s train" in result.stderr


def test_tokens_can_be_drawn_too(variational: Path) -> None:
    asked = ("-n", "4", *SHORT, "--sample", "--token-temperature", "3")
    drawn = generate(variational, *asked, "--seed", "2").stdout
    assert drawn == generate(variational, *asked, "--seed", "2").stdout
    assert drawn != generate(variational, "-n", "4", *SHORT, "--seed", "2").stdout
    for flag in ("--top-k", "--token-temperature"):
        refused = generate(variational, flag, "3")
        assert refused.exit_code == 2 and f"{flag} has no effect without --sample" in refused.stderr


def test_a_seed_decides_what_is_sampled_between_two(variational: Path) -> None:
    asked = ("--between", "a", "b", "--steps", "2", "--sample", *SHORT, "--seed")
    first = generate(variational, *asked, "1").stdout
    assert first == generate(variational, *asked, "1").stdout
    assert first != generate(variational, *asked, "2").stdout
