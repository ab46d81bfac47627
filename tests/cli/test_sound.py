"""Commands on a corpus and a model of sound, apart from `translate`."""

import json
import re
import shutil
from pathlib import Path

from typer.testing import CliRunner

from s2scli.cli.app import app


def test_the_next_commands_read_recordings(tone_workspace: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", "-w", str(tone_workspace), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert re.search(r"\nrecordings +\d", result.stdout) and "recordings/s" in result.stdout
    expected = f"next: s2s translate -w {tone_workspace} --files a.wav"
    assert result.stderr.splitlines()[-1] == expected


def test_recipes_for_sound_are_ranked_by_character_errors(
    tone_workspace: Path, tmp_path: Path
) -> None:
    workspace = shutil.copytree(tone_workspace, tmp_path / "workspace")
    budget = ["--max-steps", "2", "--device", "cpu", "-w", str(workspace)]
    seeds = ["--seed", "1", "--seed", "2"]
    result = CliRunner().invoke(app, ["compare", "tiny", *seeds, *budget])
    assert result.exit_code == 0, result.output
    heading = result.stdout.splitlines()[0]
    assert heading.index(" CER") < heading.index(" WER") and "BLEU" not in heading
    assert re.search(r"\nnext: s2s translate .* -m \S+ --files a\.wav\n", result.stderr)
    result = CliRunner().invoke(app, ["compare", "tiny", *seeds, *budget, "--json"])
    rates = [one["scores"][0]["value"] for one in json.loads(result.stdout)["results"]]
    assert rates == sorted(rates)
