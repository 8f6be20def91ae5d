"""Turns checkpoints into versioned models that Triton serves. Needs torch; the services never import it."""

import os

# ONNX Runtime calls home when it is imported, before its own switch can be reached.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
