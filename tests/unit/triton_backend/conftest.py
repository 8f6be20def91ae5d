"""The backend's modules, as Triton's stub finds them."""

import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

BACKEND = ROOT / "services" / "triton" / "backends" / "onnxruntime"


@pytest.fixture(scope="module", autouse=True)
def module_path() -> Iterator[None]:
    """The backend's folder is on the module path, and only while these tests run."""
    sys.path.append(str(BACKEND))
    yield
    sys.path.remove(str(BACKEND))
