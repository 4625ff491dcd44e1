"""Lowering: int4, LoRA slots, target graphs, delta blobs, grammars, the bundle writer and verify."""
