"""Blocks of a contraction as register tiles: how a matrix product runs out of vector registers.

`loops` sizes and loops that fold where sizes are known; `plan` reads the contraction; `product`
how two vectors are multiplied and summed; `panels` copies operands into panels; `registers` the
register tile; `dots` the tile of inner products. `block_contraction` beside this folder is the
transform op that they make up.
"""
