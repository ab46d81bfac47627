"""Subtitles of recordings, by a translator that names tones."""

from pathlib import Path

import pytest

from s2scli.data.stream import StreamSettings
from s2scli.errors import CorpusError, MissingInputError, StorageError, UsageError
from s2scli.pipeline.subtitles import SubtitleRequest, check_inputs, write_subtitles
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from s2scli.sides import Picture, Sides
from s2scli.translation.translator import Translator
from tests.sounds import saying, silence, tone_translator, write_wav
from tests.translation.stub import stub_translator

QUIET = Talk(quiet=True)

# each tone is a part: 0.2 s, and 0.05 s of the pauses around it
SRT = """\
1
00:00:00,350 --> 00:00:00,650
low

2
00:00:00,950 --> 00:00:01,250
high

"""
VTT = """\
WEBVTT

00:00:00.350 --> 00:00:00.650
<00:00:00.393>low

00:00:00.950 --> 00:00:01.250
<00:00:00.993>high

"""


def request(
    *inputs: Path, output: Path | None = None, files: bool = True, format: str = "srt"
) -> SubtitleRequest:
    return SubtitleRequest(inputs, files, output, format, SearchSettings(), StreamSettings())


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "talk.wav", saying("low high", 0.4))


def test_a_part_between_pauses_is_a_cue(recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "link.srt"
    output.symlink_to(tmp_path / "talk.srt")
    assert write_subtitles(tone_translator(), request(recording, output=output), QUIET) == 0
    assert output.is_symlink() and (tmp_path / "talk.srt").read_text() == SRT


def test_vtt_has_the_times_of_words_only_with_a_ctc_layer(recording: Path, tmp_path: Path) -> None:
    asked = request(recording, output=tmp_path / "talk.vtt", format="vtt")
    write_subtitles(tone_translator(), asked, QUIET)
    assert (tmp_path / "talk.vtt").read_text() == VTT
    write_subtitles(tone_translator(has_ctc=False), asked, QUIET)
    plain = VTT.replace("<00:00:00.393>", "").replace("<00:00:00.993>", "")
    assert (tmp_path / "talk.vtt").read_text() == plain


def test_one_recording_goes_to_stdout(
    recording: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    write_subtitles(tone_translator(), request(recording), QUIET)
    assert capsysbinary.readouterr().out.decode() == SRT


def test_several_recordings_get_a_file_each(recording: Path, tmp_path: Path) -> None:
    other = write_wav(tmp_path / "other.take.wav", saying("high"))
    listed = tmp_path / "list.txt"
    listed.write_text(f"{recording}\n\n{other}\n")
    folder = tmp_path / "new" / "folder"
    asked = request(listed, output=folder, files=False)
    assert write_subtitles(tone_translator(), asked, QUIET) == 0
    assert {path.name for path in folder.iterdir()} == {"talk.srt", "other.take.srt"}
    assert (folder / "talk.srt").read_text() == SRT


def test_a_silent_recording_has_no_cues(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "silent.wav", silence(3))
    assert write_subtitles(tone_translator(), request(path, output=tmp_path), QUIET) == 0
    assert (tmp_path / "silent.srt").read_text() == ""


def test_a_recording_that_fails_is_named_and_has_no_file(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    folder = tmp_path / "out"
    assert write_subtitles(tone_translator(), request(broken, recording, output=folder), QUIET) == 1
    assert [path.name for path in folder.iterdir()] == ["talk.srt"]
    assert "files, line 1: not translated" in capsys.readouterr().err.replace("\n", " ")


def test_recordings_in_a_list_may_be_uris(recording: Path, tmp_path: Path) -> None:
    import base64

    listed = tmp_path / "list.txt"
    content = base64.b64encode(recording.read_bytes()).decode()
    listed.write_text(f"data:audio/wav;base64,{content}\n")
    write_subtitles(tone_translator(), request(listed, output=tmp_path, files=False), QUIET)
    assert (tmp_path / "line-1.srt").read_text() == SRT


def test_what_cannot_be_written_is_refused(recording: Path, tmp_path: Path) -> None:
    def fault(*inputs: Path, output: Path | None = None) -> str:
        with pytest.raises(UsageError) as caught:
            write_subtitles(tone_translator(), request(*inputs, output=output), QUIET)
        return str(caught.value)

    assert fault(recording, recording) == (
        "2 recordings: expected one; to write a file for each of several, give a folder: -o DIR"
    )
    assert fault(recording, output=Path("a.vtt")) == "-o a.vtt: expected a path that ends in .srt"
    (tmp_path / "x").mkdir()
    again = write_wav(tmp_path / "x" / "talk.wav", saying("low"))
    assert fault(recording, again, output=tmp_path).startswith(
        f"{tmp_path / 'talk.srt'}: several recordings have this output file"
    )


def test_an_output_that_is_no_folder_is_named(recording: Path) -> None:
    with pytest.raises(StorageError, match=r"talk\.wav: cannot be created"):
        write_subtitles(tone_translator(), request(recording, output=recording), QUIET)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        write_subtitles(tone_translator(), request(tmp_path / "none", files=False), QUIET)


def test_a_recording_that_is_too_long_can_be_an_error(recording: Path) -> None:
    asked = request(recording)
    strict = SubtitleRequest(
        asked.inputs, True, None, "srt", asked.settings, StreamSettings(overlong="error")
    )
    with pytest.raises(CorpusError, match="too long"):
        write_subtitles(tone_translator(), strict, QUIET)


def test_what_is_truncated_or_left_out_is_told(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(recording, output=tmp_path)
    for overlong, told in (("truncate", "truncated: 1 line"), ("empty", "left out: 1 line")):
        stream = StreamSettings.model_validate({"overlong": overlong})
        given = SubtitleRequest(asked.inputs, True, asked.output, "srt", asked.settings, stream)
        assert write_subtitles(tone_translator(), given, Talk()) == 0
        assert f"too long for the model, {told}" in " ".join(capsys.readouterr().err.split())


def test_only_a_model_that_reads_sound_writes_subtitles(recording: Path) -> None:
    text = stub_translator()
    with pytest.raises(UsageError, match="--format srt is for models that read sound; this one"):
        write_subtitles(text, request(recording), QUIET)
    seeing = Translator(text.engine, text.source, text.target, Sides(Picture(8, 8, 1)))
    with pytest.raises(UsageError, match="this one reads pictures"):
        write_subtitles(seeing, request(recording), QUIET)


def test_files_are_not_mistaken_for_lists(recording: Path) -> None:
    check_inputs(tone_translator(), [recording], files=True)
    check_inputs(tone_translator(), [Path("list.txt")], files=False)
    check_inputs(stub_translator(), [Path("odd.wav")], files=False)
    with pytest.raises(UsageError, match="to translate this file itself, give --files"):
        check_inputs(tone_translator(), [recording], files=False)
    with pytest.raises(UsageError, match="--files is for models that read sound or pictures"):
        check_inputs(stub_translator(), [recording], files=True)
