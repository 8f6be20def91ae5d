"""Which Undertone this is."""

from importlib.metadata import PackageNotFoundError, version


def undertone_version() -> str:
    try:
        return version("undertone")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
