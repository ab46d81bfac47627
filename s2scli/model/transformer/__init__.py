"""The layers of the Transformer, for either side."""
