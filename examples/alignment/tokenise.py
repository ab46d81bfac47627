"""Write pairs of Tatoeba as the gold alignments are written: lower case, punctuation apart.

    python tokenise.py eng fra < pairs.tsv > tokenised.tsv

The arguments are the languages of the first two columns: eng, fra or cmn. Further columns are left
out. French elisions and contractions are written out (l'eau: le eau; du: de le). Chinese is written
without spaces. Without arguments, lines become lower case, and nothing else changes.
"""

import re
import sys

TOKEN = re.compile(r"'(?:s|re|ve|ll|d|m)\b|[^\W_]+(?:[-.,][^\W_]+)*|\S")
ELISION = re.compile(r"\b(c|d|j|l|m|n|s|t|qu|jusqu|lorsqu|puisqu|quoiqu)'(?=\w)")
CONTRACTED = re.compile(r"\b(du|des|au|aux)\b")
CONTRACTIONS = {"du": "de le", "des": "de les", "au": "à le", "aux": "à les"}


def tokenise(text: str, language: str) -> str:
    """Return a text in lower case, its tokens separated by spaces, or Chinese without spaces."""
    text = text.lower().replace("’", "'")
    if language == "cmn":
        return "".join(text.split())
    if language == "fra":
        text = ELISION.sub(r"\1e ", text.replace("aujourd'hui", "aujourd hui"))
        text = CONTRACTED.sub(lambda found: CONTRACTIONS[found[1]], text)
    else:
        text = text.replace("can't", "can not").replace("won't", "will not")
        text = re.sub(r"(?<=\w)n't\b", " not", text)
    return " ".join(TOKEN.findall(text))


def main(*languages: str) -> None:
    """Tokenise standard input."""
    for line in sys.stdin.buffer.read().decode("utf-8-sig").splitlines():
        cells = line.split("\t")
        if len(cells) < len(languages):
            continue  # the blank last line of one file
        tokenised = map(tokenise, cells, languages) if languages else [line.lower()]
        sys.stdout.buffer.write("\t".join(tokenised).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
