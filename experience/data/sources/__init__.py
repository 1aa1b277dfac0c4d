"""Readers of dataset files: each returns a checked `Dataset` or raises a `UserError`."""
