"""Turns checkpoints into versioned models that Triton serves. Needs torch; the services never import it."""
