"""`s2s compare`: one budget, one table; what stops it, and what it says of recipes that fail."""

import json
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2scli.artifacts import sha256_of
from s2scli.cli.app import app
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.pipeline import compare as pipeline
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.texts import read_split
from s2scli.report.console import Talk
from s2scli.training.checkpoint import list_checkpoints, load_checkpoint
from s2scli.training.events import Event
from s2scli.training.metrics_log import MetricsLog
from s2scli.workspace import Workspace
from tests.system.processes import kill, start, wait_for
from tests.toy import prepare_toy, train_toy, write_corpus

pytestmark = pytest.mark.usefixtures("quick_fsync")

RESTART = ("--restart", "--overwrite")
SMALL = ("--set", "training.log_every=2", "--set", "training.validate_every=4")
OTHER = """
[model.source]
embedding_dim = 8
[model.target]
embedding_dim = 8
[model.encoder]
kind = "gru"
model_dim = 8
[model.attention]
kind = "dot"
[model.decoder]
kind = "gru"
model_dim = 16
[training.optimizer]
kind = "adam"
learning_rate = 0.01
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace in which `tiny` and `small.toml`, beside it, were compared for 4 updates."""
    folder = tmp_path_factory.mktemp("compare")
    workspace = prepare_toy(folder / "workspace", 80)
    (folder / "small.toml").write_text(OTHER)
    result = run(workspace, "tiny", folder / "small.toml", "--max-steps", "4", *SMALL)
    assert result.exit_code == 0, result.stderr
    return workspace


@pytest.fixture
def workspace(compared: Workspace, tmp_path: Path) -> Workspace:
    shutil.copy(compared.root.parent / "small.toml", tmp_path)
    return Workspace(shutil.copytree(compared.root, tmp_path / "workspace"))


@pytest.fixture
def both(workspace: Workspace) -> tuple[str, str]:
    return "tiny", str(workspace.root.parent / "small.toml")


def run(workspace: Workspace, *arguments: str | Path) -> Result:
    words = ["compare", "--device", "cpu", "-w", str(workspace.root), *map(str, arguments)]
    return CliRunner().invoke(app, words)


