"""What outputs must contain and must not, from the command line, with models of random weights."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.data.codecs.copying import CopyingSource
from s2scli.tokenizer.copying import Copier
from s2scli.translation.protecting import PROTECTED
from tests.folders import letters_of, write_model

LETTERS = ["the dog sees cats birds.", "Hund Katze die alte Gans", "0123456789 XYZ"]
LINES = ["the dog", "a cat, a dog: 3 birds", "", "see 7.5 cats at a@b.org or <b>15</b>"]
TERMS = "dog\tHund\ncat\tKatze\nbirds\tdie alte Gans\n"

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("constraints")
    (folder / "terms.tsv").write_text(TERMS, encoding="utf-8")
    write_model(folder / "model", letters_of(LETTERS), scale=3.0)
    write_model(folder / "other", letters_of(LETTERS), seed=2, scale=3.0)
    return folder


@pytest.fixture
def translate(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(random_model)

    def run(*arguments: str, given: str = "\n".join(LINES)) -> Result:
        words = ["translate", "-m", "model", "--device", "cpu", "--max-length", "24", *arguments]
        return CliRunner().invoke(app, words, input=given)

    return run


def outputs(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def terms_of(line: str) -> Counter[str]:
    pairs = (row.split("\t") for row in TERMS.splitlines())
    return Counter({target: len(re.findall(rf"\b{source}\b", line)) for source, target in pairs})


@pytest.mark.parametrize("more", [[], ["-m", "other"], ["--beam-size", "1"]])
def test_every_term_is_in_every_output(translate: Run, more: list[str]) -> None:
    for line, output in zip(
        LINES, outputs(translate("--glossary", "terms.tsv", *more)), strict=True
    ):
        for term, count in terms_of(line).items():
            assert len(re.findall(rf"\b{term}\b", output)) >= count


def test_numbers_addresses_and_tags_come_out_as_they_went_in(translate: Run) -> None:
    result = translate("--protect", "--glossary", "terms.tsv", "--nbest", "2", "--json")
    for line, row in zip(LINES, outputs(result), strict=True):
        record = json.loads(row)
        assert record["source"] == line
        for one in record["hypotheses"]:
            found = Counter(match.group() for match in PROTECTED.finditer(one["text"]))
            assert Counter(match.group() for match in PROTECTED.finditer(line)) <= found
            assert all(term in one["text"] for term, times in terms_of(line).items() if times)


def test_words_with_a_protected_text_have_no_alignment(translate: Run) -> None:
    """The tokens are those of what stood in for it, whose words may be others."""
    given = "the <b>dog</b>\nthe dog\n"
    rows = [json.loads(line) for line in outputs(translate("--protect", "--json", given=given))]
    found = [row["hypotheses"][0]["word_alignment"] for row in rows]
    assert found[0] is None and found[1]
    first, second = outputs(translate("--protect", "--alignment", given=given))
    assert first.endswith("||| ") and re.search(r"\|\|\| \d+-\d+", second)


def test_outputs_begin_with_their_prefixes(translate: Run) -> None:
    given = "the dog\tHund und\na cat\t\n\t\n\n"
    first, second, *blank = outputs(translate("--prefix", given=given))
    plain = outputs(translate(given="the dog\na cat\n"))
    assert first.startswith("Hund und") and second == plain[1] and blank == ["", ""]
    result = translate("--prefix", given="the dog\nthe dog\tH§\n")
    assert result.exit_code == 3 and result.stdout == "\n\n"
    assert "no TAB, expected source TAB prefix" in result.stderr
    assert "the model cannot write the prefix" in result.stderr


def test_banned_words_are_in_no_output(translate: Run, tmp_path: Path) -> None:
    plain = outputs(translate("--nbest", "5"))
    words = {word for line in plain for word in re.findall(r"\w+", line.split("|||")[1])}
    (tmp_path / "words").write_text("\n".join(sorted(words)), encoding="utf-8")
    result = translate("--nbest", "5", "--ban-from", str(tmp_path / "words"), "--ban", "Hund")
    for line in outputs(result):
        assert not words & {*re.findall(r"\w+", line.split("|||")[1])}


def test_a_banned_word_is_not_copied_either(tmp_path: Path) -> None:
    pointer = ("model.output.kind=pointer",)
    folder = write_model(tmp_path / "m", letters_of(["ab "]), *pointer, scale=3.0)
    words = ["translate", "-m", str(folder), "--device", "cpu", "--nbest", "5"]
    given = "xyz ab\n"
    plain = outputs(CliRunner().invoke(app, words, input=given))
    copied = {word for line in plain for word in re.findall(r"\w*[xyz]\w*", line.split("|||")[1])}
    assert copied
    banned = [part for word in copied for part in ("--ban", word)]
    for line in outputs(CliRunner().invoke(app, [*words, *banned], input=given)):
        assert not copied & {*re.findall(r"\w+", line.split("|||")[1])}


def test_a_constraint_that_is_met_changes_nothing(translate: Run) -> None:
    plain = outputs(translate("--scores"))
    assert outputs(translate("--scores", "--ban", "Zebra")) == plain
    term = re.findall(r"\w+", plain[0].split("\t")[1])[0]
    Path("own.tsv").write_text(f"the\t{term}\n", encoding="utf-8")
    assert outputs(translate("--scores", "--glossary", "own.tsv"))[0] == plain[0]


@pytest.mark.parametrize(
    ("words", "status", "fault"),
    [
        (["--glossary", "none.tsv"], 66, "none.tsv: no such file"),
        (["--ban-from", "none"], 66, "none: no such file"),
        (["--ban", " "], 2, "--ban needs a word, found only white space"),
        (["--glossary", "bad.tsv"], 65, "bad.tsv, line 1: expected source term TAB target term"),
        (["--glossary", "odd.tsv"], 65, "odd.tsv, line 1: the model cannot write 'Ø'"),
        (["--glossary", "terms.tsv", "--ban", "Hund"], 65, "'Hund' holds the banned word"),
        (["--protect", "--sample"], 2, "--protect has no effect with --sample"),
        (["--glossary", "terms.tsv", "--beam-groups", "5"], 2, "no effect with --beam-groups"),
        (
            ["--diversity-penalty", "1"],
            2,
            "--diversity-penalty has no effect without --beam-groups",
        ),
        (["--beam-groups", "2"], 2, "--beam-groups 2 must divide --beam-size 5"),
        (["--dictionary", "terms.tsv"], 2, "--dictionary has no effect without --replace-unk"),
        (["--mbr", "6"], 2, "--mbr 6 must not be more than --beam-size 5"),
        (["--prefix", "--engine", "ctranslate2"], 66, "no export of the model here"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    translate: Run, words: list[str], status: int, fault: str
) -> None:
    Path("bad.tsv").write_text("dog\n", encoding="utf-8")
    Path("odd.tsv").write_text("dog\tØ\n", encoding="utf-8")
    result = translate(*words)
    assert result.exit_code == status and fault in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not result.stdout


def test_coverage_and_replacing_need_attention(random_model: Path) -> None:
    write_model(
        random_model / "blind",
        letters_of(LETTERS),
        *("model.attention.kind=none", "model.connection.kind=last"),
    )
    for words, status, fault in (
        (["--coverage-penalty", "1"], 78, "coverage_penalty needs attention"),
        (["--replace-unknown"], 2, "--replace-unknown needs attention"),
    ):
        command = ["translate", "-m", str(random_model / "blind"), *words]
        result = CliRunner().invoke(app, command, input="a\n")
        assert result.exit_code == status and fault in result.stderr


def test_unknown_tokens_become_what_they_attend_to(random_model: Path, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", letters_of(["abc "]), scale=3.0)
    lines, words = "aØb\nØØ\n", ["translate", "-m", str(folder), "--nbest", "5"]
    plain = outputs(CliRunner().invoke(app, words, input=lines))
    replaced = outputs(CliRunner().invoke(app, [*words, "--replace-unknown"], input=lines))
    (tmp_path / "d.tsv").write_text("Ø\toe\nØØ\toeoe\n", encoding="utf-8")
    dictionary = ["--replace-unknown", "--dictionary", str(tmp_path / "d.tsv")]
    spelled = outputs(CliRunner().invoke(app, [*words, *dictionary], input=lines))
    assert "⁇" in "".join(plain) and "Ø" in "".join(replaced) and "oe" in "".join(spelled)
    assert "Ø" not in "".join(spelled)
    for one, other in zip(plain, replaced, strict=True):
        known = re.escape(one).replace("⁇", ".*")
        assert re.fullmatch(known, other)


def test_a_model_that_copies_attends_to_each_unknown_token() -> None:
    """Those of a run are one token for other models."""
    tokenizers = letters_of(["abc "])
    copier = Copier(*tokenizers.texts)
    assert tokenizers.texts[0].surfaces("aØÅb c") == ["a", "ØÅ", "b", " ", "c"]
    source = CopyingSource(tokenizers.texts[0], copier)
    assert source.surfaces("aØÅb c") == ["a", "Ø", "Å", "b", " ", "c"]


def test_minimum_bayes_risk_chooses_among_the_outputs(translate: Run) -> None:
    lists = outputs(translate("--nbest", "5", given="the dog"))
    best = outputs(translate("--mbr", "5", given="the dog"))
    assert best[0] in {line.split(" ||| ")[1] for line in lists}
    sampled = ["--sample", "--mbr", "8", "--seed", "3"]
    assert outputs(translate(*sampled)) == outputs(translate(*sampled))
    ranked = outputs(translate("--mbr", "5", "--nbest", "5", given="the dog"))
    assert sorted(ranked) == sorted(lists)


def test_an_unfinished_file_is_continued_with_the_same_constraints_only(
    translate: Run, tmp_path: Path
) -> None:
    output = str(tmp_path / "out.txt")
    Path("lines.txt").write_bytes(b"the dog\nthe dog\n\xff\n")
    words = ["lines.txt", "-o", output, "--strict", "--window", "1"]
    assert translate(*words, "--glossary", "terms.tsv").exit_code == 65
    result = translate(*words, "--resume", "--ban", "Hund")
    assert result.exit_code == 78 and "constraints" in result.stderr
