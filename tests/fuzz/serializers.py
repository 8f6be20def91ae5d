"""Media types of ours that schemathesis cannot write by itself; it loads this by SCHEMATHESIS_HOOKS."""

import schemathesis


def lines(_context: object, value: object) -> bytes:
    """A stream of lines is any text; half a surrogate becomes bytes that are no UTF-8."""
    return str(value).encode(errors="surrogatepass")


schemathesis.serializer("application/x-ndjson")(lines)
