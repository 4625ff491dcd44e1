"""The embedded base `nano`: its model, tokenizer, chat template and pretraining."""
