import json
from pathlib import Path

import pytest

from s2scli.data.settings import PrepareSettings
from s2scli.errors import UsageError
from s2scli.pipeline.inputs import Inputs, check_inputs, expanded, opened, weighted, with_columns
from s2scli.report.console import Talk

A, B = Path("a.tsv"), Path("b.tsv")


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("a.tsv", ("a.tsv", 1.0)),
        ("a.tsv=2", ("a.tsv", 2.0)),
        ("a=b.tsv=0.25", ("a=b.tsv", 0.25)),
        ("a.tsv=-1", ("a.tsv=-1", 1.0)),
        ("a.tsv=1e3", ("a.tsv=1e3", 1.0)),
        ("a.tsv=", ("a.tsv=", 1.0)),
    ],
)
def test_the_weight_is_behind_the_last_equals_sign(argument: str, found: tuple[str, float]) -> None:
    assert weighted(Path(argument)) == (Path(found[0]), found[1])


def test_a_file_of_that_name_has_no_weight(tmp_path: Path) -> None:
    (tmp_path / "a.tsv=2").write_text("a\tA\n")
    assert weighted(tmp_path / "a.tsv=2") == (tmp_path / "a.tsv=2", 1.0)


@pytest.mark.parametrize(
    ("inputs", "settings", "message"),
    [
        (Inputs(()), {}, "no corpus file is given"),
        (Inputs((Path("-"),), test=(Path("-"),)), {}, "- is given twice"),
        (Inputs((A, B), weights=(1.0,)), {}, "1 weights for 2 files"),
        (Inputs((A,), weights=(0.0,)), {}, "expected weights from"),
        (Inputs((A,), valid=(B,)), {"valid_size": 1}, "give either --valid or --valid-size"),
        (Inputs((A,), tags=("de",)), {"tag_column": 3}, "give either --tag or --tag-column"),
        (Inputs((A,), tags=("d e",)), {}, "--tag: "),
        (Inputs((A,)), {"history": 1, "swap": True}, "leave --swap out"),
        (Inputs((A,)), {"history": 1, "tag_column": 3}, "leave --tag-column out"),
        (Inputs((A,), tags=("de",)), {"source_kind": "audio"}, "leave --source-kind out"),
    ],
)
def test_inputs_and_settings_that_do_not_fit_are_refused(
    inputs: Inputs, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_inputs(inputs, PrepareSettings.model_validate(settings))


def test_a_dataset_folder_is_its_files_and_each_has_its_weight(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    names = ["one.arrow", "two.arrow"]
    state = {"_data_files": [{"filename": name} for name in names]}
    (tmp_path / "set" / "state.json").write_text(json.dumps(state))
    found = expanded(Inputs((tmp_path / "set", A), weights=(2.0, 3.0)))
    assert [path.name for path in found.corpus] == [*names, "a.tsv"]
    assert found.weights == (2.0, 2.0, 3.0)


def test_a_text_file_without_a_tab_makes_the_target_what_the_source_is(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text("one\ntwo\n")
    inputs = Inputs((tmp_path / "s.txt",))
    with opened(inputs, Talk(quiet=True)) as files:
        (file,) = files["corpus"]
        found = with_columns(inputs, file, PrepareSettings())
        assert found.one_column and found.target_kind == found.source_kind
        with pytest.raises(UsageError, match="--swap needs two columns, but the corpus has one"):
            with_columns(inputs, file, PrepareSettings(swap=True))
        with pytest.raises(UsageError, match="2 files for valid: expected one file of sentences"):
            with_columns(Inputs(inputs.corpus, valid=(A, B)), file, PrepareSettings())