def document(result: Result, status: int = 0) -> dict[str, Any]:
    assert result.exit_code == status, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(result: Result, status: int) -> str:
    assert (result.exit_code, result.stdout) == (status, ""), result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def without_times(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    moving = ("minutes", "tokens_per_second", "model")
    return [{key: value for key, value in row.items() if key not in moving} for row in rows]


def weights_of(workspace: Workspace, name: str) -> str:
    return sha256_of(workspace.of_run(name).model / "model.safetensors")


def test_one_table_best_first(workspace: Workspace, both: tuple[str, str]) -> None:
    result = run(workspace, *both, "--max-steps", "4", *SMALL, "--chrf")
    assert result.exit_code == 0, result.stderr
    heading, _, *rows = result.stdout.splitlines()[:4]
    expected = "recipe parameters minutes steps tokens/s cross-entropy chrF2 95 % interval p"
    assert " ".join(heading.split()) == expected
    first, second = (row.split() for row in rows)
    assert {first[0], second[0]} == {"tiny", "small"}
    assert "4" in first and float(first[-3 - 1]) >= float(second[-3 - 2]), "the best has no p"
    assert 0 < float(second[-1]) <= 1
    assert "test split, 20 sentences\nchrF2|nrefs:1|bs:1000|" in result.stdout
    assert f"next: s2s translate -w {workspace.root} -m " in result.stderr


def test_no_figure_is_cut_off_in_a_narrow_terminal(
    workspace: Workspace, both: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (*both, "--max-steps", "4", *SMALL, "--bleu", "--chrf", "--ter", "--exact-match")
    monkeypatch.setenv("COLUMNS", "300")
    wide = run(workspace, *arguments).stdout
    monkeypatch.setenv("COLUMNS", "40")
    assert run(workspace, *arguments).stdout == wide
    assert "…" not in wide and wide.count("95 % interval") == 4


def test_json_is_one_document(workspace: Workspace, both: tuple[str, str]) -> None:
    found = document(run(workspace, *both, "--max-steps", "4", *SMALL, "--json", "-q"))
    assert found.keys() == {"scored", "sentences", "noun", "metric", "results", "failures"}
    assert (found["scored"], found["sentences"], found["metric"]) == ("test split", 20, "bleu")
    assert found["failures"] == []
    best, other = found["results"]
    assert best["p"] is None and 0 < other["p"] <= 1
    assert other.keys() == best.keys() == {
        *("recipe", "model", "parameters", "minutes", "steps", "epochs", "ended"),
        *("tokens_per_second", "cross_entropy", "scores", "p"),
    }  # fmt: skip
    for row in (best, other):
        (score,) = row["scores"]
        assert score.keys() == {"name", "value", "signature", "interval"}
        assert (score["name"], len(score["interval"])) == ("BLEU", 2)
        assert (row["steps"], row["ended"]) == (4, "max_steps 4 reached")
        assert row["tokens_per_second"] > 0 and row["cross_entropy"] > 0
        assert row["parameters"] > 1000
        assert (Path(row["model"]) / "model.safetensors").exists()


def test_the_cross_entropy_is_that_of_the_best_model_and_no_loss(workspace: Workspace) -> None:
    (row,) = document(run(workspace, "tiny", "--max-steps", "4", *SMALL, "--json"))["results"]
    log = (workspace.of_run("tiny").training / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in log]
    best = max(
        (each for each in records if each["kind"] == "validation" and each["step"]),
        key=lambda each: each["scores"]["chrf"],
    )["scores"]
    assert 2.718281828459045 ** row["cross_entropy"] == pytest.approx(best["perplexity"])
    assert row["cross_entropy"] < best["loss"], "which is smoothed"


def test_a_compared_recipe_is_trained_as_train_does(compared: Workspace, tmp_path: Path) -> None:
    alone = prepare_toy(tmp_path / "alone", 80)
    settings = ("training.log_every=2", "training.validate_every=4")
    train_toy(alone, *settings, max_steps=4)
    assert weights_of(compared, "tiny") == sha256_of(alone.model / "model.safetensors")


def test_the_scores_are_those_of_evaluate(workspace: Workspace) -> None:
    (row,) = document(
        run(workspace, "tiny", "--max-steps", "4", *SMALL, "--json", "--chrf", "--exact-match")
    )["results"]
    words = ["evaluate", "-w", str(workspace.root), "-m", row["model"], "--chrf", "--exact-match"]
    evaluated = CliRunner().invoke(app, [*words, "--device", "cpu", "--json"])
    assert document(evaluated)["scores"] == row["scores"]


def test_the_corpus_is_shared_and_the_runs_are_apart(compared: Workspace) -> None:
    names = sorted(path.name for path in compared.root.iterdir() if path.is_dir())
    assert names == ["compare", "corpus", "encoded", "tokenizer"]
    for name in ("tiny", "small"):
        folders = {path.name for path in compared.of_run(name).home.iterdir() if path.is_dir()}
        assert folders == {"training", "model", "outputs"}


def test_what_is_done_is_not_done_again(
    workspace: Workspace, both: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*both, "--max-steps", "4", *SMALL, "--json")
    before = document(run(workspace, *command))

    def refuse(*arguments: object) -> None:
        raise AssertionError("it is there")

    monkeypatch.setattr("s2scli.training.loop._update", refuse)
    monkeypatch.setattr(pipeline, "evaluate_model", refuse)
    assert document(run(workspace, *command)) == before
    assert document(run(workspace, *command, "--ter"))["metric"] == "ter", "scored anew, no more"


def test_outputs_are_made_again_for_another_search(workspace: Workspace) -> None:
    outputs = workspace.of_run("tiny").outputs / "manifest.json"
    before = outputs.read_bytes()
    run(workspace, "tiny", "--max-steps", "4", *SMALL, "--beam-size", "1")
    assert outputs.read_bytes() != before
    assert '"beam_size": 1' in outputs.read_text()


def test_damaged_outputs_are_made_again(workspace: Workspace) -> None:
    command = ("tiny", "--max-steps", "4", *SMALL, "--json", "--chrf")
    before = document(run(workspace, *command))["results"]
    (workspace.of_run("tiny").outputs / "outputs.txt").write_text("something else\n")
    assert document(run(workspace, *command))["results"] == before


def test_a_raised_budget_goes_on(workspace: Workspace) -> None:
    result = run(workspace, "tiny", "--max-steps", "6", *SMALL, "--json")
    assert [row["steps"] for row in document(result)["results"]] == [6]
    assert "resuming from step 4" in result.stderr


def test_the_budget_is_the_same_whatever_a_recipe_says(workspace: Workspace) -> None:
    lower = ("--set", "training.limits.max_epochs=1", "--set", "training.limits.max_steps=2")
    result = run(workspace, "tiny", "--max-steps", "50", *lower, "--json", *RESTART)
    (row,) = document(result)["results"]
    assert row["steps"] == 50 and row["epochs"] > 1


@pytest.mark.gate
def test_killed_and_started_again_it_ends_as_if_nothing_had_been(
    compared: Workspace, tmp_path: Path
) -> None:
    small = tmp_path / "small.toml"
    small.write_text(OTHER)
    whole, killed = (
        Workspace(shutil.copytree(compared.root, tmp_path / name)) for name in ("whole", "killed")
    )
    for workspace in (whole, killed):
        shutil.rmtree(workspace.root / "compare")
    words = ("--max-steps", 40, "--set", "training.save_every=5", *SMALL, "--device", "cpu")
    command = ("compare", "tiny", small, *words, "--json", "--chrf")
    process = start(*command, workspace=killed.root)
    try:
        wait_for(lambda: bool(list_checkpoints(killed.of_run("small").training)[2:]), process)
    finally:
        kill(process)
    assert weights_of(killed, "tiny")
    result = run(killed, *map(str, command[1:]))
    assert "small: recipe 2 of 2\nrecipe small:" in result.stderr
    assert "resuming from step" in result.stderr
    expected = document(run(whole, *map(str, command[1:])))
    assert without_times(document(result)["results"]) == without_times(expected["results"])
    for name in ("tiny", "small"):
        assert weights_of(killed, name) == weights_of(whole, name)


@pytest.mark.parametrize("restart", [False, True])
def test_an_interrupt_stops_it_all_and_it_goes_on(
    workspace: Workspace, both: tuple[str, str], restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--restart", "--overwrite"] * restart

    def interrupt(log: MetricsLog, event: Event, *more: Mapping[str, float]) -> None:
        patched.undo()
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(MetricsLog, "add", interrupt)
        result = run(workspace, *both, "--max-steps", "8", *SMALL, "--json", *flags)
    failures = [{"recipe": "tiny", "error": "stopped by a signal", "signal": 2}]
    assert document(result, 130)["failures"] == failures
    assert "small: recipe" not in result.stderr
    without = " without --restart" * restart
    assert f"saved; rerun the same command{without} to resume" in result.stderr
    rows = document(run(workspace, *both, "--max-steps", "8", *SMALL, "--json"))["results"]
    assert [row["steps"] for row in rows] == [8, 8]


def test_a_recipe_that_fails_does_not_lose_the_others(workspace: Workspace, tmp_path: Path) -> None:
    text = OTHER.replace(
        'kind = "adam"\nlearning_rate = 0.01', 'kind = "sgd"\nlearning_rate = 1e38'
    )
    (tmp_path / "wild.toml").write_text(text + "[training]\nmax_gradient_norm = 0\n")
    (tmp_path / "odd.toml").write_text(OTHER.replace('kind = "dot"', 'kind = "dto"'))
    recipes = (tmp_path / "wild.toml", tmp_path / "odd.toml", "tiny")
    result = run(workspace, *recipes, "--max-steps", "40", *SMALL)
    assert result.exit_code == 3, result.stderr
    table = " ".join(result.stdout.split())
    assert "error" in table and "wild training diverged: 11 updates" in table
    assert "odd recipe odd: model.attention" in table
    assert table.startswith("recipe parameters") and "tiny 0.0" in table
    told = ["warning: odd: ", "wild: recipe 1 of 2", "warning: wild: training diverged", "2 of 2"]
    positions = [result.stderr.find(part) for part in told]
    assert -1 not in positions and positions == sorted(positions), (
        "what cannot be read is told first"
    )
    found = document(run(workspace, *recipes, "--max-steps", "40", *SMALL, "--json", "-q"), 3)
    assert [row["recipe"] for row in found["results"]] == ["tiny"]
    assert [row["recipe"] for row in found["failures"]] == ["odd", "wild"]
    assert all(row["error"] and row["signal"] == 0 for row in found["failures"])


def test_nothing_but_failures_is_no_ranking(workspace: Workspace) -> None:
    settings = ("--set", "training.seed=9")
    result = run(workspace, "tiny", "--max-steps", "4", *SMALL, *settings)
    assert result.exit_code == 3
    words = " ".join(result.stdout.split())
    assert "this workspace has other settings: training.seed: 1 -> 9" in words
    assert "next:" not in result.stderr
    refused = run(workspace, "tiny", "--max-steps", "4", *settings, "--restart")
    assert refused.exit_code == 73
    assert re.search(r"remove trained runs: .*tiny/model .*add --overwrite", refused.stderr)
    again = document(run(workspace, "tiny", "--max-steps", "4", *settings, *RESTART, "--json"))
    assert [row["steps"] for row in again["results"]] == [4]


def test_runs_of_another_corpus_are_not_gone_on_with(workspace: Workspace, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "other.tsv", 90, seed=2)
    settings = PrepareSettings(valid_size=20, test_size=20)
    prepare(workspace, Inputs((corpus,)), settings, Talk(quiet=True), overwrite=True)
    (failure,) = document(run(workspace, "tiny", "--max-steps", "4", *SMALL, "--json"), 3)[
        "failures"
    ]
    assert "was trained with a different corpus; start again with --restart" in failure["error"]
    again = document(run(workspace, "tiny", "--max-steps", "4", *SMALL, "--json", *RESTART))
    assert [row["steps"] for row in again["results"]] == [4]


def test_a_plain_twin_finds_the_same_p(workspace: Workspace, both: tuple[str, str]) -> None:
    import numpy as np
    from sacrebleu.metrics.chrf import CHRF

    command = (*both, "--max-steps", "4", *SMALL, "--chrf", "--resamples", "60", "--json")
    best, other = document(run(workspace, *command))["results"]
    references = list(read_split(Corpus.load(workspace.corpus), "test").references)
    said = [
        (Path(row["model"]).parent / "outputs" / "outputs.txt").read_text().splitlines()
        for row in (best, other)
    ]
    generator = np.random.default_rng(12345)
    not_won = 1
    for _ in range(60):
        drawn = generator.integers(20, size=20)
        one, two = (
            CHRF().corpus_score([lines[i] for i in drawn], [[references[i] for i in drawn]]).score
            for lines in said
        )
        not_won += one <= two
    assert other["p"] == pytest.approx(not_won / 61)


def test_seeds_are_rows(workspace: Workspace) -> None:
    found = document(
        run(workspace, "tiny", "--seed", "1", "--seed", "2", "--max-steps", "4", *SMALL, "--json")
    )
    assert {row["recipe"] for row in found["results"]} == {"tiny-seed-1", "tiny-seed-2"}
    assert weights_of(workspace, "tiny-seed-1") == weights_of(workspace, "tiny")
    assert weights_of(workspace, "tiny-seed-2") != weights_of(workspace, "tiny")
    seeds = {
        load_checkpoint(list_checkpoints(workspace.of_run(name).training)[0]).settings["training"][
            "seed"
        ]
        for name in ("tiny-seed-1", "tiny-seed-2")
    }
    assert seeds == {1, 2}


def test_without_a_test_split_the_validation_split_is_scored(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.tsv", 80)
    settings = PrepareSettings(valid_size=20, test_size=0)
    prepare(Workspace(tmp_path / "w"), Inputs((corpus,)), settings, Talk(quiet=True))
    result = run(Workspace(tmp_path / "w"), "tiny", "--max-steps", "2", "--json", "-q")
    assert "warning: the corpus has no test split; scoring the validation split" in result.stderr
    assert document(result)["scored"] == "valid split"


def test_one_word_targets_ask_for_exact_match(workspace: Workspace, tmp_path: Path) -> None:
    hint = "most targets are one word; --exact-match is more informative than BLEU for them"
    assert hint in run(workspace, "tiny", "--max-steps", "4", *SMALL).stderr
    assert hint not in run(workspace, "tiny", "--max-steps", "4", *SMALL, "--chrf").stderr
    rows = [f"{n} {n} is\t{n} words {n} long\n" for n in range(80)]
    (tmp_path / "long.tsv").write_text("".join(rows))
    inputs, settings = Inputs((tmp_path / "long.tsv",)), PrepareSettings(valid_size=9, test_size=9)
    prepare(Workspace(tmp_path / "w"), inputs, settings, Talk(quiet=True))
    assert hint not in run(Workspace(tmp_path / "w"), "tiny", "--max-steps", "1").stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (
            ("tiny",),
            2,
            "no training budget: give one or more of --max-minutes, --max-steps, --max-epoch",
        ),
        (("tiny", "--patience", "3"), 2, "no training budget"),
        (("tiny", "tiny", "--max-steps", "1"), 2, "two recipes are called tiny: tiny and tiny"),
        (("tinny", "--max-steps", "1"), 78, "unknown recipe 'tinny'; did you mean tiny?"),
        (("none.toml", "--max-steps", "1"), 66, "none.toml: no such file"),
        (("tiny", "--max-steps", "0"), 2, "--max-steps: input should be greater than or equal"),
        (("tiny", "--max-steps", "1", "--beam-size", "0"), 2, "--beam-size: "),
        (("tiny", "--max-steps", "1", "--device", "tpu"), 78, "--device tpu: unknown"),
    ],
)
def test_a_comparison_that_makes_no_sense_begins_nothing(
    compared: Workspace, arguments: tuple[str, ...], status: int, message: str
) -> None:
    before = sorted(compared.root.rglob("*"))
    assert message in refused(run(compared, *arguments), status)
    assert sorted(compared.root.rglob("*")) == before


def test_two_files_of_one_name_are_told_apart_by_the_user(workspace: Workspace) -> None:
    other = workspace.root / "tiny.toml"
    other.write_text(OTHER)
    line = refused(run(workspace, "tiny", other, "--max-steps", "1"), 2)
    assert (
        f"two recipes are called tiny: tiny and {other}; copy one of them to a file with another"
        in line
    )


def test_a_name_that_would_leave_the_folder_is_refused(workspace: Workspace) -> None:
    odd = workspace.root / "...toml"  # its stem is `..`
    odd.write_text(OTHER)
    line = refused(run(workspace, odd, "--max-steps", "1"), 2)
    assert "the name of a recipe to compare cannot start with a dot" in line


def test_a_missing_corpus_is_missing_input(tmp_path: Path) -> None:
    line = refused(run(Workspace(tmp_path / "nothing"), "tiny", "--max-steps", "1"), 66)
    assert "no corpus here; make one: s2s prepare" in line
    assert not (tmp_path / "nothing").exists()


def test_a_workspace_in_use_is_refused(workspace: Workspace) -> None:
    with workspace.locked("train"):
        line = refused(run(workspace, "tiny", "--max-steps", "4"), 73)
    assert "is in use by `s2s train`" in line


def test_a_run_in_use_ends_it(workspace: Workspace) -> None:
    run_ = workspace.of_run("tiny")
    with run_.locked("train"):
        line = refused(run(workspace, "tiny", "--max-steps", "4", "-q"), 73)
    assert f"{run_.home} is in use by" in line
