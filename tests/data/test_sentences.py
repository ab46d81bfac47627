import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.sentences import choose_splitter, split_sentences, unwrap
from s2scli.errors import MissingExtraError

PIECES = st.sampled_from([". ", "! ", "Dr. ", "A", "b", "。", "」", "\n", "\n\n", ".", "3. ", '"'])


@given(st.text(max_size=80) | st.lists(PIECES, max_size=30).map("".join))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(split_sentences(text)) == text
    assert all(split_sentences(text))


@pytest.mark.parametrize(
    "sentences",
    [
        ["We ran. ", "We hid!  ", "Why?\n", "No."],
        ["Dr. Smith met J. R. Jones, e.g. in the U.S. on Jan. 3rd. ", "Then he left."],
        ["It cost 3.5 dollars, or 1.000,50 euros. ", "Yes."],
        ['He said "Stop." ', "(She did not.) ", "“Why?” ", "« Oui. » ", "Ok."],
        ['"Really?" he said. ', "Wait... ", "What?! ", "No… and then yes."],
        ["1. Open the door. ", "2. Close it."],
        ["Am 3. Mai kam z. B. Hr. Müller usw. und blieb. ", "Danach nicht."],
        ["Il vit Mme. Dupont, etc. et partit. ", "Oui."],
        ["我们跑了。", "你呢？", "好！"],
        ["「行く。」と言った。", "次です。」 ", "終わり。"],
        ["वह गया। ", "वह आया।"],
        ["ذهب؟ ", "نعم."],
        ["Paragraph without a stop\n\n", "Another\nthat runs on. ", "End"],
        ["นี่คือประโยค ยาวมาก"],
        ["no. ", "capitals. ", "here."],
        ["  Indented. ", "Second.  "],
    ],
)
def test_sentences_are_found(sentences: list[str]) -> None:
    assert split_sentences("".join(sentences)) == sentences


def test_a_long_text_takes_linear_time() -> None:
    assert len(split_sentences("We ran away from it. " * 20_000)) == 20_000


@pytest.mark.parametrize("run", [".", "…", " ", ")", "។", "\n"])
def test_a_long_run_of_one_character_takes_linear_time(run: str) -> None:
    text = f"a{run * 100_000}b"
    assert "".join(split_sentences(text)) == text
    assert unwrap(text).startswith("a")


def test_the_library_is_used_for_a_language() -> None:
    pytest.importorskip("sentencex", reason="sentencex is not installed")
    text = "Am 3. Mai kam er.  Hr. Müller ging.\n\nEnde. "
    assert [one.strip() for one in choose_splitter("de")(text) if one.strip()] == [
        "Am 3. Mai kam er.",
        "Hr. Müller ging.",
        "Ende.",
    ]
    for language, given_text in itertools.product(
        ("de", "ja", "xx"), (text, "", " a\n", "走る。犬")
    ):
        assert "".join(choose_splitter(language)(given_text)) == given_text


def test_the_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[sentences\]'"):
        choose_splitter("de")
    assert choose_splitter(None) is split_sentences


def test_line_breaks_become_what_the_script_wants() -> None:
    assert unwrap("We \n ran\naway") == "We ran away"
    assert unwrap("我们\n跑了 NBA\n犬") == "我们跑了 NBA 犬"
