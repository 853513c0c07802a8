"""Attention in one pass over keys, both products on matrix engines: the code of one lane."""
