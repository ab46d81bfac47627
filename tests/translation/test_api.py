import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from s2scli import load
from s2scli.cli.app import app
from s2scli.errors import ConfigError, CorpusError, MissingInputError, UsageError
from s2scli.report.alignment import pharaoh
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.api import TextModel
from tests.folders import letters_of, write_model
from tests.translation.stub import StubEngine, stub_translator

DOT = 'model.attention={kind="dot"}'


@pytest.fixture(scope="module")
def model(trained_workspace: Path) -> TextModel:
    return load(trained_workspace / "model", device="cpu")


def test_three_lines(trained_workspace: Path) -> None:
    from s2scli import load

    model = load(str(trained_workspace / "model"))
    assert [type(text) for text in model.translate(["one two three"])] == [str]


def test_empty_texts_stay_empty_and_in_order(model: TextModel) -> None:
    first, blank, space, last = model.translate(["one two", "", " ", "six seven"])
    assert (blank, space) == ("", "")
    assert [first, last] == model.translate(["one two", "six seven"])
    assert model.translate([]) == []


def test_company_and_order_change_nothing(model: TextModel) -> None:
    texts = ["one", "two three four", "five six", "seven seven seven"]
    alone = [model.translate([text])[0] for text in texts]
    assert model.translate(texts) == alone
    assert model.translate(texts[::-1]) == alone[::-1]


def test_settings_by_keyword(model: TextModel) -> None:
    (found,) = model.records(["one two three"], beam_size=1)
    assert model.translate(["one two three"], beam_size=1) == [found.text]
    with pytest.raises(ConfigError, match=r"unknown setting beem_size; did you mean beam_size\?"):
        model.translate(["one"], beem_size=2)
    with pytest.raises(ConfigError, match="beam_size"):
        model.translate(["one"], beam_size=0)
    with pytest.raises(ConfigError, match="max_length_ratio: input should be less than or equal"):
        model.translate(["one"], max_length_ratio=1e30)


def test_a_setting_without_effect_is_refused(model: TextModel) -> None:
    with pytest.raises(UsageError, match="top_k has no effect without sample=True"):
        model.records(["one"], top_k=2)
    with pytest.raises(UsageError, match="beam_size has no effect with sample=True"):
        model.translate(["one"], sample=True, beam_size=2)


def test_texts_may_come_from_an_iterator(model: TextModel) -> None:
    texts = ["one two", "three"]
    iterator: Any = iter(texts)
    assert model.translate(iterator) == model.translate(texts)


def test_one_text_is_no_list_of_texts(model: TextModel) -> None:
    with pytest.raises(UsageError, match=r"expected a list of texts, found one text; put it in \["):
        model.translate("abc")


def test_what_is_no_text_is_named(model: TextModel) -> None:
    with pytest.raises(UsageError, match=r"expected texts, found None at index 1"):
        model.translate(["a", None])  # type: ignore[list-item]


def test_attention_is_no_setting_of_a_search(model: TextModel) -> None:
    with pytest.raises(ConfigError, match="unknown setting attention"):
        model.translate(["a"], attention=True)


def test_a_text_that_cannot_be_encoded_fails_alone(model: TextModel) -> None:
    first, odd, last = model.records(["one two", "\ud800", "six seven"])
    assert (odd.status, odd.text, odd.hypotheses) == ("failed", "", ())
    assert odd.fault
    assert [first.text, last.text] == model.translate(["one two", "six seven"])


def test_a_text_with_nothing_to_see_is_empty(model: TextModel) -> None:
    assert model.translate(["\u200b\u00a0", "\ufeff"]) == ["", ""]


def test_translate_raises_where_a_text_fails() -> None:
    model = TextModel(stub_translator())
    fault = r"texts, line 2: not translated \(RuntimeError: the network fell over\); use records"
    with pytest.raises(CorpusError, match=fault):
        model.translate(["a", "boom", "b"])
    assert [one.status for one in model.records(["a", "boom", "b"])] == ["ok", "failed", "ok"]


def test_translate_returns_one_text_each(model: TextModel) -> None:
    with pytest.raises(UsageError, match="one translation per text; for n_best > 1, use records"):
        model.translate(["one"], n_best=3)


def test_a_record_holds_every_hypothesis_with_its_scores(model: TextModel) -> None:
    (record,) = model.records(["one two three"], n_best=3)
    assert len({one.text for one in record.hypotheses}) == 3
    scores = [one.score for one in record.hypotheses]
    assert scores == sorted(scores, reverse=True)
    for one in record.hypotheses:  # length penalty 1
        assert one.score == pytest.approx(sum(one.token_scores) / len(one.pieces), abs=1e-5)


