"""The card of a model: the README.md in its folder, written from what its manifest records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s2scli.config import Recipe
from s2scli.metrics import value_and_interval
from s2scli.metrics.score import Score
from s2scli.tokenizer.tokenizers import Tokenizers

# keys among the facts of a model
IMPORTED, DATA, MADE_WITH, INIT_FROM = "imported", "data", "made_with", "init_from"


@dataclass(frozen=True)
class HeldOut:
    """Scores of a model on the test split.

    Attributes:
        sentences: the number of scored sentences.
        scores: one for each metric.
        command: the command that makes them again.
    """

    sentences: int
    scores: tuple[Score, ...]
    command: str


def model_card(
    recipe: Recipe,
    tokenizers: Tokenizers,
    facts: Mapping[str, Any],
    tested: HeldOut | None = None,
) -> str:
    """Return the card: what the model is, its data and scores, how to make, use and test it.

    Args:
        recipe: the resolved recipe.
        tokenizers: the tokenizers of both sides.
        facts: what the manifest of the model records; the card leaves out what is not there.
        tested: its scores on the test split; without them the card says how to make them.
    """
    sections = {
        "Model": _model(recipe, tokenizers, facts),
        "Data": _data(facts),
        "Training": () if IMPORTED in facts else _training(recipe, facts),
        "Validation scores": _scores(facts),
        "Test scores": _tested(tested),
        "Use": ("    s2s translate -m FOLDER < input.txt",),
        "Make it again": _commands(facts),
        "Limits": _limits(recipe),
    }
    lines = [f"# {recipe.name}", "", recipe.description]
    for title, content in sections.items():
        if found := list(content):
            lines += ["", f"## {title}", "", *found]
    return "\n".join(lines) + "\n"


def _model(recipe: Recipe, tokenizers: Tokenizers, facts: Mapping[str, Any]) -> Iterator[str]:
    vocabulary = ", ".join(f"{size} {side}" for side, size in tokenizers.vocab_sizes.items())
    if origin := facts.get(IMPORTED):
        yield f"- imported from {origin['from']}, a model of {origin['program']}"
    parts = ("encoder", "decoder", "attention")
    kinds = recipe.model.model_dump(include=set(parts))
    yield "- " + ", ".join(f"{part} {kinds[part]['kind']}" for part in parts)
    yield f"- paper: {recipe.paper or 'none'}"
    yield f"- vocabulary: {vocabulary}"
    if "parameters" in facts:
        yield f"- parameters: {facts['parameters']}"


def _data(facts: Mapping[str, Any]) -> Iterator[str]:
    data = facts.get(DATA)
    if data:
        yield f"- files: {', '.join(data['files'])}"
        yield from (f"- {split}: {rows:,} pairs" for split, rows in data["rows"].items())


def _training(recipe: Recipe, facts: Mapping[str, Any]) -> Iterator[str]:
    if "step" in facts:
        yield f"- trained for {facts['step']} updates ({facts.get('minutes')} minutes)"
    if averaged := facts.get("averaged"):
        yield f"- the mean of the weights after updates {', '.join(map(str, averaged))}"
    yield f"- random seed: {recipe.training.seed}"
    if made_with := facts.get(MADE_WITH):
        yield "- " + ", ".join(f"{name} {value}" for name, value in made_with.items())


def _scores(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the scores on the valid split; they chose the weights, so they are optimistic."""
    scores = facts.get("scores", {})
    yield from (f"- {name}: {value:.4g}" for name, value in scores.items())
    if scores:
        yield ""
        yield "They chose the weights, so they are optimistic."


def _tested(tested: HeldOut | None) -> Iterator[str]:
    """Yield the scores on the test split, or the command that makes them."""
    if tested is None:
        yield "No scores are recorded. In the workspace of the model, this command makes them, with"
        yield "intervals and signatures:"
        yield ""
        yield "    s2s evaluate"
        return
    for score in tested.scores:
        value, interval = value_and_interval(score)
        yield f"- {score.name}: {value}" + f" (95 % interval {interval})" * bool(interval)
        yield f"  `{score.name}|{score.signature}`"
    yield ""
    yield f"{tested.sentences:,} sentences, scored by:"
    yield ""
    yield f"    {tested.command}"


def _commands(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the commands that make the model again, if it was trained on files."""
    commands = facts.get(DATA, {}).get("commands")
    if commands and IMPORTED not in facts:
        yield from (f"    {command}" for command in commands)
        yield f"    {training_command('FOLDER/recipe.toml', facts)}"
        yield ""
        yield "The recipe has every setting of the run but its limits."
        if digest := facts.get(INIT_FROM):
            yield "OTHER is the model that it began with; `s2s verify --digest OTHER` shows"
            yield f"{digest}."


def training_command(recipe: str, facts: Mapping[str, Any]) -> str:
    """Return the command that trains a model; OTHER stands for the model that it began with.

    Args:
        recipe: the path of its recipe.
        facts: what its manifest records.
    """
    return f"s2s train --recipe {recipe}" + " --init-from OTHER" * (INIT_FROM in facts)


def _limits(recipe: Recipe) -> Iterator[str]:
    yield f"- sources in training had at most {recipe.training.max_length:,} tokens; longer ones"
    yield "  are split"
    yield "- it writes what is probable, which need not be true: check what matters"
    yield "- the tokenizer's pieces and the weights can hold strings that were frequent in the"
    yield "  training text"
