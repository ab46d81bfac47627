"""The example of little data: what its script asks of s2s, with nothing trained."""

from pathlib import Path

from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script


def test_ways_differ_from_plain_in_one_thing(tmp_path: Path) -> None:
    rows = "".join(f"source {number}\ttarget {number}\tattribution\n" for number in range(9))
    for name in ("train", "valid"):
        (tmp_path / f"{name}.tsv").write_text(rows)
    files = (tmp_path / "train.tsv", tmp_path / "valid.tsv")
    work = tmp_path / "work"
    found = asked_of_s2s(EXAMPLES / "little" / "run.sh", *files, "5", work, folder=tmp_path)
    assert (work / "few-5.tsv").read_text().splitlines()[4:] == ["source 4\ttarget 4"]
    prepared = [words for words in found if words[0] == "prepare"]
    assert all(words[-3::2] == [f"{work}/valid.tsv"] * 2 for words in prepared), "all rows train"
    plain, *others = [set(words[3:]) for words in found if words[0] == "train"]
    assert "2000" in plain
    changes = [sorted(other - plain) for other in others]
    assert changes == [
        ["training.label_smoothing=0.3"],
        ["training.label_smoothing=0.5"],
        ["training.source_token_dropout=0.2", "training.target_token_dropout=0.2"],
        ["training.bpe_dropout=0.1"],
        [],
    ]
    assert [words[-1] for words in found if words[0] == "train-tokenizer"] == ["1000"]
    assert sum("valid" in words for words in found if words[0] == "evaluate") == 6


def test_no_source_that_is_scored_is_learned() -> None:
    split = load_script(EXAMPLES / "little" / "split.py").split
    lines = [f"source {number % 20}\ttarget {number}\tattribution\n" for number in range(40)]
    learned, scored = split(lines, 5)
    assert split(lines, 5) == (learned, scored)
    assert len(scored) == 5 and all(row.count("\t") == 1 for row in learned + scored)
    sources = [{row.split("\t")[0] for row in rows} for rows in (learned, scored)]
    assert not sources[0] & sources[1] and len(sources[0] | sources[1]) == 20
    assert scored != [line.rpartition("\t")[0] for line in lines[:5]]
