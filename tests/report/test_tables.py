import io

from rich.console import Console
from rich.text import Text

from s2scli.report.tables import make_table


def test_cells_are_data_and_numbers_are_set_right() -> None:
    console = Console(file=(written := io.StringIO()), width=60)
    rows: list[tuple[str | Text, str]] = [("[red]a\x1b", "7"), (Text("b"), "1,000")]
    console.print(make_table(("name", "count"), rows, numbers=("count",)))
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert [line.split() for line in lines[2:]] == [["[red]a␛", "7"], ["b", "1,000"]]
    assert len(lines[2]) == len(lines[3])
