"""Tests of what is deployed."""

from pathlib import Path

_ROOT = Path(__file__).parents[3]
COMPOSE_FILES = [*_ROOT.glob("docker-compose.*.yml"), *_ROOT.glob("deploy/compose/*.yml")]
