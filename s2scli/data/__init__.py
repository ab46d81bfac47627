"""Corpora: reading, cleaning, splitting, storing and batching."""
