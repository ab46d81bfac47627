"""`s2s export`, and `s2s translate --engine`, by tiny Transformers."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.manifest import encode_json
from s2scli.translation.loading import folder_beside
from tests.folders import letters_of, write_model, write_transformer
from tests.machines import needs_int8

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

LINES = ["a bad cab", "", "face", "hi jig", "abc abc abc abc abc abc abc abc", "j"]
TEXT = "".join(f"{line}\n" for line in LINES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with its export beside it."""
    folder = write_transformer(tmp_path_factory.mktemp("exported") / "model")
    result = run("export", "-m", str(folder))
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(folder_beside(whole), tmp_path / "model-ctranslate2")
    return shutil.copytree(whole, tmp_path / "model")


def run(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=given)


def translate(model: Path, *flags: str, given: str = TEXT) -> Result:
    words = ("-m", str(model), "--device", "cpu", "--max-length", "6")
    return run("translate", *words, *flags, given=given)


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def seal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda manifest: None) -> None:
    """Make the manifest agree with the files and with a change of it, as an attacker would."""
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    manifest.pop("digest")
    for name, record in manifest["files"].items():
        content = (folder / name).read_bytes()
        record |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    change(manifest)
    digest = hashlib.sha256(encode_json(manifest)).hexdigest()
    (folder / "manifest.json").write_bytes(encode_json({**manifest, "digest": digest}))


@pytest.mark.parametrize(
    "flags",
    [("--beam-size", "1"), ("--beam-size", "1", "--scores"), ("--beam-size", "1", "--nbest", "1")],
)
def test_both_engines_write_the_same(whole: Path, flags: tuple[str, ...]) -> None:
    theirs = translate(whole, *flags, "--engine", "ctranslate2")
    ours = translate(whole, *flags, "--engine", "pytorch")
    assert lines(theirs) == lines(ours)
    assert theirs.stderr == ours.stderr
    assert len(lines(theirs)) >= len(LINES)


def test_an_export_works_by_itself_wherever_it_is_copied(whole: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder_beside(whole), tmp_path / "elsewhere")
    expected = lines(translate(whole, "--engine", "ctranslate2"))
    assert lines(translate(copied)) == expected
    assert lines(translate(copied, "--engine", "ctranslate2")) == expected


def test_n_best_are_sorted_and_distinct(whole: Path) -> None:
    found = lines(translate(whole, "--beam-size", "4", "--nbest", "4", "--engine", "ctranslate2"))
    for number, line in enumerate(LINES):
        rows = [row.split(" ||| ") for row in found if row.startswith(f"{number} ")]
        scores = [float(score) for *_, score in rows]
        assert scores == sorted(scores, reverse=True)
        assert bool(line) == any(score for score in scores)


def test_json_has_the_scores_of_the_tokens(whole: Path) -> None:
    flags = ("--json", "--beam-size", "1")
    for one, other in zip(
        map(json.loads, lines(translate(whole, *flags, "--engine", "pytorch"))),
        map(json.loads, lines(translate(folder_beside(whole), *flags))),
        strict=True,
    ):
        assert (one["status"], one["translation"]) == (other["status"], other["translation"])
        assert one["source_tokens"] == other["source_tokens"]
        for mine, theirs in zip(one["hypotheses"], other["hypotheses"], strict=True):
            assert theirs["tokens"] == mine["tokens"]
            assert theirs["token_scores"] == pytest.approx(mine["token_scores"], abs=1e-4)
            assert theirs["alignment"] is None


