import pytest

from s2scli.data.example import Example
from s2scli.data.rows import BadLine, Notice, require_examples
from s2scli.errors import CorpusError


def test_examples_come_before_the_error_of_a_bad_line() -> None:
    bad = BadLine("folder/a.tsv", 2, "columns", "no TAB")
    examples = require_examples([Notice("a header"), Example("a", "b", 1), bad])
    assert next(examples) == Example("a", "b", 1)
    with pytest.raises(CorpusError, match=r"^folder/a.tsv, line 2: no TAB$"):
        next(examples)
