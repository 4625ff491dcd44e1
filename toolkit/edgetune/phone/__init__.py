"""A phone at the end of a cable: a bundle brought there, the app started, its figures fetched."""
