from s2scli.translation.cues import TimedWord, time_words


def test_a_word_lasts_from_its_first_piece_to_its_last() -> None:
    pieces = ("▁se", "ven", "▁two", "</s>")
    spans = [(0.0, 0.04), (0.12, 0.2), (0.4, 0.44)]
    assert time_words("seven two", pieces, spans) == (
        TimedWord("seven", 0.0, 0.2),
        TimedWord("two", 0.4, 0.44),
    )


def test_a_lone_space_is_no_part_of_a_word() -> None:
    spans = [(0.0, 0.1), (0.5, 0.6), (0.6, 0.7)]
    assert time_words("ab", ("▁", "a", "b"), spans) == (TimedWord("ab", 0.5, 0.7),)


def test_without_times_or_without_a_piece_for_each_word_there_are_no_words() -> None:
    assert time_words("seven two", ("▁seven", "▁two", "</s>"), []) == ()
    assert time_words("seven two", ("▁seven▁two", "</s>"), [(0.0, 0.1)]) == ()
    assert time_words("", ("</s>",), []) == ()
