"""Outputs: what turns a decoder's states into probabilities of the next token."""
