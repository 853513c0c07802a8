"""Attention in one pass over keys and values: which ops belong to it, and their lowering."""
