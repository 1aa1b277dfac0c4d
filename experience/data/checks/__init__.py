"""What can be wrong with data that loads: pure functions on arrays that return findings."""
