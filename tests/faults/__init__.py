"""A fault at every single call of a story, and real processes that are killed under load."""