def test_the_records_are_those_of_the_command(model: TextModel, trained_workspace: Path) -> None:
    text = "one two three"
    words = ["translate", "-m", str(trained_workspace / "model"), "--device", "cpu"]
    result = CliRunner().invoke(app, [*words, "--json", "--nbest", "2"], input=f"{text}\n")
    (record,) = model.records([text], attention=True, n_best=2)
    shown = json.loads(result.stdout)
    assert [one["text"] for one in shown["hypotheses"]] == [one.text for one in record.hypotheses]
    translation = record.translation
    assert translation
    for one, theirs in zip(record.hypotheses, shown["hypotheses"], strict=True):
        assert theirs["score"] == pytest.approx(one.score, abs=1e-5)
        tokens, aligned = translation.token_alignment(one), translation.word_alignment(one)
        assert tokens and pharaoh(tokens) == theirs["alignment"]
        assert aligned is not None and pharaoh(aligned) == theirs["word_alignment"]


def test_samples_are_records_too(model: TextModel) -> None:
    drawn = [model.records(["one two"], sample=True, n_best=4, seed=seed)[0] for seed in (1, 1, 2)]
    first, again, other = ([one.text for one in record.hypotheses] for record in drawn)
    assert len(first) == 4
    assert first == again != other


def test_the_scores_of_pairs_are_those_of_the_command(
    model: TextModel, trained_workspace: Path
) -> None:
    pairs = [("one two", "two one"), ("", "one"), ("three", "")]
    words = ["score", "-m", str(trained_workspace / "model"), "--device", "cpu"]
    for penalty in (0.0, 1.0):
        lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
        flags = ["--length-penalty", str(penalty)]
        result = CliRunner().invoke(app, [*words, *flags], input=lines)
        records = model.score(pairs, length_penalty=penalty)
        assert [record.status for record in records] == ["ok", "empty", "ok"]
        for line, record in zip(result.stdout.split("\n"), records, strict=False):
            assert (line != "") == (record.best is not None)
            if record.best:
                assert float(line) == pytest.approx(record.best.score, abs=1e-3)
    assert model.score([]) == []


@pytest.mark.parametrize("pairs", ["ab", ["ab"], [("a", "b", "c")], [("a", None)]])
def test_only_pairs_of_texts_are_scored(model: TextModel, pairs: Any) -> None:
    with pytest.raises(UsageError, match=r"expected \(source, target\)|expected texts"):
        model.score(pairs)


def test_attention_is_there_if_asked_for(model: TextModel) -> None:
    for attention in (False, True):
        (record,) = model.records(["one two"], attention=attention)
        assert record.best is not None
        assert (record.best.attention is not None) == attention


def test_all_texts_of_a_list_are_searched_together() -> None:
    engine = StubEngine()
    TextModel(stub_translator(engine)).translate(["a"] * 700)
    assert [len(batch) for batch in engine.batches] == [700]


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no model here"):
        load(tmp_path / "model")


def test_unknown_characters_are_counted(model: TextModel) -> None:
    known, odd = model.records(["one two", "one 犬 two"])
    assert known.translation and odd.translation
    assert known.translation.unknown_tokens == 0
    assert odd.translation.unknown_tokens == 1


def test_several_folders_are_an_ensemble(trained_workspace: Path, tmp_path: Path) -> None:
    first = trained_workspace / "model"
    other = write_model(tmp_path / "other", Tokenizers.load(first), DOT)
    texts = ["one two", "", "six seven five"]
    alone, twice = load(first, device="cpu"), load(str(first), first, device="cpu")
    assert twice.translate(texts) == alone.translate(texts)
    both, turned = load(first, other, device="cpu"), load(other, str(first), device="cpu")
    (found,), (same,) = (m.records(["one two"]) for m in (both, turned))
    assert found.best and same.best
    assert found.best.score == pytest.approx(same.best.score, abs=1e-6)
    assert both.translator.settings({}) == alone.translator.settings({})
    assert both.translator.has_attention


def test_an_ensemble_takes_what_every_model_takes(trained_workspace: Path, tmp_path: Path) -> None:
    def longest(*folders: Path) -> int:
        return load(*folders, device="cpu").translator.engine.max_source_tokens

    first = trained_workspace / "model"
    other = write_model(tmp_path / "other", Tokenizers.load(first), DOT, "training.max_length=7")
    assert longest(first) > 7
    assert longest(first, other) == longest(other, first) == 7


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demands")
    letters = letters_of(["the dog sees a cat.", "Hund Katze 0123456789 XYZ"])
    return write_model(folder / "model", letters, "search.max_length=20", scale=3.0)


