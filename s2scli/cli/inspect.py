"""`s2s inspect`: the group of commands that look and change nothing."""

import typer

from s2scli.cli import (
    inspect_attention,
    inspect_corpus,
    inspect_model,
    inspect_recipe,
    inspect_tokenizer,
    inspect_training,
)
from s2scli.cli.help import HelpfulGroup, add_commands

app = typer.Typer(
    cls=HelpfulGroup,
    no_args_is_help=True,
    help="Look at the corpus, the tokenizer, the model, its training, its attention, a recipe.",
)
add_commands(
    app,
    inspect_attention,
    inspect_corpus,
    inspect_tokenizer,
    inspect_model,
    inspect_training,
    inspect_recipe,
)
