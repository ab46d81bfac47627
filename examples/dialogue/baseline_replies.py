"""Write three baseline replies to each turn of a test file, and the true replies.

python baseline_replies.py TRAIN.tsv TEST.tsv FOLDER

The files have a turn, a TAB and its reply on each line, plain or gzip. Written are, with a line for
each row of TEST: `repeat` (the turn itself), `fixed` (of 300 replies of TRAIN, the one that is most
like 300 others), `common` (the twenty commonest words of TRAIN's replies) and `reply`. What counts
as a word, and how alike two replies are, is as in `s2s evaluate --f1`.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from s2scli.data.formats import FORMATS
from s2scli.data.lines import open_text
from s2scli.data.rows import require_examples
from s2scli.data.stream import LINE_BYTES
from s2scli.metrics.f1 import normalized_words, sentence_f1

COMMONEST, SAMPLE = 20, 300


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Return the turns and replies of a file."""
    with open_text(path) as file:
        rows = require_examples(FORMATS["tsv"].read([file], LINE_BYTES))
        return [(row.source, row.target) for row in rows]


def commonest_words(replies: Sequence[str]) -> str:
    """Return the commonest words of some replies."""
    counts = Counter(word for reply in replies for word in normalized_words(reply))
    return " ".join(word for word, _ in counts.most_common(COMMONEST))


def central_reply(replies: Sequence[str]) -> str:
    """Return the reply with the best mean F1 against others, from evenly spaced samples."""
    step = max(1, len(replies) // (2 * SAMPLE))
    sample = replies[::step]
    candidates, others = sample[::2], sample[1::2] or sample
    return max(
        candidates, key=lambda one: sum(sentence_f1(one, other) for other in others) / len(others)
    )


def main() -> None:
    """Write the files."""
    train, test, folder = map(Path, sys.argv[1:])
    pairs, replies = read_pairs(test), [reply for _, reply in read_pairs(train)]
    outputs = {
        "repeat": [turn for turn, _ in pairs],
        "fixed": [central_reply(replies)] * len(pairs),
        "common": [commonest_words(replies)] * len(pairs),
        "reply": [reply for _, reply in pairs],
    }
    for name, lines in outputs.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
