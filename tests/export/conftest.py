"""Fixtures of the export tests. Without torch, which has an environment of its own, what needs it is left out."""

import importlib.util
from pathlib import Path

import pytest

# `python -m pytest --confcutdir=tests/export tests/export` in the environment of requirements/export.txt runs them.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint to read; who damages one takes a copy."""
    from tests.export.checkpoints import make_distilbert

    return make_distilbert(tmp_path_factory.mktemp("checkpoints") / "small-distilbert")


@pytest.fixture(scope="session")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.export.checkpoints import make_roberta

    return make_roberta(tmp_path_factory.mktemp("checkpoints") / "small-roberta")
