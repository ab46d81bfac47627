"""An unknown option is answered by what it means."""

import pytest
from typer.testing import CliRunner

from s2scli.cli.advice import advise
from s2scli.cli.app import app

OWN = ("--recipe", "--set", "--max-steps", "--device")
ELSEWHERE = {"--beam-size": ["s2s translate", "s2s generate"], "--device": ["s2s train"]}


@pytest.mark.parametrize(
    ("unknown", "own", "answer"),
    [
        ("--max_steps", OWN, "did you mean --max-steps?"),
        ("--iterations", OWN, "did you mean --max-steps?"),
        ("--preset", OWN, "did you mean --recipe?"),
        ("--lr-scheduler", OWN, "it is a setting: --set training.schedule.kind=VALUE"),
        (
            "--num-hidden-layers",
            OWN,
            "it is a setting: --set model.encoder.num_layers=VALUE "
            "--set model.decoder.num_layers=VALUE",
        ),
        ("--label-smoothing", OWN, "it is a setting: --set training.label_smoothing=VALUE"),
        ("--num-beams", (), "--beam-size is an option of s2s translate, s2s generate"),
        ("--device", (), "it is an option of s2s train"),
        ("--kind", OWN, ""),
        ("--name", OWN, ""),
        ("--label-smoothing", (), ""),
    ],
)
def test_the_answer_is_what_to_write(unknown: str, own: tuple[str, ...], answer: str) -> None:
    assert advise(unknown, own, ELSEWHERE) == answer


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (
            ("compare", "--hidden-size", "8"),
            "--set model.encoder.model_dim=VALUE --set model.decoder",
        ),
        (("train", "--d-model", "8"), "No such option: --d-model; did you mean --width?"),
        (("train", "--num-layers", "8"), "did you mean --layers?"),
        (("train", "--bf16"), "did you mean --precision?"),
        (("compare", "--lr", "8"), "it is a setting: --set training.optimizer.learning_rate=VAL"),
        (("train", "--resume"), "No such option: --resume; s2s train resumes automatically: "),
        (("train", "--tensorboard"), "it is a setting: --set training.track=VALUE"),
        (("train", "--patienc", "3"), "No such option: --patienc (Possible options: --patience)"),
        (("translate", "--num_beams=4"), "No such option: --num_beams; did you mean --beam-size?"),
        (("prepare", "--beam-size", "3"), "it is an option of s2s evaluate, s2s compare, s2s tra"),
        (("train", "--zzz"), "No such option: --zzz │"),
        (("--wandb",), "s2s logs to its workspace; use s2s inspect training"),
        (("train", "--world-size", "2"), "did you mean --processes?"),
    ],
)
def test_an_unknown_option_is_answered(words: tuple[str, ...], answer: str) -> None:
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert answer in " ".join(result.stderr.split())
