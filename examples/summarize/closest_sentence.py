"""Replace the summaries of stdin, a text TAB its summary on each line, by sentences of the texts.

Each becomes the sentence of its text with the highest ROUGE-1 F1 against it. A text of one sentence
is left out.
"""

import sys

from rouge_score.rouge_scorer import RougeScorer

from s2scli.data.sentences import split_sentences


def closest_sentence(text: str, summary: str, scorer: RougeScorer) -> str | None:
    """Return the sentence of a text that is closest to a summary; None if it has only one."""
    sentences = [sentence.strip() for sentence in split_sentences(text)]
    if len(sentences) < 2:
        return None
    return max(sentences, key=lambda one: scorer.score(summary, one)["rouge1"].fmeasure)


def main() -> None:
    """Replace the summaries line by line."""
    scorer = RougeScorer(["rouge1"])
    for line in sys.stdin:
        text, summary = line.rstrip("\n").split("\t")
        sentence = closest_sentence(text, summary, scorer)
        if sentence is not None:
            print(text, sentence, sep="\t")


if __name__ == "__main__":
    main()
