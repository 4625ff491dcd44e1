"""Weights: a float checkpoint, how it is quantized, and the one int4 base made of it."""
