"""The example of alignments: what its script asks of s2s, and how its texts are written."""

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

EXAMPLE = EXAMPLES / "alignment"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    files = {
        "tatoeba/eng-fra.tsv.gz": "Don't eat it.\tN'en mange pas du tout !\n",
        "tatoeba/eng-cmn.attributed.tsv.gz": "\ufeffHi, Tom.\t你好， 汤姆。\tCC-BY\n\n",
        "alignment/eng-fra.tsv.gz": "The House .\tLa Chambre .\n",
        "alignment/eng-fra.gold.gz": "1-1 2-2 3-3\n",
        "alignment/cmn-eng.tsv.gz": "你好 汤姆\tHi Tom\n",
        "alignment/cmn-eng.gold.gz": "1-1 2-2\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.mark.parametrize(
    ("pair", "row", "test"),
    [
        (
            "eng-fra",
            "do not eat it .\tne en mange pas de le tout !\n",
            "the house .\tla chambre .\n",
        ),
        ("cmn-eng", "你好，汤姆。\thi , tom .\n", "你好 汤姆\thi tom\n"),
    ],
)
def test_two_directions_are_trained_and_the_links_scored(
    pair: str, row: str, test: str, data: Path
) -> None:
    tools = data.parent / "tools"
    tools.mkdir()
    found = asked_of_s2s(EXAMPLE / "run.sh", data, pair, "3", data.parent / "w", folder=tools)
    work = data.parent / "w" / pair
    assert (work / "pairs.tsv").read_text() == row
    assert (work / "reverse.tsv").read_text() == "\t".join(row.strip().split("\t")[::-1]) + "\n"
    assert (work / "test.tsv").read_text() == test
    assert [words[0] for words in found[:6]] == [*["prepare", "train"] * 2, "inspect", "evaluate"]
    assert [words.count("3") for words in found if words[0] == "train"] == [1, 1]
    assert {"--reverse", "--save"} <= set(found[4])
    assert {"--aer", "--source", "--reference"} <= set(found[5])


def test_another_pair_is_refused(data: Path) -> None:
    script = ["sh", str(EXAMPLE / "run.sh"), str(data), "eng-deu"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found eng-deu" in done.stderr


def test_links_of_characters_are_links_of_their_words() -> None:
    script = load_script(EXAMPLE / "align.py")
    units, owners = script.units("中国 tom 人")
    assert (units, owners) == (["中", "国", "tom", "人"], [0, 0, 1, 2])
    assert script.word_links("0-0 1-0 3-1", owners, [0, 1]) == {(0, 0), (2, 1)}
