"""What preparing makes of sound and pictures: their content is in the corpus, bad files are not."""

import base64
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from s2scli.data.accounting import Report, read_report
from s2scli.data.codecs.cell import Stored, values_of
from s2scli.data.codecs.image import columns_of
from s2scli.data.codecs.picture_files import encode_png
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import SPLITS, Corpus
from s2scli.errors import CheckpointError, ConfigError, CorpusError
from s2scli.manifest import MANIFEST
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import MEDIA_SETTINGS, prepare
from s2scli.report.console import Talk
from s2scli.sides import TEXT, Picture, Sides, Sound
from s2scli.workspace import Workspace

pytestmark = pytest.mark.usefixtures("quick_fsync")

RATE, ROWS = 8000, 20


def samples_of(number: int) -> NDArray[np.int16]:
    random = np.random.default_rng(number)
    return random.integers(-9000, 9000, 800 + 10 * number).astype(np.int16)


def pixels_of(number: int, channels: int = 1) -> NDArray[np.uint8]:
    random = np.random.default_rng(number)
    return random.integers(0, 256, (6, 8, channels)).astype(np.uint8)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A folder with a table of recordings and their words."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(ROWS):
        (folder / f"{number}.wav").write_bytes(encode_wav(samples_of(number), RATE))
    rows = (f"{number}.wav\tword {number}\n" for number in range(ROWS))
    (folder / "table.tsv").write_text("".join(rows))
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with pictures, a table of them and a list of them."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(ROWS):
        (folder / f"{number}.png").write_bytes(encode_png(pixels_of(number)))
    names = [f"{number}.png" for number in range(ROWS)]
    (folder / "table.tsv").write_text("".join(f"word {name}\t{name}\n" for name in names))
    (folder / "list.txt").write_text("".join(f"{name}\n" for name in names))
    return folder


def prepared(
    workspace: Workspace,
    *corpus: Path,
    valid: tuple[Path, ...] = (),
    tags: tuple[str, ...] = (),
    **settings: object,
) -> Report:
    chosen = PrepareSettings.model_validate(settings)
    return prepare(workspace, Inputs(corpus, valid, tags=tags), chosen, Talk(quiet=True))


def append(table: Path, *rows: str) -> None:
    table.write_text(table.read_text() + "".join(f"{row}\n" for row in rows))


def cells(workspace: Workspace, side: str = "source") -> dict[str, str]:
    """Return the cells of all splits by their names."""
    corpus = Corpus.load(workspace.corpus)
    found = [getattr(row, side) for split in corpus.splits for row in corpus.open_split(split)]
    return {str(cell): cell for cell in found}


def test_the_corpus_holds_the_samples_so_the_files_may_go(
    workspace: Workspace, sounds: Path
) -> None:
    report = prepared(workspace, sounds / "table.tsv", source_kind="audio")
    for path in sounds.iterdir():
        path.unlink()
    corpus = Corpus.load(workspace.corpus).verified
    assert corpus.sides == report.sides == read_report(workspace.corpus).sides
    assert corpus.sides == Sides(Sound(RATE)) and corpus.splits == SPLITS
    found = cells(workspace)
    assert found.keys() == {f"{number}.wav" for number in range(ROWS)}
    for number in range(ROWS):
        assert values_of(found[f"{number}.wav"]).tolist() == samples_of(number).tolist()
    assert not any(isinstance(cell, Stored) for cell in cells(workspace, "target"))


def test_bad_files_are_dropped_by_reason_and_named(workspace: Workspace, sounds: Path) -> None:
    silent = np.zeros(800, np.int16)
    (sounds / "silent.wav").write_bytes(encode_wav(silent, RATE))
    (sounds / "short.wav").write_bytes(encode_wav(samples_of(0)[:40], RATE))
    (sounds / "long.wav").write_bytes(encode_wav(samples_of(999), RATE))
    (sounds / "cut.wav").write_bytes(encode_wav(samples_of(1), RATE)[:300])
    (sounds / "text.wav").write_text("these are words")
    bad = ("silent", "short", "long", "cut", "text", "missing")
    append(sounds / "table.tsv", *(f"{name}.wav\tone" for name in bad), "0.wav\t", "\tone")
    report = prepared(workspace, sounds / "table.tsv", source_kind="audio", max_seconds=1)
    (account,) = report.files
    assert account.dropped == {
        **{"silent": 1, "too_short": 1, "too_long": 1, "unreadable": 2, "missing": 1},
        **{"empty_source": 1, "empty_target": 1},
    }
    assert (account.read, account.kept) == (ROWS + 8, ROWS)
    for line, name in enumerate(bad, ROWS + 1):
        (notice,) = (text for text in report.notices if f"{name}.wav" in text)
        assert notice.startswith(f"line {line} is dropped: ") and "\n" not in notice


