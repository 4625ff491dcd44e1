"""Inventing: made-up tools and requests, and the names, places, times and works in them."""
