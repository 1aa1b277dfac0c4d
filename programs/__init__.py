"""What the entry scripts at the top level do; only they import this room."""
