"""`s2s translate` for recordings, by a translator that names tones, and by a trained model."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.sounds import SECONDS, saying, silence, tone_translator, write_wav
from tests.translation import stub

Run = Callable[..., Result]


@pytest.fixture
def translate(monkeypatch: pytest.MonkeyPatch, stub_model: Path) -> Run:
    monkeypatch.setitem(sys.modules, stub.MODULE, stub.stub_module(tone_translator))

    def run(*arguments: str | Path, given: str = "") -> Result:
        words = ["translate", "-m", str(stub_model), *map(str, arguments)]
        return CliRunner().invoke(app, words, input=given)

    return run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A short recording, a long one and a silent one."""
    return {
        "short": write_wav(tmp_path / "short.wav", saying("high", 0.05)),
        "long": write_wav(tmp_path / "long.wav", saying("low high low", 0.4)),
        "silent": write_wav(tmp_path / "silent.wav", silence(2)),
    }


def test_lines_are_paths(translate: Run, files: dict[str, Path]) -> None:
    result = translate(given="".join(f"{path}\n" for path in files.values()))
    assert (result.exit_code, result.stdout) == (0, "high\nlow high low\n\n")


def test_paths_in_a_file_are_looked_up_beside_it_first(
    translate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, current = tmp_path / "table", tmp_path / "current"
    for folder, word in ((table, "high"), (current, "low")):
        folder.mkdir()
        write_wav(folder / "a.wav", saying(word, 0.05))
    write_wav(current / "b.wav", saying("low", 0.05))
    (table / "list.txt").write_text("a.wav\nb.wav\n")
    (table / "rows.jsonl").write_text('{"source": "a.wav"}\n{"source": "b.wav"}\n')
    monkeypatch.chdir(current)
    for name in ("list.txt", "rows.jsonl"):
        result = translate("--json", table / name)
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [(one["source"], one["translation"]) for one in records] == [
            ("a.wav", "high"),
            ("b.wav", "low"),
        ]
    assert translate(given="a.wav\nb.wav\n").stdout == "low\nlow\n", "stdin has no folder"


def test_files_are_recordings_themselves(translate: Run, files: dict[str, Path]) -> None:
    result = translate("--files", *files.values(), "--window", "2")
    assert (result.exit_code, result.stdout) == (0, "high\nlow high low\n\n")
    result = translate("--files", "--format", "text", files["short"])
    assert (result.exit_code, result.stdout) == (0, "high\n")


def test_a_broken_file_fails_alone(translate: Run, files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    result = translate("--files", tmp_path / "broken.wav", files["short"])
    assert (result.exit_code, result.stdout) == (3, "\nhigh\n")
    assert "broken.wav" in result.stderr


@pytest.mark.parametrize("flags", [["--json"], ["--format", "json"]])
def test_json_has_the_times_of_parts_and_words(
    translate: Run, files: dict[str, Path], flags: list[str]
) -> None:
    result = translate("--files", *files.values(), *flags)
    short, long, silent = map(json.loads, result.stdout.splitlines())
    assert short["parts"] == [{"text": "high", "start": 0.0, "end": 0.3}]
    assert short["words"] == [{"text": "high", "start": 0.043, "end": 0.257}]
    assert long["translation"] == "low high low"
    assert [(part["start"], part["end"]) for part in long["parts"]] == [
        (0.35, 0.65),
        (0.95, 1.25),
        (1.55, 1.85),
    ]
    assert [word["start"] for word in long["words"]] == [0.393, 0.993, 1.593]
    assert (silent["status"], silent["translation"], "parts" in silent) == ("empty", "", False)


def test_subtitles_go_to_a_file_a_folder_or_stdout(
    translate: Run, files: dict[str, Path], tmp_path: Path
) -> None:
    expected = "1\n00:00:00,000 --> 00:00:00,300\nhigh\n\n"
    assert translate("--files", files["short"], "--format", "srt").stdout == expected
    result = translate("--format", "srt", "-o", "-", given=f"{files['short']}\n")
    assert result.stdout == expected
    result = translate("--files", *files.values(), "--format", "srt", "-o", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "out" / "short.srt").read_text() == expected
    assert (tmp_path / "out" / "silent.srt").read_text() == ""


def test_a_failed_recording_gives_the_exit_status_3(translate: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    result = translate("--files", tmp_path / "broken.wav", "--format", "vtt")
    assert (result.exit_code, result.stdout) == (3, "")


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (["--files"], "--files needs the paths of recordings or pictures as arguments"),
        (["--format", "srt", "--json"], "give either --json or --format srt, not both"),
        (["--format", "srt", "--scores"], "--format srt writes the best output only: leave"),
        (["--format", "vtt", "--nbest", "2"], "leave --nbest out"),
        (["--format", "vtt", "--alignment"], "leave --alignment out"),
        (["--format", "json", "--scores"], "--json shows the scores already"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(
    translate: Run, flags: list[str], fault: str
) -> None:
    result = translate(*flags)
    assert result.exit_code == 2
    assert fault in " ".join(result.stderr.split())


def test_a_missing_file_is_one_line(translate: Run, tmp_path: Path) -> None:
    result = translate("--files", tmp_path / "none.wav")
    assert result.exit_code == 66
    assert "none.wav: no such file" in result.stderr


def test_a_text_model_has_no_subtitles(trained_workspace: Path) -> None:
    words = ["translate", "-w", str(trained_workspace), "--format", "srt"]
    result = CliRunner().invoke(app, words, input="one two\n")
    assert result.exit_code == 2
    assert "--format srt is for models that read sound; this one reads text" in result.stderr


def test_a_trained_model_places_its_words_inside_the_recording(
    tone_workspace: Path, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "a.wav", saying("low high"))
    words = ["translate", "-w", str(tone_workspace), "--files", str(path), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (part,) = document["parts"]
    assert (part["start"], part["end"]) == (0.0, 0.3 + 2 * SECONDS)
    assert [word["text"] for word in document["words"]] == document["translation"].split()
    times = [time for word in document["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert all(0 <= time <= part["end"] for time in times)
    assert document["source_tokens"][:3] == ["0.00", "0.04", "0.08"]
