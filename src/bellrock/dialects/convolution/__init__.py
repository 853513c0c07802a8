"""Convolutions as loops on packed input: a lowering written by hand.

Flows in: a kernel function on tensors whose anchor is a convolution with the choice
`direct-convolution`. Flows out: the same function on flat buffers, as vector code. Why no
schedule of upstream's transforms does this: docs/design.
"""
