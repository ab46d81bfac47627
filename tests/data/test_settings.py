import pytest
from pydantic import ValidationError

from s2scli.data.settings import PrepareSettings


@pytest.mark.parametrize(("text", "pair"), [(None, None), ("2,3", (2, 3)), ("10,1", (10, 1))])
def test_columns_are_two_numbers(text: str | None, pair: tuple[int, int] | None) -> None:
    assert PrepareSettings(columns=text).column_pair == pair


@pytest.mark.parametrize("text", ["", "2", "0,1", "1,2,3", "1, 2", "a,b", "1,-2", "1,99999", "²,1"])
def test_other_columns_are_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="expected two numbers such as 2,3, found"):
        PrepareSettings(columns=text)
