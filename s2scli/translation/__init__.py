"""Source in, target out, whoever asks: one way from a line to a line."""
