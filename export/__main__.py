"""`python -m export`: checkpoints in, versioned Triton models out; and what happens to them afterwards."""

import signal
import sys
from types import FrameType

from export.arguments import parse
from export.commands import run
from export.errors import ExportError


def main() -> int:
    """The exit status: 0 done, 1 refused with a sentence on standard error, 130 interrupted."""
    # SIGTERM ends a command as Ctrl-C does: what is unfinished is put back or removed.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        run(parse())
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing half-done is left behind", file=sys.stderr)
        return 130
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
