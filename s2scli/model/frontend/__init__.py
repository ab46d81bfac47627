"""Front ends: turn the input of a model into one vector of width `output_dim` per position.

`rows` names the weights that have one row per token. `vectors` is the embedding table, and `share`
replaces it by another. A front end without tokens, such as one for audio, has no rows, and its
`vectors` is None.
"""
