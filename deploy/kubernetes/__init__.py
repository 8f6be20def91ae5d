"""Manifests for Kubernetes, and what makes their settings, rules and secrets."""
