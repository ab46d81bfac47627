import pytest
from rich.cells import cell_len

from s2scli.report.pieces import SIGNS, piece_label, sign_legend


@pytest.mark.parametrize("piece", SIGNS)
def test_a_special_token_is_one_cell(piece: str) -> None:
    assert cell_len(piece_label(piece)) == 1


def test_other_pieces_are_labels() -> None:
    assert piece_label("▁dog\x1b") == "▁dog␛"


def test_the_legend_has_what_is_there() -> None:
    assert sign_legend(["a", "</s>", "</s>"]) == "⏎ end of the sentence"
    assert sign_legend(["<unk>", "</s>"]) == "⏎ end of the sentence · ⁇ unknown"
    assert sign_legend(["a", "<s>"]) == ""
