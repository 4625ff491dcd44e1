"""Data: records read, checked, split, imported and generated. Knows no model and no tokenizer."""
