"""The arguments of `python -m tests.bench`, and the tables that it has."""

from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.race import ROOT
from tests.bench.tables import TABLES


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--only", "one"], "invalid choice: 'one'"),
        (["--limit-scale", "0"], "0: the scale must be a number above 0"),
        (["--limit-scale", "nan"], "nan: the scale must be a number above 0"),
        (["--limit-scale", "long"], "long: the scale must be a number above 0"),
        (["--list", "--render"], "not allowed with argument"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(arguments, TABLES, tmp_path, tmp_path / "page.md")
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize("name", TABLES)
def test_every_table_names_tests_that_exist(name: str) -> None:
    path, *chosen = TABLES[name].tests
    assert (ROOT / path).is_file()
    assert not chosen or chosen[0] == "-k"
