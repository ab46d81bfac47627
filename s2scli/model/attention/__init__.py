"""How the decoder looks at the memory."""
