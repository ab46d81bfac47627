"""One file per command: the story of that command in one screen."""
