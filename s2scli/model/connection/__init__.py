"""Connections: what the decoder sees of the source apart from attention.

`code` returns one vector of width `code_dim` that represents a source. `connect` turns such a code
into the decoder's initial state, and into the vector of width `vector_dim` that the decoder reads
at every step (width 0: no such vector). Calling a connection does both. A connection with a prior
(`has_prior`) samples the code in training.
"""
