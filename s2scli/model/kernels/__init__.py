"""How numbers are computed: the only package that knows processors, libraries and modes of PyTorch.

The rest of the model says what is to be computed. Here `Machine` says what this process runs on,
and `Kernel.runs` decides which implementation computes. It imports nothing of the model.
"""
