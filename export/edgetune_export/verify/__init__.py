"""Verifying: the ladder of checks that a bundle climbs, and what it is compared with."""
