"""Lowering: int4, LoRA slots, target graphs, delta blobs, grammars, bundles and verify."""
