"""The errors that cross module borders. Adapters translate foreign ones into these at the edge."""


class UndertoneError(Exception):
    """Any error with a sentence for a person in it."""


class ConfigurationError(UndertoneError):
    """The environment, a file or the machine is not as it must be; the message says what to do."""


class Transient(UndertoneError):
    """A dependency is away or overloaded: the same call may succeed later.

    `service`: its name for people ("PostgreSQL"), empty where it is not known. The message may hold an address; this
    never does.
    """

    def __init__(self, message: str, *, service: str = "") -> None:
        super().__init__(message)
        self.service = service


class Rejected(UndertoneError):
    """A dependency refused this very input: the same call will never succeed."""


class MalformedPost(UndertoneError):
    """A stream entry or a line of a file that is no post. `reason` is a short, countable code.

    `field`: the name of the one that is wrong; empty where it is none by itself.
    """

    def __init__(self, reason: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
