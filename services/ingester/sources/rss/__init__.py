"""The entries of feeds, RSS or Atom, asked for from time to time."""
