"""Prompts: a chat template cut into pieces, the prefixes that list tools, the invocation."""
