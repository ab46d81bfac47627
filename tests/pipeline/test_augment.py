"""What `s2s augment` makes of lines, with a translator that shouts."""

import json
from pathlib import Path

import pytest

from s2scli.data.lines import STDIN
from s2scli.data.settings import AugmentSettings, SurfaceNoise
from s2scli.data.stream import StreamSettings
from s2scli.data.surface_noise import noisy, random_for
from s2scli.errors import ConfigError, CorpusError
from s2scli.metrics.chrf import sentence_chrf
from s2scli.pipeline.augment import Augmented, AugmentRequest, augment, nearest
from s2scli.report.console import Talk
from s2scli.search.settings import SearchSettings
from tests.translation.stub import stub_translator

QUIET = Talk(quiet=True)
ROWS = ["x y\tX Y", "not a pair", "", "a\tb\tc\u2028d"]
LINES = ["a dog", "", "boom", "a\tcat"]
WINDOWS = StreamSettings(window=2, max_wait=60_000)


def request_of(
    folder: Path, lines: list[str], settings: AugmentSettings, *, n_best: int = 1
) -> AugmentRequest:
    (folder / "rows.tsv").write_text("".join(f"{row}\n" for row in ROWS), encoding="utf-8")
    (folder / "lines").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    search = None if settings.method == "noise" else SearchSettings(n_best=n_best)
    paths = [folder / "lines"], [folder / "rows.tsv"], folder / "out"
    return AugmentRequest(*paths, settings, search, WINDOWS)


def made(folder: Path, request: AugmentRequest) -> tuple[list[str], Augmented]:
    translator = None if request.search is None else stub_translator()
    found = augment(translator, request, QUIET)
    rows = (folder / "out").read_text(encoding="utf-8").split("\n")
    assert rows.pop() == "" and len(rows) == found.rows
    assert found.rows == found.copied + found.made + found.empty + found.failed
    assert rows[: len(ROWS)] == [*ROWS[:-1], "a\tb\tc d"]
    return rows[len(ROWS) :], found


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["<BT> A DOG\ta dog", "", "", "<BT> A CAT\ta cat"]),
        ({"tag": ""}, ["A DOG\ta dog", "", "", "A CAT\ta cat"]),
        ({"method": "forward-translate"}, ["a dog\tA DOG", "", "", "a cat\tA CAT"]),
    ],
)
def test_every_line_becomes_one_row_behind_the_copied_ones(
    tmp_path: Path, settings: dict[str, str], expected: list[str]
) -> None:
    request = request_of(tmp_path, LINES, AugmentSettings.model_validate(settings))
    rows, found = made(tmp_path, request)
    assert rows == expected
    assert found == Augmented(rows=8, copied=4, made=2, empty=1, failed=1, overlong=0)


@pytest.mark.parametrize("method", ["back-translate", "forward-translate", "distil", "noise"])
def test_a_row_with_a_blank_side_is_empty(tmp_path: Path, method: str) -> None:
    noise = {"typos": 0.5} if method == "noise" else {}
    settings = AugmentSettings.model_validate({"method": method, **noise})
    lines = {"distil": ["blank\tx"] * 2, "noise": ["blank\t "] * 2}.get(method, ["blank"] * 2)
    rows, found = made(tmp_path, request_of(tmp_path, lines, settings))
    assert rows == ["", ""]
    assert (found.made, found.empty, found.failed) == (0, 2, 0)


def test_distilling_keeps_the_output_nearest_to_the_target(tmp_path: Path) -> None:
    lines = ["a b\tA B!!", "a b\tA B", "no pair", "", "boom\tx", "silence\tx", " \tx"]
    request = request_of(tmp_path, lines, AugmentSettings(method="distil"), n_best=3)
    rows, found = made(tmp_path, request)
    assert rows[:5] == ["a b\tA B!!", "a b\tA B", "", "", ""]
    assert rows[6] == "" and (found.empty, found.failed) >= (2, 2)
    one = request_of(tmp_path, lines, AugmentSettings(method="distil"))
    assert made(tmp_path, one)[0][:2] == ["a b\tA B"] * 2, "the only one"


