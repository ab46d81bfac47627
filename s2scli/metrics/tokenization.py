"""Choose the sacreBLEU tokenization that suits a set of references."""

from collections.abc import Sequence

from s2scli.metrics.settings import MetricSettings, Tokenization
from s2scli.scripts import HAN, OTHER_UNSPACED

SAMPLE = 1000


def choose_tokenization(settings: MetricSettings, references: Sequence[str]) -> Tokenization:
    """Return the tokenization in the settings, or for `auto` the one that suits the references.

    `zh` separates Chinese characters and leaves other words whole. For kana, Thai, Lao, Khmer and
    Burmese, sacreBLEU has nothing similar without extra packages, so `char` is used.
    """
    if settings.tokenize != "auto":
        return settings.tokenize
    text = "".join(references[:SAMPLE])
    han, other = len(HAN.findall(text)), len(OTHER_UNSPACED.findall(text))
    spaces = text.count(" ")
    letters = sum(character.isalpha() for character in text)
    if 2 * (han + other) <= letters or 5 * spaces > han + other:
        return "13a"
    return "char" if 20 * other > han + other else "zh"
