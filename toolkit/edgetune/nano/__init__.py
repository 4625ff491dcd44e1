"""The embedded base `nano`: text it learns from, tokenizer, chat template, pretraining."""