def test_the_nearest_is_the_best_by_sentence_chrf() -> None:
    texts = ["a dog runs", "the dog ran", "dogs", "the dog ran"]
    for target in ("the dog runs", "dogs", "", "x"):
        scores = [sentence_chrf([text], [target])[0] for text in texts]
        assert nearest(texts, target) == texts[scores.index(max(scores))]


def test_noise_is_in_sources_only_and_of_the_line_alone(tmp_path: Path) -> None:
    lines = [f"the dog number {n}\tTHE DOG NUMBER {n}" for n in range(20)]
    settings = AugmentSettings(method="noise", typos=0.5, swap=0.2, noise_seed=7)
    rows, _ = made(tmp_path, request_of(tmp_path, lines, settings))
    assert [row.split("\t")[1] for row in rows] == [line.split("\t")[1] for line in lines]
    noise = SurfaceNoise(typos=0.5, swap=0.2)
    for number, (row, line) in enumerate(zip(rows, lines, strict=True), 1):
        assert row.split("\t")[0] == noisy(line.split("\t")[0], noise, random_for(7, number))
    back = AugmentSettings(typos=0.5, noise_seed=7)
    rows, _ = made(tmp_path, request_of(tmp_path, ["the dog runs home"] * 4, back))
    assert all(row.startswith("<BT> ") and row.endswith("\tthe dog runs home") for row in rows)
    assert len(set(rows)) > 1


def test_a_stopped_run_is_continued_with_the_same_rows_and_counts(tmp_path: Path) -> None:
    settings = AugmentSettings(drop=0.3)
    request = request_of(tmp_path, ["the dog runs home"] * 5, settings)
    rows, whole = made(tmp_path, request)
    expected = (tmp_path / "out").read_bytes()
    (tmp_path / "out").unlink()
    strict = StreamSettings(window=2, max_wait=60_000, strict=True)
    stopped = AugmentRequest(
        *(request.inputs, request.originals, request.output, settings, request.search, strict),
        resume=True,
    )
    (tmp_path / "lines").write_bytes(b"the dog runs home\n" * 3 + b"\xff\n")
    with pytest.raises(CorpusError, match="not UTF-8"):
        augment(stub_translator(), stopped, QUIET)
    assert not (tmp_path / "out").exists()
    journal = json.loads((tmp_path / "out.part.json").read_text())
    assert journal["lines"] > len(ROWS) and journal["tally"]["copied"] == len(ROWS)
    (tmp_path / "lines").write_text("the dog runs home\n" * 5)
    other = AugmentRequest(
        *(request.inputs, (), request.output, settings, request.search, strict), resume=True
    )
    with pytest.raises(ConfigError, match="it was made with other options: with: "):
        augment(stub_translator(), other, QUIET)
    (tmp_path / "lines").write_text("the cat runs home\n" * 5)
    with pytest.raises(ConfigError, match="it was made from other lines"):
        augment(stub_translator(), stopped, QUIET)
    (tmp_path / "lines").write_text("the dog runs home\n" * 5)
    assert augment(stub_translator(), stopped, QUIET) == whole
    assert (tmp_path / "out").read_bytes() == expected
    assert rows and STDIN not in request.inputs


@pytest.mark.parametrize("changes", [{"target_field": "b"}, {}])
def test_other_targets_are_not_continued(tmp_path: Path, changes: dict[str, str]) -> None:
    rows = [{"s": "the dog", "a": "A", "b": "B"}] * 3 + [{"s": None, "a": "A", "b": "B"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(**fields: object) -> Augmented:
        stream = {"window": 2, "max_wait": 60_000, "source_field": "s", "target_field": "a"}
        known = StreamSettings.model_validate(stream | fields)
        settings = AugmentSettings(method="noise", typos=0.1)
        source, out = [tmp_path / "in.jsonl"], tmp_path / "out"
        request = AugmentRequest(source, [], out, settings, None, known, resume=True)
        return augment(None, request, QUIET)

    with pytest.raises(CorpusError, match="null"):
        run(strict=True)
    assert (tmp_path / "out.part").exists()
    if not changes:  # the targets are others in the file
        text = (tmp_path / "in.jsonl").read_text()
        (tmp_path / "in.jsonl").write_text(text.replace('"A"', '"C"'))
    with pytest.raises(ConfigError, match=r"it was made (from other lines|with other options)"):
        run(**changes)
