"""What a model reads, as vectors: the width `output_dim` for each position.

A front end of the source turns padded values and their lengths into vectors and their lengths
(`read`), which may be fewer (`positions`). It names the weights that have a row for each token
(`rows`), and hands out and shares its `vectors`. One that reads no tokens has no rows, and its
`vectors` are None.
"""
