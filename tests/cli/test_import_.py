"""`s2s import`, and other commands on what it writes."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.config import Recipe
from s2scli.errors import ConfigError
from s2scli.export.unpack import unpack
from s2scli.model.output.pointer import PointerOutputSettings
from s2scli.model.settings import ModelSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from tests.export.foreign_models import TEXTS, make_marian, make_opennmt
from tests.export.importing import READERS

TEXT = "".join(f"{text}\n" for text in TEXTS)


@pytest.fixture
def here() -> Iterator[None]:
    """Read checkpoints in this process, as they are our own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in READERS:
            patch.setattr(f"s2scli.export.{name}.read_checkpoint", unpack)
        yield


def run(*words: str, given: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=given)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("make", [make_marian, make_opennmt])
def test_commands_for_models_work_on_an_imported_one(make: type, tmp_path: Path) -> None:
    path, model = make().save(tmp_path / "theirs"), str(tmp_path / "a model")
    result = run("import", str(path), "-o", model)
    assert result.exit_code == 0, result.output
    assert f"next: s2s translate -m {shlex.quote(model)} <" in " ".join(result.stderr.split())
    words = ("-m", model, "--device", "cpu")
    ours = run("translate", *words, "--max-length", "9", "--engine", "pytorch", given=TEXT)
    assert ours.exit_code == 0, ours.output
    assert len(ours.stdout.splitlines()) == len(TEXTS)
    scored = run("score", *words, given=f"{TEXTS[0]}\t{TEXTS[1]}\n")
    assert scored.exit_code == 0, scored.output
    assert float(scored.stdout) < 0
    shown = run("inspect", "attention", TEXTS[0], *words)
    assert shown.exit_code == 0, shown.output
    assert "imported" in run("inspect", "model", *words[:2], "-v").output


@pytest.mark.usefixtures("here")
def test_what_needs_an_end_token_says_so(tmp_path: Path) -> None:
    path, model = make_opennmt().save(tmp_path / "theirs"), tmp_path / "model"
    assert run("import", str(path), "-o", str(model)).exit_code == 0
    result = run("inspect", "saliency", TEXTS[0], "-m", str(model))
    assert result.exit_code == 2
    assert "read an end token after a source" in result.stderr
    copying = Recipe(model=ModelSettings(output=PointerOutputSettings()))
    with pytest.raises(ConfigError, match=r"model\.output\.kind: pointer needs an end token"):
        copying.copier(Tokenizers.load(model))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("make", [make_marian, make_opennmt])
def test_an_imported_model_exports(make: type, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")
    path, model = make().save(tmp_path / "theirs"), str(tmp_path / "model")
    assert run("import", str(path), "-o", model).exit_code == 0
    exported = run("export", "-m", model)
    assert exported.exit_code == 0, exported.output
    words = ("translate", "-m", model, "--max-length", "9", "--beam-size", "1", "--engine")
    ours, theirs = (run(*words, engine, given=TEXT) for engine in ("pytorch", "ctranslate2"))
    assert theirs.stdout == ours.stdout != ""


@pytest.mark.usefixtures("here")
def test_json_and_the_model_of_the_workspace(tmp_path: Path) -> None:
    path = make_marian().save(tmp_path / "theirs")
    result = run("import", str(path), "-w", str(tmp_path / "w"), "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["program"] == "Marian"
    assert Path(report["folder"], "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("none",), 66, "none: no such file or folder"),
        ((".",), 65, "not a model that s2s can import"),
        ((".", "--target-spm", "x"), 2, "--target-spm needs --source-spm"),
        ((".", "--target-vocab", "x"), 2, "--target-vocab needs --source-vocab"),
        ((), 2, "PATH"),
    ],
)
def test_a_wrong_call_is_one_line(
    words: tuple[str, ...],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("import", *words)
    assert result.exit_code == status, result.output
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_marian, make_opennmt])
def test_it_is_read_in_a_process_of_its_own(make: type, tmp_path: Path) -> None:
    path = make().save(tmp_path / "theirs")
    result = run("import", str(path), "-o", str(tmp_path / "model"))
    assert result.exit_code == 0, result.output
