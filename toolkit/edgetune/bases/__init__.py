"""Bases that have a short name: the table of them, and how they come here."""
