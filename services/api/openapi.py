"""`python -m services.api.openapi` prints the OpenAPI document, from which clients are generated; needs no server."""

import json
import sys
from pathlib import Path

from services.api.app import create_app
from services.api.metrics import ApiMetrics


def document() -> str:
    """The document as JSON text, with a line break at the end."""
    return json.dumps(create_app(Path(), ApiMetrics()).openapi(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
