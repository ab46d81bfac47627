"""Lower-case, normalise and tokenise lines as Moses does, as for published Multi30k scores.

    python tokenize_moses.py LANGUAGE < raw.txt > tokenised.txt

Needs sacremoses (pip install sacremoses). The output equals the official
`test_2016_flickr.lc.norm.tok` files in English and in German.
"""

import sys

from sacremoses import MosesPunctNormalizer, MosesTokenizer


def main(language: str) -> None:
    """Tokenise standard input."""
    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)
    for line in sys.stdin.buffer.read().decode("utf-8").removesuffix("\n").split("\n"):
        tokenised = tokenizer.tokenize(normalizer.normalize(line.lower()), return_str=True)
        sys.stdout.buffer.write(f"{tokenised}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
