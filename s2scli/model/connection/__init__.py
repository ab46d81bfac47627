"""What the decoder starts from: all it sees of the source apart from attention.

A connection has two widths: `vector_dim`, of the vector that the decoder sees at every step (0 for
none), and `code_dim`, of its code, the one vector that stands for a source. Calling it is to
`connect` the `code` of an encoder's output; one with a distribution (`has_prior`) draws instead.
"""
