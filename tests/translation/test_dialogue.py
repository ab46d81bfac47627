from s2scli.data.stream import Line
from s2scli.search.settings import SearchSettings
from s2scli.translation.dialogue import Dialogue
from s2scli.translation.options import Options
from s2scli.translation.records import Record
from tests.translation.stub import StubEngine, stub_translator


def answers(
    texts: list[str], size: int, most: int = 100, names: str = ""
) -> tuple[list[Record], list[str]]:
    """Return the records of some turns, and the sources that the model read."""
    engine = StubEngine(max_source_tokens=most)
    talk = Dialogue(stub_translator(engine), Options(SearchSettings()), size)
    files = names or "f" * len(texts)
    lines = [Line(name, n, text) for n, (name, text) in enumerate(zip(files, texts, strict=True))]
    records = [record for line in lines for record in talk.answer([line])]
    assert [record.line for record in records] == lines
    return records, [batch[0] for batch in engine.batches]


def test_the_answers_are_part_of_the_history() -> None:
    records, sources = answers(["a", " b ", "c"], 3)
    assert sources == ["a", "a ␞ A ␞ b", "b ␞ A ␞ A ␞ B ␞ c"]  # the second answer is A ␞ A ␞ B
    assert records[1].text == "A ␞ A ␞ B" and records[1].source == "a ␞ A ␞ b"


def test_with_one_turn_there_is_no_history() -> None:
    assert answers(["a", "b"], 1)[1] == ["a", "b"]


def test_a_blank_line_begins_a_new_dialogue() -> None:
    records, sources = answers(["a", "", "b"], 9)
    assert sources == ["a", "b"]
    assert [(one.status, one.text) for one in records] == [("ok", "A"), ("empty", ""), ("ok", "B")]


def test_a_new_file_begins_a_new_dialogue() -> None:
    assert answers(["a", "b"], 9, names="fg")[1] == ["a", "b"]


def test_the_oldest_turns_are_left_out_if_all_do_not_fit() -> None:
    assert answers(["a", "b"], 9, most=4)[1] == ["a", "A ␞ b"]
    assert answers(["a", "b c"], 9, most=2)[1] == ["a", "b c"]
    assert answers(["a", "b"], 9, most=5)[1] == ["a", "a ␞ A ␞ b"]


def test_a_turn_that_fails_is_left_out_of_the_history() -> None:
    records, sources = answers(["a", "boom", "b"], 9)
    assert records[1].status == "failed"
    assert sources[-1] == "a ␞ A ␞ b"


def test_a_row_that_cannot_be_read_is_left_out_of_the_history() -> None:
    engine = StubEngine()
    talk = Dialogue(stub_translator(engine), Options(SearchSettings()), 9)
    rows = [Line("f", 1, "a"), Line("f", 2, "", fault="not JSON"), Line("f", 3, "b")]
    assert [record.status for record in talk.answer(rows)] == ["ok", "failed", "ok"]
    assert [batch[0] for batch in engine.batches] == ["a", "a ␞ A ␞ b"]
