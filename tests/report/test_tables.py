import io

from rich.console import Console
from rich.text import Text

from s2scli.report.tables import make_table, whole


def test_cells_are_data_and_numbers_are_set_right() -> None:
    console = Console(file=(written := io.StringIO()), width=60)
    rows: list[tuple[str | Text, str]] = [("[red]a\x1b", "7"), (Text("b"), "1,000")]
    console.print(make_table(("name", "count"), rows, numbers=("count",)))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert [line.split() for line in lines[2:]] == [["[red]a␛", "7"], ["b", "1,000"]]
    assert len(lines[2]) == len(lines[3])


def test_a_whole_table_is_as_wide_as_its_cells_on_a_narrow_console() -> None:
    console = Console(file=(written := io.StringIO()), width=10)
    table = make_table(("name", "count"), [("x" * 30, "1")], numbers=("count",))
    console.print(whole(table, console), soft_wrap=True)
    assert "x" * 30 in written.getvalue()


def test_a_long_text_goes_on_below_and_is_not_cut() -> None:
    console = Console(file=(written := io.StringIO()), width=20)
    console.print(make_table(("name", "count"), [("x" * 30, "1,000")], numbers=("count",)))
    assert written.getvalue().count("x") == 30
    assert all(len(line) <= 20 for line in written.getvalue().splitlines())
