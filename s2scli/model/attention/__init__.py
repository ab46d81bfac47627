"""Attention of the decoder over the encoder's memory."""
