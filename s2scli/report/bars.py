"""Bars of a histogram in the terminal."""

WIDTH = 16


def bar(count: int, most: int, width: int = WIDTH) -> str:
    """Return a bar for `count`. Its length is rounded up, so that only 0 has no bar.

    Args:
        count: the value.
        most: the value of a bar of full width.
        width: the full width in cells.
    """
    return "█" * -(-count * width // max(1, most))
