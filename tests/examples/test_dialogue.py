"""The example of dialogue: its baselines, and what its script asks of s2s."""

import gzip
import subprocess
from pathlib import Path

import pytest

from s2scli.config import recipe_names
from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

EXAMPLE = EXAMPLES / "dialogue"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train", "test"):
        text = "Hi you.\tHi there!\nHi there!\tThe dog, is there.\n"
        (folder / f"topical_chat.{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def commands(data: Path, mode: str) -> list[list[str]]:
    """What the script asks for, word by word."""
    work = data.parent / "work"
    (work / "text").mkdir(parents=True)
    (work / "text" / "best.tsv").write_text("a ␞ b\tc\td\t1.0\n")
    return asked_of_s2s(EXAMPLE / "run.sh", data, mode, work, "7", folder=data.parent)


def test_baselines_are_scored_beside_people(data: Path) -> None:
    found = commands(data, "baselines")
    assert [words[0] for words in found] == ["evaluate"] * 4
    text = data.parent / "work" / "text"
    assert (text / "repeat").read_text() == "Hi you.\nHi there!\n"
    assert (text / "reply").read_text() == "Hi there!\nThe dog, is there.\n"
    assert (text / "common").read_text() == "there hi dog is\n" * 2
    assert (text / "fixed").read_text().splitlines()[0] in ("Hi there!", "The dog, is there.")


def test_a_model_of_turns_is_trained_scored_and_sampled(data: Path) -> None:
    prepare, _, train, *evaluate, translate, risky, beam, sampled, mbr = commands(data, "train")
    assert prepare[0] == "prepare" and prepare[-2:] == ["--history", "3"]
    assert train[0] == "train" and "transformer-tiny" in set(train) & set(recipe_names())
    asked = {word for words in evaluate for word in words}
    assert {"--word-perplexity", "--byte-perplexity", "--f1", "--diversity"} <= asked
    assert "--sample" in translate and "--mbr" in risky
    for words, name in ((beam, "beam"), (sampled, "sampled"), (mbr, "mbr")):
        assert "--diversity" in words and str(data.parent / "work" / "text" / name) in words
    assert (data.parent / "work" / "text" / "history.reply").read_text() == "c\n"


def test_talking_keeps_as_many_turns_as_training(data: Path) -> None:
    ((command, *words),) = commands(data, "talk")
    assert command == "translate" and words[words.index("--history") + 1] == "3"


def test_another_word_is_refused(data: Path) -> None:
    script = ["sh", str(EXAMPLE / "run.sh"), str(data), "everything", str(data.parent / "work")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found everything" in done.stderr


def test_the_fixed_reply_is_like_the_others() -> None:
    script = load_script(EXAMPLE / "baseline_replies.py")
    replies = ["no dog", "a cat ran", "x", "the cat ran home", "y", "cat"]
    assert script.central_reply(replies) in replies
    assert script.commonest_words(["a b", "b c b"]) == "b c"
