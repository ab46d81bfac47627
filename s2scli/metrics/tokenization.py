"""Which of sacreBLEU's tokenisations suits a set of references."""

import re
from collections.abc import Sequence

from s2scli.metrics.settings import MetricSettings, Tokenization

SAMPLE = 1000
# scripts written without spaces between words
HAN = re.compile(
    r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
OTHER_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]"
)


def choose_tokenization(settings: MetricSettings, references: Sequence[str]) -> Tokenization:
    """Return the tokenisation asked for; for `auto` the one that suits the references.

    `zh` cuts Chinese characters apart and leaves other words whole. sacreBLEU has nothing like
    it for kana, Thai, Lao, Khmer and Burmese without more packages: these get `char`.
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
