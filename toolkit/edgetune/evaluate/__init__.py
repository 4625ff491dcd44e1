"""Accuracy: run a system over examples, score what it calls, show it in tables and a report."""
