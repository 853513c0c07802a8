"""Contractions and convolutions on matrix engines: code of one lane of a sub-group.

Flows in: kernel functions on tensors whose choice is `dpas`. Flows out: functions on buffers that
launch grids of sub-groups, whose products are `xegpu.dpas` (docs/design/0017).
"""
