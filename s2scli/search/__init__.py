"""Finding a good target: beam search and its rules."""
