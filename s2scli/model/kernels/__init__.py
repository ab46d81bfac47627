"""Fast implementations of the model's operations.

Only this package depends on the processor, on the libraries in PyTorch, and on autograd modes.
`Machine` describes the hardware and libraries. `Kernel.runs` decides whether an implementation is
used. The package imports nothing from the rest of the model.
"""
