import functools
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from s2scli.data.lines import STDIN
from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError, MissingInputError
from s2scli.report.console import Talk
from s2scli.translation.filter import require_inputs, run_filter
from s2scli.translation.options import Options
from s2scli.translation.records import Clean, Record, plain_record
from tests.translation.stub import stub_translator


def test_only_the_first_lines_that_fail_are_named_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_text("boom\n" * 30)
    translator, talk = stub_translator(), Talk()
    tally = run_filter(
        [tmp_path / "in"],
        tmp_path / "out",
        StreamSettings(),
        translator.translate,
        plain_record,
        talk,
    )
    told = " ".join(capsys.readouterr().err.split())
    assert tally.failed.count == 30
    assert told.count("not translated (RuntimeError: the network fell over)") == 10
    assert "not translated, written as empty lines: 30 lines" in told and "and 20 more" in told
    assert (tmp_path / "out").read_text() == "\n" * 30


def test_records_are_counted_over_all_windows_and_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("x\n" * 5)

    def numbered(index: int, record: Record, clean: Clean) -> str:
        return f"{index} {clean(record.text)}"

    inputs, stream = [tmp_path / "a", tmp_path / "b"], StreamSettings(window=2)
    run_filter(
        inputs, tmp_path / "out", stream, stub_translator().translate, numbered, Talk(quiet=True)
    )
    assert (tmp_path / "out").read_text() == "".join(f"{n} X\n" for n in range(10))


def test_no_record_is_kept_until_its_window_is_written(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x\n" * 9)
    kept: list[weakref.ref[Record]] = []
    alive: list[int] = []

    def answer(lines: Sequence[Line]) -> Iterator[Record]:
        for line in lines:
            alive.append(sum(one() is not None for one in kept))
            record = Record(line, "empty")
            kept.append(weakref.ref(record))
            yield record

    arguments = (StreamSettings(), answer, plain_record, Talk(quiet=True))
    run_filter([tmp_path / "in"], tmp_path / "out", *arguments)
    assert len(alive) == 9 and max(alive) <= 2


def test_without_a_format_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_text("a\n")
    tally = run_filter(
        [tmp_path / "in"], None, StreamSettings(), stub_translator().translate, None, Talk()
    )
    assert (tally.lines, capsys.readouterr().out) == (1, "")


def test_a_file_that_is_not_there_is_named_with_a_hint(tmp_path: Path) -> None:
    require_inputs([STDIN], "hint")
    with pytest.raises(MissingInputError, match=r"nowhere: no such file; try this"):
        require_inputs([STDIN, tmp_path / "nowhere"], "try this")


def test_lines_before_one_that_is_refused_are_written(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "in").write_text("a\nb\n" + "c " * 9 + "\nd\n")
    translator = stub_translator()
    options = Options(translator.engine.settings, overlong="error")
    answer = functools.partial(translator.translate, options=options)
    with pytest.raises(CorpusError, match="line 3: too long"):
        run_filter([tmp_path / "in"], None, StreamSettings(), answer, plain_record, Talk())
    assert capfdbinary.readouterr().out == b"A\nB\n"
