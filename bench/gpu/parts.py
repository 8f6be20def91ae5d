"""The names of what is measured, in the order in which it is."""

PARTS = ("peak", "parity", "shapes", "mix", "load", "variants", "pipeline")
