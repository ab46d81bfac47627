"""Translate and score lines of text with a trained model."""
