"""`s2s verify`: a table, JSON or digests, and the exit status of the worst."""

import json
import shlex
import shutil
from pathlib import Path

from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.manifest import MANIFEST


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def digest_of(folder: Path) -> str:
    return str(json.loads((folder / MANIFEST).read_bytes())["digest"])


def damaged_copy(model: Path, folder: Path) -> Path:
    shutil.copytree(model, folder)
    (folder / "recipe.toml").write_text("")
    return folder


def test_sound_artifacts_are_shown(model: Path) -> None:
    for arguments in ([model], ["-w", model.parent], [model.parent]):
        result = run(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "model" in result.stdout and "sound" in result.stdout


def test_a_digest_is_one_line_and_names_the_contents(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    result = run("--digest", model, copy)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{digest_of(model)}\n" * 2


def test_a_digest_is_of_what_is_sound_and_of_one_artifact(model: Path, tmp_path: Path) -> None:
    result = run("--digest", damaged_copy(model, tmp_path / "copy"))
    assert (result.exit_code, result.stdout) == (65, "")
    workspace = shutil.copytree(model.parent, tmp_path / "a workspace")
    result = run("--digest", workspace)
    assert (result.exit_code, result.stdout) == (2, "")
    advice = f"s2s verify --digest {shlex.quote(str(workspace / 'model'))}"
    assert advice in " ".join(result.stderr.split())


def test_damage_is_65_and_absence_is_66(model: Path, tmp_path: Path) -> None:
    copy = damaged_copy(model, tmp_path / "copy")
    result = run(model, tmp_path / "none", copy)
    assert result.exit_code == 65
    assert result.stderr.startswith(f"error: {copy / 'recipe.toml'}: damaged")
    assert result.stderr.count("\n") == 1
    result = run(model, tmp_path / "none")
    assert result.exit_code == 66
    assert result.stderr == f"error: {tmp_path / 'none'}: no such folder\n"


def test_json_is_one_document(model: Path, tmp_path: Path) -> None:
    result = run("--json", model, tmp_path / "none")
    assert result.exit_code == 66
    document = json.loads(result.stdout)
    assert document["sound"] is False
    sound, absent = document["artifacts"]
    expected = {"kind": "model", "path": str(model), "state": "sound", "why": ""}
    assert sound == {**expected, "digest": digest_of(model)}
    assert (absent["state"], absent["digest"]) == ("absent", "")
