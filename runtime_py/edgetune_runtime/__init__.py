"""The reference runtime: what a phone does with a bundle, on NumPy and one inference engine."""
