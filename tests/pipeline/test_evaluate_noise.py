"""The noise of `s2s evaluate --noise`, and the falls that it shows."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.settings import NoiseTestSettings, SurfaceNoise
from s2scli.data.surface_noise import noisy, random_for
from s2scli.errors import UsageError
from s2scli.manifest import new_folder
from s2scli.metrics.bootstrap import interval_of
from s2scli.metrics.score import Score
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.evaluate import evaluate_outputs
from s2scli.pipeline.evaluate_noise import Rescored, evaluate_noise, with_noise
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.texts import Texts
from s2scli.sides import TEXT, Sides, Sound
from tests.translation import stub

SOURCES = [f"the dog number {n} runs home" for n in range(50)]
METRICS = ("bleu", "exact_match")
TEXTS = Texts("pairs", tuple(SOURCES), tuple(source.upper() for source in SOURCES))


def test_the_noise_of_a_source_depends_on_its_first_line_alone() -> None:
    settings = NoiseTestSettings(noise="typos", noise_rate=0.5, noise_seed=3)
    found = with_noise(SOURCES, "typos", settings)
    noise = SurfaceNoise(typos=0.5)
    expected = [noisy(text, noise, random_for(3, n)) for n, text in enumerate(SOURCES, 1)]
    assert list(found) == expected
    assert with_noise(SOURCES + SOURCES[::-1], "typos", settings) == found + found[::-1]


def test_differences_are_of_the_same_resampled_sets() -> None:
    def shouted(sources: Sequence[str]) -> Sequence[Score]:
        texts = Texts("outputs", tuple(source.upper() for source in sources), TEXTS.references)
        return evaluate_outputs(texts, METRICS, MetricSettings(resamples=100)).scores

    settings = NoiseTestSettings(noise="drop,case", noise_rate=0.3)
    asked: dict[str, Sequence[str]] = {}

    def again(kind: str, sources: Sequence[str]) -> Rescored:
        asked[kind] = sources
        return Rescored(shouted(sources), 2)

    clean = shouted(SOURCES)
    drop, case = evaluate_noise(SOURCES, clean, settings, again)
    assert list(asked) == ["drop", "case"]
    assert (drop.kind, drop.rate, drop.failed) == ("drop", 0.3, 2)
    assert drop.changed == sum(map(str.__ne__, SOURCES, asked["drop"])) > 25
    for fall, before in zip(drop.falls, clean, strict=True):
        assert fall.difference == fall.score.value - before.value < 0
        pairs = zip(before.resampled, fall.score.resampled, strict=True)
        assert fall.interval == interval_of([after - first for first, after in pairs])
        assert fall.interval and fall.interval[0] < fall.difference < fall.interval[1]
    assert [fall.difference for fall in case.falls] == [0, 0], "it shouts anyway"


def test_one_table_shows_clean_sources_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module())
    monkeypatch.chdir(tmp_path)
    Path("s").write_text("".join(f"{source}\n" for source in TEXTS.sources))
    Path("r").write_text("".join(f"{one}\n" for one in TEXTS.references))
    with new_folder(tmp_path / "workspace" / "model", "model"):
        pass

    def run(*words: str) -> str:
        given = ["evaluate", "--source", "s", "--reference", "r", "-m", "workspace/model"]
        result = CliRunner().invoke(app, [*given, "--bleu", "--exact-match", *words])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    noise = ("--noise", "drop,case,drop", "--noise-rate", "0.3")
    strong = ("--noise", "drop", "--noise-rate", "0.9", "--json")  # makes sources equal
    few, each = (json.loads(run(*strong, *more))["noise"] for more in ([], ["--multi-reference"]))
    assert [one["value"] for one in few[0]["scores"]] == [one["value"] for one in each[0]["scores"]]
    found = json.loads(run(*noise, "--json"))
    assert [one["kind"] for one in found["noise"]] == ["drop", "case"]
    fall = found["noise"][0]["scores"][0]
    assert fall["difference"] == fall["value"] - found["scores"][0]["value"] < 0
    low, high = fall["difference_interval"]
    assert low < fall["difference"] < high
    assert json.loads(run(*noise, "--json"))["noise"] == found["noise"]
    assert "noise" not in json.loads(run("--json"))
    lines = run(*noise).splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("noise: 30 % of the words"))
    rows = [line.split() for line in lines[first + 2 : first + 8]]
    assert [row[0] for row in rows] == ["none", "none", "drop", "drop", "case", "case"]
    assert rows[0] == ["none", "BLEU", "100.00"]
    assert rows[2][3] == f"{fall['difference']:+.2f}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--noise", "typo"], "--noise: expected typos, case, drop, swap, unknown, found 'typo'"),
        (["--noise", ""], "--noise: expected typos"),
        (["--noise", "case", "--noise-rate", "0"], "--noise-rate: input should be greater than 0"),
        (["--noise-rate", "0.2"], "--noise-rate has no effect without --noise"),
        (["--noise-seed", "2"], "--noise-seed has no effect without --noise"),
        (["--noise", "case", "--hypothesis", "s", "--reference", "s"], "--noise needs a model"),
        (["--noise", "case", "--aer", "gold"], "--aer scores only alignments: leave --noise out"),
    ],
)
def test_one_line_says_what_is_wrong(words: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["evaluate", *words])
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_noise_is_for_text_alone() -> None:
    request = EvaluateRequest((), noise=NoiseTestSettings(noise="case"))
    assert request.with_metrics(TEXT).metrics
    with pytest.raises(UsageError, match="--noise is for text"):
        request.with_metrics(Sides(source=Sound(8000)))


def test_a_tag_gets_no_noise() -> None:
    settings = NoiseTestSettings(noise="typos", noise_rate=1.0)
    own = [f"<2de> {source}" for source in SOURCES]
    plain = with_noise(SOURCES, "typos", settings)
    assert with_noise(own, "typos", settings, {"de"}) == tuple(f"<2de> {text}" for text in plain)
    assert all(text != source for text, source in zip(plain, SOURCES, strict=True))
