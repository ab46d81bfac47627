"""The pointer's probabilities and loss equal a loop written from See et al. 2017."""

import math

import numpy as np
import pytest
import torch

from s2scli.errors import ConfigError
from s2scli.model.output.pointer import NOTHING, Mixture, PointerOutput
from s2scli.settings import Tree
from s2scli.special_ids import UNK_ID
from tests.models import VOCAB_SIZE, copying_batch, make_model, model_tree, transformer_tree

POINTER: Tree = {"output": {"kind": "pointer"}}
# Indices 0 and 2 are pieces of the vocabulary, 3 is a copy of 0, 1 and 4 are outside it.
PIECES = [4, VOCAB_SIZE + 1, 6, NOTHING, VOCAB_SIZE + 4]
TARGETS = [4, VOCAB_SIZE + 1, 7, 6, VOCAB_SIZE + 4, UNK_ID]


def pointer() -> PointerOutput:
    output = make_model({**model_tree(), **POINTER}).output
    assert isinstance(output, PointerOutput)
    return output.double()


def mixture(output: PointerOutput) -> Mixture:
    """Random rows, one for each of the targets."""
    torch.manual_seed(1)
    rows = len(TARGETS)
    mass = torch.rand(rows, len(PIECES)).double().softmax(-1)
    mass[:, PIECES.index(NOTHING)] = 0.0
    return Mixture(
        torch.randn(rows, output.in_features).double(),
        torch.randn(rows).double(),
        mass / mass.sum(-1, keepdim=True),
        torch.tensor(PIECES).expand(rows, -1),
    )


def plain_probabilities(output: PointerOutput, read: Mixture) -> list[list[float]]:
    """See et al. 2017, eq. 9, token by token; [rows, V + S]."""
    found = []
    weight, bias = output.weight.detach(), output.bias.detach()
    for hidden, gate, mass in zip(read.hidden, read.gate, read.mass, strict=True):
        p_copy = 1 / (1 + math.exp(-float(gate)))
        scores = [math.exp(float(row @ hidden + b)) for row, b in zip(weight, bias, strict=True)]
        row = [(1 - p_copy) * score / sum(scores) for score in scores] + [0.0] * len(PIECES)
        for piece, share in zip(PIECES, mass.tolist(), strict=True):
            if piece != NOTHING:
                row[piece] += p_copy * share
        found.append(row)
    return found


def test_probabilities_are_those_of_the_paper() -> None:
    output = pointer()
    read = mixture(output)
    logits = output.logits(read.pack())
    expected = torch.tensor(plain_probabilities(output, read), dtype=torch.float64)
    torch.testing.assert_close(logits.exp(), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(expected.sum(-1), torch.ones(len(TARGETS)).double())
    torch.testing.assert_close(output.p_copy(read.pack()), read.gate.sigmoid())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_that_of_the_paper(smoothing: float) -> None:
    output = pointer()
    read = mixture(output)
    total = 0.0
    for row, target in zip(plain_probabilities(output, read), TARGETS, strict=True):
        total -= (1 - smoothing) * math.log(row[target])
        total -= smoothing / VOCAB_SIZE * sum(map(math.log, row[:VOCAB_SIZE]))
    found = output.token_loss(read.pack(), torch.tensor(TARGETS), smoothing)
    assert found.item() == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_gradients_are_those_of_the_probabilities(smoothing: float) -> None:
    """The lean loss, against autograd through all logits."""
    output = pointer()
    packed = mixture(output).pack().requires_grad_()
    wanted = (packed, output.weight, output.bias)
    target = torch.tensor(TARGETS)
    found = torch.autograd.grad(output.token_loss(packed, target, smoothing), wanted)
    logits = output.logits(packed)
    chosen = logits.gather(-1, target[:, None]).sum()
    spread = logits[:, :VOCAB_SIZE].mean(-1).sum()
    loss = -(1 - smoothing) * chosen - smoothing * spread
    for mine, theirs in zip(found, torch.autograd.grad(loss, wanted), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("tree", [model_tree(), transformer_tree()], ids=["gru", "transformer"])
def test_what_is_copied_is_the_mean_attention_of_the_last_layer(tree: Tree) -> None:
    model, batch = make_model({**tree, **POINTER}), copying_batch()
    output = model.output
    found = model(batch, attention=True)
    assert found.attention_weights is not None and model.attention_shape is not None
    weights = found.attention_weights[:, :, -model.attention_shape[1] :].mean(2).detach().numpy()
    read = Mixture.unpack(found.hidden, output.in_features)
    one, other = VOCAB_SIZE + 1, VOCAB_SIZE + 3
    assert read.pieces[0, 0].tolist() == [4, one, 6, other, NOTHING, 3]
    assert read.pieces[1, 0].tolist() == [8, 9, 3, NOTHING, NOTHING, NOTHING]
    summed = np.concatenate([weights[0, :, :4], np.zeros((5, 1)), weights[0, :, 5:]], 1)
    summed[:, 1] += weights[0, :, 4]
    np.testing.assert_allclose(read.mass[0].detach(), summed, atol=1e-6)
    torch.testing.assert_close(found.p_copy, read.gate.sigmoid())


def test_the_gate_reads_the_context_the_state_and_the_input() -> None:
    model, batch = make_model({**model_tree(), **POINTER}), copying_batch()
    encoded = model.encode(batch.source, batch.source_lengths)
    found = model(batch, attention=True)
    assert found.attention_weights is not None
    read = Mixture.unpack(found.hidden, model.output.in_features)
    context = found.attention_weights[:, :, 0] @ encoded.memory
    embedded = model.target(model.output.readable(batch.target_input))
    seen = torch.cat([context, read.hidden, embedded], -1)
    assert isinstance(model.output, PointerOutput)
    torch.testing.assert_close(read.gate, model.output.gate(seen)[..., 0])


def test_pieces_outside_a_vocabulary_are_read_as_unknown() -> None:
    model, batch = make_model({**model_tree(), **POINTER}), copying_batch()
    assert model.output.readable(batch.target_input)[0].tolist() == [2, UNK_ID, UNK_ID, 3, 0]
    assert model.output.split(batch.source)[0][0].tolist() == [4, UNK_ID, 6, UNK_ID, UNK_ID, 3]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"attention": {"kind": "none"}, "connection": {"kind": "mean", "every_step": True}},
            r"model\.output\.kind: pointer copies what the decoder attends to",
        ),
        ({"ctc_weight": 0.5}, r"model\.ctc_weight: a CTC layer writes only"),
    ],
)
def test_what_cannot_be_combined_says_why(changes: Tree, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        make_model({**model_tree(), **POINTER, **changes})
