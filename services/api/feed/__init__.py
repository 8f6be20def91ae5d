"""The live feed: from the results channel to each browser."""
