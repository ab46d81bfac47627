"""Learn a SentencePiece model from text. The same text gives the same model, byte for byte."""

import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import sentencepiece

from s2scli.errors import TokenizerError
from s2scli.normalization import Normalization
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tags import TAGGED, divide_tag, token_of
from s2scli.tokenizer.escaping import escape
from s2scli.tokenizer.plan import BYTE_PIECES, SPECIAL_PIECES, TokenizerPlan
from s2scli.tokenizer.sentencepiece import SentencePiece

THREADS = 4  # fixed, because the unigram result depends on it
MAX_LINE_BYTES = 1 << 30  # SentencePiece silently skips longer lines
LONG_RUN = re.compile(r"\S{1000}")  # unigram is far too slow on longer runs
_TOO_SMALL = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")
_NO_TEXT = "!sentences_.empty()"


def learn_sentencepiece(
    texts: Callable[[], Iterable[str]], plan: TokenizerPlan, normalization: Normalization
) -> SentencePiece:
    """Learn a SentencePiece model.

    The vocabulary is smaller than planned if the text does not have enough pieces. It is larger if
    the planned size has no room for all characters.

    Args:
        texts: returns the texts to learn from; may be called twice.
        plan: the kind and size of the tokenizer.
        normalization: the Unicode normalisation that was applied to the texts.

    Raises:
        TokenizerError: SentencePiece cannot learn from these texts.
    """
    least = SPECIAL_PIECES + BYTE_PIECES * plan.byte_fallback + len(plan.tags) + 1
    plan = replace(plan, vocab_size=max(plan.vocab_size, least))
    try:
        model = _learn(texts(), plan)
    except RuntimeError as error:
        required = _TOO_SMALL.search(str(error))
        if required is None:
            raise _explained(error) from error
        model = _learn(texts(), replace(plan, vocab_size=int(required.group(1))))
    return SentencePiece(model, plan.kind, normalization)


def _learn(texts: Iterable[str], plan: TokenizerPlan) -> bytes:
    """Learn in a thread, so that signals are handled while SentencePiece works."""
    result: list[bytes | BaseException] = []

    def work() -> None:
        try:
            result.append(_train(texts, plan))
        except BaseException as error:  # noqa: BLE001 - raised again below
            result.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _train(texts: Iterable[str], plan: TokenizerPlan) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_training_lines(texts, plan.tags),
        model_writer=model,
        model_type=plan.kind,
        vocab_size=plan.vocab_size,
        hard_vocab_limit=False,
        character_coverage=plan.character_coverage,
        byte_fallback=plan.byte_fallback,
        split_digits=plan.split_digits,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        control_symbols=[token_of(tag) for tag in plan.tags],  # which no text contains
        unk_surface=" ⁇" if plan.kind == "word" else "⁇",
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=plan.kind != "char",
        max_sentence_length=MAX_LINE_BYTES,
        num_threads=THREADS,
        minloglevel=2,
    )
    return model.getvalue()


def _training_lines(texts: Iterable[str], tags: Sequence[str]) -> Iterator[str]:
    """Yield the texts without their tags, and without anything that is spelled like one."""
    for text in texts:
        if tags:
            text = TAGGED.sub(r"< 2\1>", divide_tag(text, tags)[1])
        yield LONG_RUN.sub(r"\g<0> ", escape(text))


def _explained(error: RuntimeError) -> TokenizerError:
    if _NO_TEXT in str(error):
        return TokenizerError("there is no text to learn a tokenizer from")
    return TokenizerError(f"SentencePiece could not learn a tokenizer: {error}")
