"""The steps of each command, one file per command."""
