"""The tool skill: one LoRA that reads a list of tools which it never saw, and calls them."""
