import json

from s2scli.metrics.score import Score


def test_its_document_leaves_out_the_resampled_scores() -> None:
    score = Score("BLEU", 30.0, "nrefs:1", (28.0, 32.0), (29.0, 31.0))
    document = json.loads(json.dumps(score.as_json()))
    assert document == {
        "name": "BLEU",
        "value": 30.0,
        "signature": "nrefs:1",
        "interval": [28.0, 32.0],
    }
