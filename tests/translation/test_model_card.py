"""The card says what the manifest records, and nothing else."""

from typing import Any

from s2scli.config import load_recipe
from s2scli.metrics.score import Score
from s2scli.translation.model_card import HeldOut, model_card
from tests.folders import letters_of

FACTS: dict[str, Any] = {
    "step": 40,
    "minutes": 1.5,
    "parameters": 1234,
    "averaged": [20, 40],
    "scores": {"bleu": 12.345},
    "data": {
        "files": ["a.tsv"],
        "commands": ["s2s prepare a.tsv --swap", "s2s train-tokenizer"],
        "rows": {"train": 1000, "valid": 20},
    },
    "made_with": {"s2s": "0.1.0", "torch": "2.10"},
}


def card_of(tested: HeldOut | None = None, **facts: Any) -> str:
    return model_card(load_recipe("tiny"), letters_of(["abc"]), facts, tested)


def test_it_has_data_training_scores_commands_and_limits() -> None:
    card = card_of(**FACTS)
    for line in (
        "# tiny",
        "- files: a.tsv",
        "- train: 1,000 pairs",
        "- trained for 40 updates (1.5 minutes)",
        "- the mean of the weights after updates 20, 40",
        "- s2s 0.1.0, torch 2.10",
        "- bleu: 12.35",
        "    s2s prepare a.tsv --swap",
        "    s2s train-tokenizer",
        "    s2s translate -m FOLDER < input.txt",
        "## Limits",
    ):
        assert f"\n{line}\n" in f"\n{card}"


def test_the_command_names_the_model_that_it_began_with() -> None:
    digest = "5f" * 32
    card = card_of(**FACTS, init_from=digest)
    assert "\n    s2s train --recipe FOLDER/recipe.toml --init-from OTHER\n" in card
    assert f"`s2s verify --digest OTHER` shows\n{digest}.\n" in card
    assert "OTHER" not in card_of(**FACTS)


def test_what_is_not_known_is_left_out() -> None:
    card = card_of()
    for title in ("Data", "Validation scores", "Make it again"):
        assert f"## {title}" not in card
    assert "None" not in card


def test_an_imported_model_says_where_it_comes_from() -> None:
    card = card_of(imported={"from": "opus", "program": "Marian"}, parameters=7)
    assert "- imported from opus, a model of Marian\n" in card
    assert "## Training" not in card
    assert "## Make it again" not in card


def test_scores_on_the_test_split_have_interval_signature_and_command() -> None:
    scores = (
        Score("BLEU", 12.345, "nrefs:1|tok:13a", (10.0, 15.006)),
        Score("perplexity", 3.14159, "unit:token"),
    )
    card = card_of(HeldOut(1000, scores, "s2s evaluate --split test --bleu --perplexity"))
    assert (
        "\n## Test scores\n\n"
        "- BLEU: 12.35 (95 % interval 10.00 to 15.01)\n"
        "  `BLEU|nrefs:1|tok:13a`\n"
        "- perplexity: 3.14\n"
        "  `perplexity|unit:token`\n\n"
        "1,000 sentences, scored by:\n\n"
        "    s2s evaluate --split test --bleu --perplexity\n"
    ) in card.replace("3.142", "3.14")
    assert "No scores are recorded" not in card


def test_without_scores_on_the_test_split_it_says_how_to_make_them() -> None:
    card = card_of(**FACTS)
    assert "## Test scores\n\nNo scores are recorded. In the workspace of the model, this" in card
    assert "\n    s2s evaluate\n" in card
