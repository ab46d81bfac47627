"""What the decoder's state starts from: all that it knows of the source but for attention.

A connection has the widths `vector_dim`, of what the decoder sees at every step (0 for nothing),
and `code_dim`, of its code, the one vector that stands for a source. Calling it is to `connect` the
`code` of an encoder's output, but for one that has a distribution instead (`has_prior`) and draws.
"""
