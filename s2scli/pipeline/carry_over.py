"""Copy weights from a trained model into a new one: by name, and embedding tables by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s2scli.errors import ConfigError
from s2scli.export.foreign import NEVER
from s2scli.model.seq2seq import Seq2Seq, Side
from s2scli.report.console import Talk
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Target, Tokenizers
from s2scli.translation.model_folder import LoadedModel

NAMED = 4  # weights listed in one message; --verbose lists all


@dataclass(frozen=True)
class Rows:
    """How many of a table's rows were copied, out of all its pieces."""

    found: int
    pieces: int


@dataclass(frozen=True)
class CarriedOver:
    """What was copied from a trained model into a new one.

    Attributes:
        weights: names of the weights that were copied whole.
        tables: tables that were copied row by row, by name. A row whose piece was not found keeps
            its initial values.
        new: weights that keep their initial values; maps each name to the reason.
        unused: names of the trained model's weights that were not copied.
    """

    weights: tuple[str, ...]
    tables: Mapping[str, Rows]
    new: Mapping[str, str]
    unused: tuple[str, ...]


@torch.no_grad()
def carry_over(model: Seq2Seq, tokenizers: Tokenizers, trained: LoadedModel) -> CarriedOver:
    """Copy the weights of a trained model that fit into a new model.

    A weight fits if its name and shape match. A table with one row per token (such as an
    embedding) fits if the rows have the same width; each row is copied to the token with the same
    piece. A table that is shared under several names is filled from each of them, in order.

    Args:
        model: the new model, on the CPU; its weights are changed.
        tokenizers: the new model's tokenizers.
        trained: the trained model, on the CPU.

    Raises:
        ConfigError: no matrix fits. Vectors do not count, because they may fit by chance.
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
            rows = _take_rows(weight, given, tokenizers, trained)
            if rows:
                tables[name] = Rows(rows, len(weight))
            else:
                new[name] = "no common pieces"
    if all(model.get_parameter(name).dim() < 2 for name in (*weights, *tables)):
        raise ConfigError(
            f"--init-from: no weight matrix of that model (recipe {trained.recipe.name}) fits this "
            f"one: {_listed(new)}; leave out --recipe to use its recipe, or leave out --init-from"
        )
    unused = [name for name, weight in trained.model.named_parameters() if id(weight) not in used]
    return CarriedOver(tuple(weights), tables, new, tuple(unused))


def say_carried_over(found: CarriedOver, talk: Talk) -> None:
    """Report what was copied and what was not; with --verbose, list every weight."""
    parts = [f"{len(found.weights)} weights"]
    parts += [f"{rows.found:,} of {rows.pieces:,} rows of {n}" for n, rows in found.tables.items()]
    talk.say(f"copied from the trained model: {', '.join(parts)}")
    for name in found.weights:
        talk.detail(f"  {name}")
    limit = None if talk.verbose else NAMED
    if found.new:
        talk.say(f"not copied, newly initialized: {_listed(found.new, limit)}")
    if found.unused:
        unused = _listed(dict.fromkeys(found.unused, ""), limit)
        talk.say(f"in the trained model but not used: {unused}")


def _names_of_weights(model: Seq2Seq) -> dict[str, list[str]]:
    """Return all names of each weight, keyed by its first name."""
    first = {id(weight): name for name, weight in model.named_parameters()}
    names: dict[str, list[str]] = {name: [] for name in first.values()}
    for name, weight in model.named_parameters(remove_duplicate=False):
        names[first[id(weight)]].append(name)
    return names


def _fits(weight: Tensor, given: Tensor, *, by_row: bool) -> bool:
    return weight.shape[by_row:] == given.shape[by_row:]


def _misfit(names: Sequence[str], weight: Tensor, theirs: Mapping[str, Tensor]) -> str:
    """Return why no weight of the trained model fits a weight with these names."""
    shapes = [list(theirs[name].shape) for name in names if name in theirs]
    return f"{shapes[0]} there, {list(weight.shape)} here" if shapes else "not there"


def _take_rows(
    weight: Tensor, tables: Sequence[tuple[Side, Tensor]], own: Tokenizers, trained: LoadedModel
) -> int:
    """Fill each row of a table, [V, ...], from the first given table that has its piece.

    An imported model has pieces that it never writes; another target tokenizer may write them.

    Returns:
        The number of rows filled.
    """
    found = torch.zeros(len(weight), dtype=torch.bool)  # [V]
    given = trained.tokenizers
    unwritten = _unwritten(trained) if own.target != given.target else set()
    for side, table in tables:
        ids = _shared_pieces(_tokenizer(own, side), _tokenizer(given, side))
        if side == "target":
            ids = {row: id for row, id in ids.items() if id not in unwritten}
        mine = torch.tensor([row for row in ids if not found[row]], dtype=torch.long)
        weight[mine] = table[[ids[int(row)] for row in mine]]
        found[mine] = True
    return int(found.sum())


def _unwritten(trained: LoadedModel) -> set[int]:
    """Return the target ids, but for special ones, whose bias says that they are never written."""
    bias = trained.model.get_parameter("output.bias")  # [V]; training may have moved it a little
    return {int(id) for id in (bias < NEVER / 2).nonzero().flatten() if id > EOS_ID}


def _tokenizer(tokenizers: Tokenizers, side: Side) -> Target | None:
    """Return the tokenizer of a side; None if it has none."""
    if side == "target":
        return tokenizers.target
    return tokenizers.source if isinstance(tokenizers.source, SentencePiece) else None


def _shared_pieces(own: Target | None, given: Target | None) -> dict[int, int]:
    """Map each own id to the given id that has the same piece.

    The mapping is empty if only special pieces are shared.
    """
    if own is None or given is None:
        return {}
    given_ids = {given.piece(id): id for id in range(given.vocab_size)}
    pairs = ((id, given_ids.get(own.piece(id))) for id in range(own.vocab_size))
    shared = {id: found for id, found in pairs if found is not None}
    return shared if any(id > EOS_ID for id in shared) else {}


def _listed(reasons: Mapping[str, str], limit: int | None = NAMED) -> str:
    """Join names with their reasons; list at most `limit` of them, or all if it is None."""
    parts = [f"{name} ({why})" if why else name for name, why in reasons.items()]
    if limit is None or len(parts) <= limit:
        return ", ".join(parts)
    return f"{', '.join(parts[:limit])} and {len(parts) - limit} more (-v lists them)"
