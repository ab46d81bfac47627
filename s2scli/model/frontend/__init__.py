"""What a model reads, as vectors: the width `output_dim` for each position.

A front end names the weights that have a row for each token (`rows`), and hands out and shares its
`vectors`. One that reads no tokens, such as one for sound, has no rows, and its `vectors` are None.
"""