@pytest.mark.parametrize(
    ("flags", "engine"),
    [
        ((), "engine: CTranslate2"),
        (("--scores", "--nbest", "2")[1:], "engine: CTranslate2"),
        (("--engine", "pytorch"), "engine: PyTorch"),
        (("--engine", "ctranslate2", "--json"), "engine: CTranslate2"),
        (("--json",), "because of --json, which shows the alignment"),
        (("--alignment",), "because of --alignment"),
        pytest.param(("--int8",), "because of --int8", marks=needs_int8),
        (("--max-length-ratio", "900"), "because of outputs of 18"),
    ],
)
def test_the_engine_is_chosen_by_what_is_asked_for(
    whole: Path, flags: tuple[str, ...], engine: str
) -> None:
    words = ("-m", str(whole), "--device", "cpu", "--max-length-ratio", "0.1", "-v", *flags)
    result = run("translate", *words, given="abc\n")
    assert result.exit_code == 0, result.output
    assert engine in result.stderr
    assert ("engine: PyTorch" in result.stderr) == ("CTranslate2 (" not in result.stderr)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--alignment",), "CTranslate2 does not support --alignment; leave that out, or choose"),
        (("--max-length-ratio", "900"), "CTranslate2 does not support outputs of"),
        (("--int8",), "CTranslate2 does not support --int8; leave that out, or choose"),
        (("--beam-size", "0"), "--beam-size"),
    ],
)
def test_what_ctranslate2_cannot_do_is_an_error_if_it_is_asked_for(
    whole: Path, flags: tuple[str, ...], message: str
) -> None:
    result = run("translate", "-m", str(whole), "--engine", "ctranslate2", *flags, given="a\n")
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_an_ensemble_is_for_pytorch(whole: Path, tmp_path: Path) -> None:
    other = write_transformer(tmp_path / "other", seed=2)
    words = (
        "translate",
        "-m",
        str(whole),
        "-m",
        str(other),
        "--device",
        "cpu",
        "--max-length",
        "3",
    )
    assert "engine: PyTorch" in run(*words, "-v", given="a\n").stderr
    result = run(*words, "--engine", "ctranslate2", given="a\n")
    assert result.exit_code == 2
    assert "several models (-m)" in result.stderr


def test_an_export_is_not_for_pytorch(whole: Path) -> None:
    result = translate(folder_beside(whole), "--engine", "pytorch")
    assert result.exit_code == 2
    assert "give the model folder that it was made from" in result.stderr
    result = translate(folder_beside(whole), "--alignment")
    assert "leave that out, or give the model folder" in result.stderr


def test_a_wrong_engine_is_named(whole: Path) -> None:
    result = translate(whole, "--engine", "tensorflow")
    assert result.exit_code == 2
    assert "--engine" in result.stderr


def test_an_export_of_an_older_model_is_not_used(model: Path) -> None:
    shutil.rmtree(model)
    write_transformer(model, seed=2)
    result = translate(model, "-v")
    assert "an export of another model" in result.stderr
    assert "engine: PyTorch" in result.stderr
    result = translate(model, "--engine", "ctranslate2")
    assert result.exit_code == 65
    assert "make one: s2s export" in result.stderr
    assert run("export", "-m", str(model)).exit_code == 0  # in the place of the old one
    assert "engine: CTranslate2" in translate(model, "-v").stderr


def test_without_an_export_pytorch_translates(tmp_path: Path) -> None:
    model = write_transformer(tmp_path / "model")
    assert "engine: PyTorch" in translate(model, "-v").stderr
    result = translate(model, "--engine", "ctranslate2")
    assert result.exit_code == 66
    assert "no export of the model here; make one: s2s export" in result.stderr