def test_a_row_that_is_there_twice_is_kept_once(workspace: Workspace, sounds: Path) -> None:
    append(sounds / "table.tsv", "3.wav\tword 3", "3.wav\tanother word")
    (account,) = prepared(workspace, sounds / "table.tsv", source_kind="audio").files
    assert account.dropped == {"duplicate": 1} and account.kept == ROWS + 1


def test_lines_that_are_no_pairs_are_as_with_text(workspace: Workspace, sounds: Path) -> None:
    append(sounds / "table.tsv", "0.wav and no tab")
    with pytest.raises(CorpusError, match=r"table\.tsv, line 21: .*TAB"):
        prepared(workspace, sounds / "table.tsv", source_kind="audio")
    report = prepared(workspace, sounds / "table.tsv", source_kind="audio", skip_bad_lines=True)
    assert report.files[0].dropped == {"columns": 1}


def test_recordings_in_long_lines_are_read(workspace: Workspace, sounds: Path) -> None:
    long = np.random.default_rng(0).integers(-9000, 9000, 26 * 16_000).astype(np.int16)
    content = base64.b64encode(encode_wav(long, 16_000)).decode()
    append(sounds / "table.tsv", f"data:audio/wav;base64,{content}\ta long one")
    report = prepared(workspace, sounds / "table.tsv", source_kind="audio", sample_rate=16_000)
    assert report.files[0].dropped == {} and report.files[0].kept == ROWS + 1
    (cell,) = (cell for name, cell in cells(workspace).items() if name.startswith("data:"))
    assert values_of(cell).tolist() == long.tolist()


def test_text_is_no_sound(workspace: Workspace, tmp_path: Path, sounds: Path) -> None:
    prepared(workspace, sounds / "table.tsv", source_kind="audio")
    before = Corpus.load(workspace.corpus).digest
    table = tmp_path / "text.tsv"
    table.write_text("".join(f"a sentence {n}\tein Satz {n}\n" for n in range(ROWS)))
    with pytest.raises(CorpusError, match=r"a sentence 0: no such file") as raised:
        prepared(workspace, table, source_kind="audio")
    assert "\n" not in str(raised.value)
    with pytest.raises(CorpusError, match=r"no usable rows: 20 read, all dropped \(20 missing\)"):
        prepared(workspace, table, source_kind="audio", sample_rate=RATE)
    assert Corpus.load(workspace.corpus).digest == before, "the old corpus is kept"


