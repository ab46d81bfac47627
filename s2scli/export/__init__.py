"""Export models to other programs."""
