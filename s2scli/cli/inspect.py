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

app = typer.Typer(
    no_args_is_help=True,
    help="Look at the corpus, the tokenizer, the model, its training, its attention, a recipe.",
)
app.command("attention")(inspect_attention.command)
app.command("corpus")(inspect_corpus.command)
app.command("tokenizer")(inspect_tokenizer.command)
app.command("model")(inspect_model.command)
app.command("training")(inspect_training.command)
app.command("recipe")(inspect_recipe.command)
