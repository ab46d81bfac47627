"""Write inflection tables as sequences of symbols: characters, and features.

Reads rows of lemma TAB features TAB form from stdin; writes rows of source TAB target to stdout.
A source is the characters of the lemma and its features, a target the characters of the form, each
followed by a space. A space inside a form becomes _, and a feature begins with +:

    walk TAB V;NOM(3,SG)  ->  w a l k +V +NOM +3 +SG
"""

import re
from collections.abc import Iterable, Iterator

SPACE, FEATURE = "_", "+"


def characters(word: str) -> list[str]:
    """Return the characters of a word.

    Raises:
        ValueError: the word has a character that stands for something else.
    """
    if re.search(rf"[{SPACE}{FEATURE}]", word):
        raise ValueError(f"{word!r} holds {SPACE} or {FEATURE}, which stand for something else")
    return list(word.replace(" ", SPACE))


def spell(rows: Iterable[str]) -> Iterator[str]:
    """Yield each row as source TAB target."""
    for row in rows:
        lemma, features, form = row.rstrip("\n").split("\t")
        named = [FEATURE + name for name in re.split(r"[;,()]+", features) if name]
        yield f"{' '.join([*characters(lemma), *named])}\t{' '.join(characters(form))}\n"


if __name__ == "__main__":
    with (
        open(0, encoding="utf-8", newline="\n") as rows,
        open(1, "w", encoding="utf-8", newline="\n") as spelled,
    ):
        spelled.writelines(spell(rows))
