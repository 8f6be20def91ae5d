"""The exporter's errors: each one a sentence for a person, saying what to do."""


class ExportError(Exception):
    """The command cannot be done; nothing was changed."""
