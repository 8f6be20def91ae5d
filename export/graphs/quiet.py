"""Third-party libraries kept quiet while they work: what a user has to know, the exporter says itself."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, no log lines, no progress bars from within.

    They are about the insides of libraries: the tracer's constants (the shapes are checked afterwards, on real texts),
    deprecations, weights that were not loaded (refused by us), packages that could be installed. Errors are raised
    as ever.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