def test_without_a_kind_the_names_of_files_are_text(
    workspace: Workspace, sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = prepared(workspace, sounds / "table.tsv")
    told = capsys.readouterr().err
    assert "the sources look like names of files" in told and "--source-kind audio" in told
    assert report.sides == TEXT == Corpus.load(workspace.corpus).sides
    assert not any(isinstance(cell, Stored) for cell in cells(workspace).values())


def test_facts_of_text_know_nothing_of_sound(workspace: Workspace, sounds: Path) -> None:
    prepared(workspace, sounds / "table.tsv")
    facts = Corpus.load(workspace.corpus).manifest.facts
    assert not facts.keys() & {*MEDIA_SETTINGS, "sides"}
    assert '"sides"' not in (workspace.corpus / "report.json").read_text()
    prepared(workspace, sounds / "table.tsv", source_kind="audio")
    facts = Corpus.load(workspace.corpus).manifest.facts
    assert facts.keys() >= {*MEDIA_SETTINGS, "sides"}


def test_sides_may_be_swapped(workspace: Workspace, sounds: Path) -> None:
    rows = [line.split("\t") for line in (sounds / "table.tsv").read_text().splitlines()]
    (sounds / "swapped.tsv").write_text("".join(f"{b}\t{a}\n" for a, b in rows))
    prepared(workspace, sounds / "swapped.tsv", source_kind="audio", swap=True)
    assert values_of(cells(workspace)["2.wav"]).tolist() == samples_of(2).tolist()


def test_paths_of_a_held_out_file_are_beside_it(
    workspace: Workspace, sounds: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.wav").write_bytes(encode_wav(samples_of(99), RATE))
    (other / "valid.tsv").write_text("0.wav\tword\nmissing.wav\tword\n")
    report = prepared(
        workspace, sounds / "table.tsv", source_kind="audio", valid=(other / "valid.tsv",)
    )
    (row,) = Corpus.load(workspace.corpus).open_split("valid")
    assert values_of(row.source).tolist() == samples_of(99).tolist()
    assert report.files[1].dropped == {"missing": 1}


def test_only_recordings_of_the_same_content_are_in_train_too(
    workspace: Workspace, sounds: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number, content in enumerate((0, 91, 92)):
        (other / f"{number}.wav").write_bytes(encode_wav(samples_of(content), RATE))
    (other / "valid.tsv").write_text("".join(f"{number}.wav\tword\n" for number in range(3)))
    report = prepared(
        workspace,
        sounds / "table.tsv",
        source_kind="audio",
        valid=(other / "valid.tsv",),
        test_size=0,
    )
    assert report.splits["valid"].source_in_train == 1
    assert report.splits["train"].rows == ROWS


def test_the_content_of_pictures_with_tags_does_not_matter_to_splits(
    workspace: Workspace, pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.png").write_bytes(encode_png(pixels_of(99)))
    (other / "valid.tsv").write_text("word 0.png\t0.png\nanother word\t0.png\n")
    report = prepared(
        workspace,
        pictures / "table.tsv",
        target_kind="image",
        tags=("de",),
        valid=(other / "valid.tsv",),
        test_size=0,
    )
    assert report.splits["valid"].source_in_train == 1, "rows with a tag are grouped by their text"


def test_preparing_again_gives_the_same(workspace: Workspace, sounds: Path) -> None:
    digests = set()
    for _ in range(2):
        prepared(workspace, sounds / "table.tsv", source_kind="audio")
        digests.add(Corpus.load(workspace.corpus).digest)
    assert len(digests) == 1


def test_pictures_may_be_the_target(workspace: Workspace, pictures: Path) -> None:
    report = prepared(workspace, pictures / "table.tsv", target_kind="image")
    assert report.sides == Sides(None, Picture(6, 8, 1))
    found = cells(workspace, "target")
    for number in range(ROWS):
        expected = columns_of(pixels_of(number))
        assert values_of(found[f"{number}.png"]).tolist() == expected.tolist()


def test_one_column_of_pictures_is_both_sides(workspace: Workspace, pictures: Path) -> None:
    report = prepared(workspace, pictures / "list.txt", source_kind="image")
    assert report.sides == Sides(Picture(6, None, 1), Picture(6, 8, 1))
    corpus = Corpus.load(workspace.corpus)
    for row in corpus.open_split("train"):
        assert row.source == row.target
        assert values_of(row.source).tolist() == values_of(row.target).tolist()
        expected = columns_of(pixels_of(int(row.source.removesuffix(".png"))))
        assert values_of(row.source).tolist() == expected.tolist()


def test_one_column_of_sound_cannot_be_written(workspace: Workspace, sounds: Path) -> None:
    (sounds / "list.txt").write_text("".join(f"{number}.wav\n" for number in range(ROWS)))
    with pytest.raises(ConfigError, match="s2s writes text and pictures"):
        prepared(workspace, sounds / "list.txt", source_kind="audio")


def test_impossible_sides_in_the_manifest_are_damage(workspace: Workspace, sounds: Path) -> None:
    prepared(workspace, sounds / "table.tsv", source_kind="audio")
    path = workspace.corpus / MANIFEST
    path.write_text(path.read_text().replace(f'"sample_rate": {RATE}', '"sample_rate": 0'))
    with pytest.raises(CheckpointError, match="again with `s2s prepare`"):
        _ = Corpus.load(workspace.corpus).sides
