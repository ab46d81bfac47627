"""Decoders: recurrent and Transformer."""
