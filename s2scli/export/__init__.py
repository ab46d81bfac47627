"""Models for other programs to run: one file for each."""
