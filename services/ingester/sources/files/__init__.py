"""Reading recorded posts from files of any size: lines, JSON Lines, CSV, and what both make of a record."""
