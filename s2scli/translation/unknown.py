"""Unknown tokens of an output, replaced by the source tokens that they attend to."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2scli.special_ids import UNK_ID
from s2scli.translation.glossary import composed, read_terms


def as_dictionary(given: Path | Mapping[str, str]) -> dict[str, str]:
    """Return a dictionary from its words, or from a TSV file, plain or gzip.

    Each line of the file is a source word, a TAB and its translation. If a word comes more than
    once, its first translation counts. The words are `composed`, however their accents are encoded.

    Raises:
        MissingInputError: the file does not exist.
        CorpusError: a line does not hold two words.
    """
    dictionary: dict[str, str] = {}
    name = str(given) if isinstance(given, Path) else "dictionary"
    for _, (source, target) in read_terms(given, name):
        dictionary.setdefault(composed(source), target)
    return dictionary


def replacements(
    token_ids: Sequence[int],
    alignment: Sequence[tuple[int, int]],
    surfaces: Sequence[str],
    dictionary: Mapping[str, str],
    *,
    words: bool,
) -> dict[int, str]:
    """Return the text for each unknown token of an output, by its index.

    It is the translation of the source token that the unknown token attends to most, from a
    dictionary, or the source token itself (Luong et al. 2015, Addressing the rare word problem in
    neural machine translation; Jean et al. 2015). A token that attends to the end token stays.

    Args:
        token_ids: the output.
        alignment: pairs (index of the source token, index of the output token).
        surfaces: the text of each source token, without an end token.
        dictionary: the translations of source tokens.
        words: whether each token is a word, with a space before it.
    """
    found = {}
    for source, target in alignment:
        if token_ids[target] == UNK_ID and source < len(surfaces):
            surface = surfaces[source].strip()
            found[target] = " " * words + dictionary.get(composed(surface), surface)
    return found
