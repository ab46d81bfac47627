"""What a new model takes over from a trained one: weights by name, tables row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.errors import ConfigError
from s2scli.model.seq2seq import Seq2Seq, Side
from s2scli.report.console import Talk
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Target, Tokenizers
from s2scli.translation.model_folder import LoadedModel

NAMED = 4  # weights named in a line; all of them with --verbose


@dataclass(frozen=True)
class Rows:
    """How many of a table's rows were found in the trained model, by their pieces."""

    found: int
    pieces: int


@dataclass(frozen=True)
class CarriedOver:
    """What a new model took over from a trained one.

    Attributes:
        weights: taken over whole, by name.
        tables: taken over row by row; rows whose piece was not found keep their first values.
        new: weights that keep their first values, each with the reason.
        unused: weights of the trained model that fit nothing here.
    """

    weights: tuple[str, ...]
    tables: Mapping[str, Rows]
    new: Mapping[str, str]
    unused: tuple[str, ...]


@torch.no_grad()
def carry_over(model: Seq2Seq, tokenizers: Tokenizers, trained: LoadedModel) -> CarriedOver:
    """Copy into a new model the weights of a trained one that fit.

    A weight fits where name and shape are the same. A table, with a row for each token, fits where
    its rows are as wide: a row goes to the token whose piece is spelled the same. A shared weight
    takes what is there under any of its names, the first name first.

    Args:
        model: on the CPU; its weights are changed.
        tokenizers: the new model's.
        trained: the model to take from, on the CPU.

    Raises:
        ConfigError: nothing fits except vectors, which may fit by chance.
    """
    theirs = dict(trained.model.named_parameters(remove_duplicate=False))
    tables_of = model.token_rows
    weights, tables, new, used = [], {}, {}, set()
    for name, others in _names_of_weights(model).items():
        weight = model.get_parameter(name)
        fitting = {
            other: theirs[other]
            for other in others
            if other in theirs and _fits(weight, theirs[other], by_row=other in tables_of)
        }
        used |= set(map(id, fitting.values()))
        if not fitting:
            new[name] = _misfit(others, weight, theirs)
        elif name not in tables_of:
            weight.copy_(fitting[name])
            weights.append(name)
        else:
            given = [(tables_of[other], table) for other, table in fitting.items()]
            rows = _take_rows(weight, given, tokenizers, trained.tokenizers)
            if rows:
                tables[name] = Rows(rows, len(weight))
            else:
                new[name] = "no piece in common"
    if all(model.get_parameter(name).dim() < 2 for name in (*weights, *tables)):
        raise ConfigError(
            f"--init-from: nothing of that model (recipe {trained.recipe.name}) fits this one: "
            f"{_listed(new)}; leave --recipe out to take its recipe, or --init-from"
        )
    unused = [name for name, weight in trained.model.named_parameters() if id(weight) not in used]
    return CarriedOver(tuple(weights), tables, new, tuple(unused))


def say_carried_over(found: CarriedOver, talk: Talk) -> None:
    """Say what was taken over and what was not; with details, name every weight."""
    parts = [f"{len(found.weights)} weights"]
    parts += [f"{rows.found:,} of {rows.pieces:,} rows of {n}" for n, rows in found.tables.items()]
    talk.say(f"taken over: {', '.join(parts)}")
    for name in found.weights:
        talk.detail(f"  {name}")
    limit = None if talk.verbose else NAMED
    if found.new:
        talk.say(f"not found there, and new: {_listed(found.new, limit)}")
    if found.unused:
        talk.say(f"not used: {_listed(dict.fromkeys(found.unused, ''), limit)}")


def _names_of_weights(model: Seq2Seq) -> dict[str, list[str]]:
    """Return all names of each weight, by the first of them."""
    first = {id(weight): name for name, weight in model.named_parameters()}
    names: dict[str, list[str]] = {name: [] for name in first.values()}
    for name, weight in model.named_parameters(remove_duplicate=False):
        names[first[id(weight)]].append(name)
    return names


def _fits(weight: Tensor, given: Tensor, *, by_row: bool) -> bool:
    return weight.shape[by_row:] == given.shape[by_row:]


def _misfit(names: Sequence[str], weight: Tensor, theirs: Mapping[str, Tensor]) -> str:
    """Return why there is nothing for a weight of these names."""
    shapes = [list(theirs[name].shape) for name in names if name in theirs]
    return f"{shapes[0]} there, {list(weight.shape)} here" if shapes else "none there"


def _take_rows(
    weight: Tensor, tables: Sequence[tuple[Side, Tensor]], own: Tokenizers, given: Tokenizers
) -> int:
    """Fill the rows of a table, [V, ...], from the first given table that has the piece.

    Returns how many rows were found.
    """
    found = torch.zeros(len(weight), dtype=torch.bool)  # [V]
    for side, table in tables:
        ids = _shared_pieces(_tokenizer(own, side), _tokenizer(given, side))
        mine = torch.tensor([row for row in ids if not found[row]], dtype=torch.long)
        weight[mine] = table[[ids[int(row)] for row in mine]]
        found[mine] = True
    return int(found.sum())


def _tokenizer(tokenizers: Tokenizers, side: Side) -> Target | None:
    """Return the tokenizer of a side; None if it has none."""
    if side == "target":
        return tokenizers.target
    return tokenizers.source if isinstance(tokenizers.source, SentencePiece) else None


def _shared_pieces(own: Target | None, given: Target | None) -> dict[int, int]:
    """Return the given id of every own id whose piece is spelled the same.

    Empty where only the special pieces are shared.
    """
    if own is None or given is None:
        return {}
    given_ids = {given.piece(id): id for id in range(given.vocab_size)}
    pairs = ((id, given_ids.get(own.piece(id))) for id in range(own.vocab_size))
    shared = {id: found for id, found in pairs if found is not None}
    return shared if any(id > EOS_ID for id in shared) else {}


def _listed(reasons: Mapping[str, str], limit: int | None = NAMED) -> str:
    """Return names, each with its reason, some of them or all."""
    parts = [f"{name} ({why})" if why else name for name, why in reasons.items()]
    if limit is None or len(parts) <= limit:
        return ", ".join(parts)
    return f"{', '.join(parts[:limit])} and {len(parts) - limit} more (-v names them)"
