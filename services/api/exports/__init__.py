"""Posts as a file: found and loaded in portions, written as they come, never all of them in memory."""
