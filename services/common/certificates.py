"""Files of certificates, by which we check whom we speak to: looked at when the settings are read."""

import ssl


def check_certificates(path: str) -> None:
    """ValueError, which says what is wrong, unless the file has certificates in PEM; an empty path is none."""
    if path:
        trusted_by(path)


def trusted_by(path: str) -> ssl.SSLContext:
    """Trusts these certificates and no others, and checks that the server has the name that it was called by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError(f"{path} has no certificates in PEM") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    return context
