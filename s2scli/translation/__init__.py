"""Source in, target out: the one way in which everything here translates a line."""
