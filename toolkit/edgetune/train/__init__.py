"""Training: records to masked token ids, and one LoRA after the other on the one quantized base."""
