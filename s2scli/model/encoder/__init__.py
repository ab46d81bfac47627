"""Encoders: recurrent and Transformer."""
