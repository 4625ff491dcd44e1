"""Grammars: from a tool's JSON Schema to an automaton over bytes and tokens. Knows no torch."""
