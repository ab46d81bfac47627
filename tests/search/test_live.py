"""Live hypotheses grow by what is chosen, and sentences leave with all that is theirs."""

import torch

from s2scli.search.live import Candidates, Live
from s2scli.special_ids import BOS_ID

VOCAB_SIZE = 7


def grown(steps: int = 3) -> tuple[Live, list[Live], list[torch.Tensor]]:
    """Return two sentences after some steps of two random choices, and every step before."""
    torch.manual_seed(0)
    live, before, log_probs = Live.begin(torch.tensor([9, 8])), [], []
    for _ in range(steps):
        beam = live.scores.shape[1]
        chosen = Candidates(
            torch.randn(2, 2), torch.randint(VOCAB_SIZE, (2, 2)), torch.randint(beam, (2, 2))
        )
        before.append(live)
        log_probs.append(torch.randn(2, beam, VOCAB_SIZE))
        live = live.grow(chosen, log_probs[-1])
    return live, before, log_probs


def test_begins_with_one_empty_hypothesis_for_each_sentence() -> None:
    live = Live.begin(torch.tensor([9, 8]))
    assert live.scores.tolist() == [[0.0], [0.0]]
    assert (live.length, live.last.tolist(), live.numbers.tolist()) == (0, [BOS_ID] * 2, [0, 1])


def test_each_token_keeps_the_score_and_the_row_of_its_step() -> None:
    live, _, log_probs = grown()
    assert live.length == 3 and live.last.tolist() == live.tokens[:, :, -1].flatten().tolist()
    for step, given in enumerate(log_probs):
        beam = given.shape[1]
        for sentence in range(2):
            for row in range(2):
                token, at = live.tokens[sentence, row, step], live.rows[sentence, row, step]
                assert int(at) // beam == sentence
                assert (
                    live.token_scores[sentence, row, step] == given[sentence, int(at) % beam, token]
                )


def test_a_hypothesis_begins_as_its_parent() -> None:
    live, before, _ = grown()
    parents = live.rows[:, :, -1] % 2
    for sentence in range(2):
        for row in range(2):
            parent = before[-1].tokens[sentence, parents[sentence, row]]
            assert live.tokens[sentence, row, :-1].equal(parent)


def test_sentences_that_stay_stay_as_they_are() -> None:
    live, *_ = grown()
    kept = live.keep(torch.tensor([1]))
    for name in ("scores", "tokens", "token_scores", "rows", "longest", "numbers"):
        assert torch.equal(getattr(kept, name), getattr(live, name)[1:]), name


def test_candidates_are_taken_by_index() -> None:
    some = Candidates(
        torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[7, 8, 9]]), torch.tensor([[0, 1, 2]])
    )
    taken = some.take(torch.tensor([[2, 0]]))
    assert (taken.score.tolist(), taken.token.tolist(), taken.parent.tolist()) == (
        [[1.0, 3.0]],
        [[9, 7]],
        [[2, 0]],
    )