TEXTS = ["the dog. a cat sees 7 cats", "dog § 15"]
TERMS = {"dog": "Hund", "cat": "Katze"}


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"glossary": TERMS, "n_best": 2}, ["--glossary", "terms.tsv", "--nbest", "2"]),
        ({"glossary": "terms.tsv", "protect": True}, ["--glossary", "terms.tsv", "--protect"]),
        ({"ban": ["a", "e"], "ban_from": "words"}, ["--ban-from", "words", "--ban=a", "--ban=e"]),
        ({"unit": "sentence", "protect": True}, ["--unit", "sentence", "--protect"]),
        ({"mbr": 4, "beam_size": 4}, ["--mbr", "4", "--beam-size", "4"]),
    ],
    ids=str,
)
def test_demands_are_those_of_the_command(
    settings: dict[str, Any], flags: list[str], random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(random_model.parent)
    Path("terms.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in TERMS.items()))
    Path("words").write_text("Hund\nx\n")
    words = ["translate", "-m", "model", "--device", "cpu", "--json", *flags]
    result = CliRunner().invoke(app, words, input="\n".join(TEXTS))
    assert result.exit_code == 0, result.stderr
    theirs = [json.loads(line)["hypotheses"] for line in result.stdout.splitlines()]
    model = load(random_model, device="cpu")
    records = model.records(TEXTS, **settings)
    ours = [[one.text for one in record.hypotheses] for record in records]
    assert ours == [[one["text"] for one in hypotheses] for hypotheses in theirs]
    plain = model.records(TEXTS)
    assert ours != [[one.text for one in record.hypotheses] for record in plain]


def test_unknown_tokens_are_replaced_as_by_the_command(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", letters_of(["abc "]), scale=3.0)
    (tmp_path / "d.tsv").write_text("§\toe\n§§\toeoe\n", encoding="utf-8")
    words = ["translate", "-m", str(folder), "--device", "cpu", "--replace-unknown"]
    words += ["--dictionary", str(tmp_path / "d.tsv")]
    shown = CliRunner().invoke(app, words, input="§a\n§§\n").stdout.splitlines()
    asked = {"replace_unknown": True, "dictionary": {"§": "oe", "§§": "oeoe"}}
    assert load(folder, device="cpu").translate(["§a", "§§"], **asked) == shown
    assert "oe" in "".join(shown)


def test_prefixes_and_documents_are_those_of_the_command(random_model: Path) -> None:
    model = load(random_model, device="cpu")
    (prefixed,) = model.translate(["the dog\tHund X"], prefix=True)
    assert prefixed.startswith("Hund X")
    text = "the dog. a cat\nsees. the dog\n\na cat."
    words = ["translate", "-m", str(random_model), "--device", "cpu", "--unit", "document"]
    shown = CliRunner().invoke(app, words, input=text).stdout
    assert model.translate(text.split("\n\n"), unit="document") == shown[:-1].split("\n\n")


@pytest.mark.parametrize(
    ("settings", "error", "fault"),
    [
        ({"glossary": "none.tsv"}, MissingInputError, "none.tsv: no such file"),
        ({"glossary": {"dog": " "}}, CorpusError, "glossary, line 1: expected source term TAB"),
        ({"glossary": {"dog": "Ø"}}, CorpusError, "glossary, line 1: the model cannot write 'Ø'"),
        ({"protect": True, "sample": True}, UsageError, "--protect has no effect with --sample"),
        ({"ban": [" "]}, UsageError, "--ban needs a word, found only white space"),
        ({"dictionary": {"a": "b"}}, UsageError, "--dictionary has no effect without --repl"),
        ({"language": "en"}, ConfigError, "--language has no effect without --unit"),
        ({"unit": "page"}, ConfigError, "translate: unit: "),
        ({"ban": 5}, ConfigError, "translate: ban: "),
        (
            {"glosary": {}},
            ConfigError,
            r"unknown setting glosary; did you mean glossary\?",
        ),
        ({"window": 5}, ConfigError, "translate: unknown setting window"),
    ],
    ids=str,
)
def test_demands_that_make_no_sense_are_refused(
    settings: dict[str, Any], error: type[Exception], fault: str, random_model: Path
) -> None:
    with pytest.raises(error, match=fault) as raised:
        load(random_model, device="cpu").translate(["the dog"], **settings)
    assert "\n" not in str(raised.value)
