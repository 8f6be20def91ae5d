"""Rules, what raises and resolves alerts, and who is told."""