def test_without_ctranslate2_pytorch_translates(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    assert "engine: PyTorch" in translate(whole, "-v").stderr
    for words in (
        ("translate", "-m", str(folder_beside(whole))),
        ("translate", "-m", str(whole), "--engine", "ctranslate2"),
        ("export", "-m", str(whole)),
    ):
        result = run(*words, given="a\n")
        assert result.exit_code == 69
        assert "pip install 's2scli[ctranslate2]'" in result.stderr


def test_lines_that_are_too_long_are_split_and_joined(whole: Path) -> None:
    text = "abcdefgh " * 6 + "\n"
    flags = ("--beam-size", "1", "--scores")
    ours = lines(translate(whole, *flags, "--engine", "pytorch", given=text))
    assert lines(translate(whole, *flags, "--engine", "ctranslate2", given=text)) == ours


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_wrong_device_is_named(whole: Path, device: str) -> None:
    result = run("translate", "-m", str(whole), "--device", device, given="a\n")
    assert result.exit_code == 78
    assert f"--device {device}: " in result.stderr


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (("--quantization", "int4"), 2, "--quantization"),
        (("--to", "keras"), 2, "--to"),
        (("--lines", "5"), 2, "--lines has no effect without --verify"),
        (("--tolerance", "1"), 2, "--tolerance has no effect without --verify"),
        (("--verify", "nowhere.tsv"), 66, "nowhere.tsv"),
        (("pairs.tsv",), 2, "pairs.tsv has no effect without --verify"),
        (("--verify", "-w", "nowhere"), 66, "no corpus here; make one: s2s prepare"),
        (("--verify", "-w", "nowhere"), 66, "or use a file of pairs: --verify FILE"),
    ],
)
def test_a_wrong_flag_is_named(
    whole: Path, tmp_path: Path, flags: tuple[str, ...], status: int, message: str
) -> None:
    result = run("export", "-m", str(whole), "-o", str(tmp_path / "out"), *flags)
    assert result.exit_code == status
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def pairs(folder: Path) -> Path:
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{line}\t{line[::-1]}\n" for line in LINES * 2))
    return path


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_verify_shows_how_the_engines_agree(whole: Path, tmp_path: Path, quantization: str) -> None:
    output = tmp_path / "out"
    words = ("export", "-m", str(whole), "-o", str(output), "--quantization", quantization)
    result = run(
        *words, "--verify", str(pairs(tmp_path)), "--lines", "5", "--tolerance", "100", "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["folder"] == str(output)
    names = [one["engine"] for one in report["agreements"]]
    assert names == ["PyTorch float32", "CTranslate2 float32", "CTranslate2 int8"]
    ours, exact, small = report["agreements"]
    assert ours["tokens"] == 1
    assert exact["score_difference"] < 1e-4 < small["score_difference"]
    assert exact["bleu_difference"] == exact["bleu"] - ours["bleu"]
    assert all(one["lines_per_second"] > 0 for one in report["agreements"])


def test_without_a_file_the_validation_split_verifies(whole: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.tsv"
    corpus.write_text("".join(f"{line}\t{line[::-1]}\n" for line in LINES))
    workspace = ("-w", str(tmp_path / "w"))
    prepared = run("prepare", str(pairs(tmp_path)), "--valid", str(corpus), *workspace)
    assert prepared.exit_code == 0, prepared.output
    words = ("export", "-m", str(whole), "--tolerance", "100", "--json")
    split = run(*words, "-o", str(tmp_path / "a"), "--verify", *workspace)
    assert split.exit_code == 0, split.output
    given = run(*words, "-o", str(tmp_path / "b"), "--verify", str(corpus))
    ours, theirs = json.loads(split.stdout), json.loads(given.stdout)
    assert ours["lines"] == theirs["lines"] > 0
    for one, other in zip(ours["agreements"], theirs["agreements"], strict=True):
        assert {**one, "lines_per_second": 0} == {**other, "lines_per_second": 0}


def test_verify_shows_a_table_and_what_to_do_next(whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "an export"
    words = ("export", "-m", str(whole), "-o", str(output), "--tolerance", "100")
    result = run(*words, "--verify", str(pairs(tmp_path)))
    assert result.exit_code == 0, result.output
    assert "same tokens" in result.stdout
    assert f"next: s2s translate -m {shlex.quote(str(output))} <" in result.stderr


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "joint.model"])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_damaged_export_is_refused(model: Path, name: str, sealed: bool) -> None:
    folder = folder_beside(model)
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    if sealed:
        seal(folder)
    result = translate(folder)
    assert result.exit_code == 65, result.output
    assert str(folder) in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["facts"].pop("positions"),
        lambda manifest: manifest["facts"].update(positions=900),
        lambda manifest: manifest["facts"].update(max_source_tokens="many"),
        lambda manifest: manifest["facts"].update(search={"beam_size": 0}),
        lambda manifest: manifest["facts"].update(extra=1),
        lambda manifest: manifest["made_from"].update(tokenizer="0" * 64),
        lambda manifest: manifest.update(format=99),
        lambda manifest: manifest.update(kind="model"),
        lambda manifest: manifest["files"].update({"../x": {"bytes": 0, "sha256": ""}}),
    ],
)
def test_a_wrong_manifest_is_refused(
    model: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    folder = folder_beside(model)
    seal(folder, change)
    result = translate(folder)
    assert result.exit_code == 65, result.output
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_other_commands_say_what_they_expected(whole: Path) -> None:
    result = run("inspect", "model", "-m", str(folder_beside(whole)))
    assert result.exit_code == 65
    assert "expected the kind model, found 'ctranslate2'" in result.stderr


def test_whether_a_recipe_exports_is_said_before_training(tmp_path: Path) -> None:
    shown = run("inspect", "recipe", "vaswani2017").stdout
    assert "can be exported to CTranslate2" in shown
    shown = run("inspect", "recipe", "bahdanau2015").stdout
    assert "cannot be exported to CTranslate2: the encoder is recurrent" in shown
    (tmp_path / "corpus.tsv").write_text("".join(f"a{i}\tb{i}\n" for i in range(300)))
    workspace = ("-w", str(tmp_path / "workspace"))
    run("prepare", str(tmp_path / "corpus.tsv"), "-q", *workspace)
    trained = ("train", *workspace, "-r", "tiny", "--max-steps", "1", "--device", "cpu")
    said = run(*trained).stderr
    assert "the model cannot be exported to CTranslate2: " in " ".join(said.split())
    assert said.index("the model cannot") < said.index("step 1")


def test_a_line_is_translated_without_torch(whole: Path) -> None:
    program = (
        "import sys; from s2scli.cli.app import app\n"
        f"sys.argv = ['s2s', 'translate', '-m', {str(whole)!r}, '--max-length', '3']\n"
        "try:\n    app()\nfinally:\n"
        "    assert not {'torch', 'pyarrow', 'sacrebleu'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program],
        input="abc\n",
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert result.stdout.count("\n") == 1


def test_an_export_to_transformers_stores_float32(whole: Path, tmp_path: Path) -> None:
    words = ("export", "-m", str(whole), "--to", "huggingface", "-o", str(tmp_path / "out"))
    result = run(*words, "--quantization", "int8")
    assert result.exit_code == 2
    assert "--quantization has no effect with --to huggingface" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_export_to_transformers_is_verified_token_by_token(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    words = ("export", "--to", "huggingface", "-o", str(tmp_path / "out"), "-m")
    result = run(*words, str(whole))
    assert result.exit_code == 78
    assert "model.encoder.norm_first is true, and a MarianMTModel needs false" in result.stderr
    post = [f"model.{stack}.norm_first=false" for stack in ("encoder", "decoder")]
    model = write_transformer(tmp_path / "model", *post)
    verify = ("--verify", str(pairs(tmp_path)), "--tolerance", "100", "--json")
    result = run(*words, str(model), *verify)
    assert result.exit_code == 0, result.output
    _, beam, greedy = json.loads(result.stdout)["agreements"]
    assert beam["score_difference"] < 1e-4
    assert greedy["tokens"] == 1
    assert greedy["engine"] == "Transformers greedy"


# ONNX Runtime


@pytest.fixture(scope="module")
def graphs(whole: Path) -> Path:
    """The export of the model to ONNX, beside it."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    result = run("export", "-m", str(whole), "--to", "onnx")
    assert result.exit_code == 0, result.output
    assert f"next: s2s translate -m {whole}-onnx" in " ".join(result.stderr.split())
    return folder_beside(whole, "onnx")


@pytest.mark.parametrize(
    "flags",
    [
        ("--scores",),
        ("--nbest", "3", "--beam-size", "3"),
        ("--alignment",),
        ("--sample", "--seed", "7"),
        ("--no-repeat-ngram", "2"),
    ],
)
def test_onnx_runtime_writes_what_pytorch_writes(
    whole: Path, graphs: Path, flags: tuple[str, ...]
) -> None:
    expected = lines(translate(whole, *flags, "--engine", "pytorch"))
    assert lines(translate(graphs, *flags)) == expected
    assert lines(translate(whole, *flags, "--engine", "onnx")) == expected


def test_an_export_to_onnx_is_verified_token_by_token(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    words = ("export", "--to", "onnx", "-o", str(tmp_path / "out"), "-m", str(whole), "--json")
    result = run(*words, "--verify", str(pairs(tmp_path)))
    assert result.exit_code == 0, result.output
    _, beam, greedy = json.loads(result.stdout)["agreements"]
    assert (beam["engine"], greedy["engine"]) == ("ONNX Runtime float32", "ONNX Runtime greedy")
    assert beam["score_difference"] < 1e-4
    assert beam["tokens"] == greedy["tokens"] == 1


def test_what_cannot_be_exported_to_onnx_is_one_line(whole: Path, tmp_path: Path) -> None:
    result = run("export", "-m", str(whole), "--to", "onnx", "--quantization", "int8")
    assert result.exit_code == 2
    assert "--quantization has no effect with --to onnx" in result.stderr
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = write_model(tmp_path / "model", letters_of(["abcdefgh ij"]))
    result = run("export", "-m", str(model), "--to", "onnx")
    assert result.exit_code == 78
    said = " ".join(result.stderr.split())
    assert "cannot be exported to ONNX Runtime: the encoder is recurrent (gru)" in said
    assert said.endswith("translate with the model folder itself")


def test_without_onnx_runtime_one_line_says_what_to_install(
    graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = translate(graphs)
    assert result.exit_code == 69
    assert "pip install 's2scli[onnx]'" in result.stderr
