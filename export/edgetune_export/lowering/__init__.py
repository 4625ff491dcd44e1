"""Lowering: from the int4 base to what a device runs; one target, one file."""
