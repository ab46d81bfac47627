"""Front ends: turn the input of a model into one vector of width `output_dim` per position.

`read` of a source front end turns padded values and their lengths into vectors and their lengths.
There may be fewer vectors than values; `positions` returns their number. `rows` names the weights
that have one row per token. `vectors` is the embedding table, and `share` replaces it by another. A
front end without tokens, such as one for audio, has no rows, and its `vectors` is None.
"""
