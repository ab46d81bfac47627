"""Layers shared by the Transformer encoder and decoder."""
