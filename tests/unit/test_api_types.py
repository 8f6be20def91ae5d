"""The dashboard's types of the API are those of the API."""

import hashlib
import re

from services.api.openapi import document
from tests.conftest import ROOT

TYPES = ROOT / "frontend" / "src" / "api" / "schema.ts"


def test_the_types_were_made_of_this_very_document() -> None:
    first_line = TYPES.read_text().partition("\n")[0]
    noted = re.search(r"[0-9a-f]{64}", first_line)
    assert noted is not None, first_line
    assert noted[0] == hashlib.sha256(document().encode()).hexdigest(), "run: cd frontend && npm run api"
