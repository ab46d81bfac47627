from s2scli.translation.cues import Cue, TimedWord
from s2scli.translation.subtitles import srt, vtt

CUES = (
    Cue(0.0, 1.25, "one two", (TimedWord("one", 0.1, 0.4), TimedWord("two", 0.8, 1.0))),
    Cue(2.0, 2.5, " "),
    Cue(3599.9996, 3723.0449, "R & D <3"),
)


def test_srt_numbers_the_cues_that_have_words() -> None:
    assert srt(CUES) == (
        "1\n00:00:00,000 --> 00:00:01,250\none two\n\n"
        "2\n01:00:00,000 --> 01:02:03,045\nR & D <3\n\n"
    )


def test_vtt_has_the_times_of_words_and_escapes_markup() -> None:
    assert vtt(CUES) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:01.250\n<00:00:00.100>one <00:00:00.800>two\n\n"
        "01:00:00.000 --> 01:02:03.045\nR &amp; D &lt;3\n\n"
    )


def test_times_of_words_in_vtt_are_inside_the_cue_and_increase() -> None:
    words = [("a", 1.0), ("b", 1.5), ("c", 1.5), ("d", 2.0)]
    cue = Cue(1.0, 2.0, "a b c d", tuple(TimedWord(text, at, at + 0.1) for text, at in words))
    assert vtt([cue]).split("\n")[3] == "a <00:00:01.500>b c d"


def test_nothing_said_gives_no_cues() -> None:
    assert srt(()) == ""
    assert vtt(()) == "WEBVTT\n\n"


def test_a_text_is_on_one_line_so_that_no_cue_ends_early() -> None:
    assert srt([Cue(0, 1, "a\n\nb")]).count("\n\n") == 1
