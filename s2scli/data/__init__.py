"""Corpora: reading, cleaning, splitting, storing, batching."""
