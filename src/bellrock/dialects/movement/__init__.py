"""Data movement composed: results that are put together of parts of other tensors.

`pieces` finds out of which parts a tensor consists, whatever chain of slices, concatenations, pads
and transposes made it; `writing` emits one parallel loop that writes all of them;
`composing` is the op that does both.
"""
