"""Agents on real tools: calls that are decided, checked, executed and observed, step by step."""
