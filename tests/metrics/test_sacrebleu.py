import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from s2scli.metrics import METRICS

REFERENCES = [f"line {n} says that {n * n} is the square of {n} ." for n in range(200)]
HYPOTHESES = [
    line.replace("square", "cube") if n % 4 else line[5:] for n, line in enumerate(REFERENCES)
]


@pytest.mark.parametrize(
    ("name", "oracle"), [("bleu", BLEU(force=True)), ("chrf", CHRF()), ("ter", TER())]
)
def test_the_whole_score_is_sacrebleus(name: str, oracle: BLEU | CHRF | TER) -> None:
    expected = oracle.corpus_score(HYPOTHESES, [REFERENCES], n_bootstrap=1000)
    score = METRICS[name].function(HYPOTHESES, REFERENCES)
    assert score.value == pytest.approx(expected.score)
    assert score.signature == str(oracle.get_signature())
    assert score.interval is not None
    low, high = score.interval
    assert (high - low) / 2 == pytest.approx(expected._ci, rel=0.1)
    assert score.name == expected.name
