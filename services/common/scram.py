"""SCRAM-SHA-256 verifiers (RFC 5803), so that PostgreSQL, its log and its statistics never see a password."""

import base64
import hashlib
import hmac
import secrets

# PostgreSQL's own. More would slow every connection, and protect nothing that is 32 random bytes.
ITERATIONS = 4_096
SALT_BYTES = 16


def verifier(password: str) -> str:
    """What `ALTER ROLE … PASSWORD` takes in place of the password. ValueError if it is not printable ASCII.

    Other signs would first have to be brought into the form in which every client sends them (RFC 4013).
    """
    if not password or not all("!" <= sign <= "~" for sign in password):
        raise ValueError("expected printable ASCII without spaces")
    salt = secrets.token_bytes(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    salt_text, stored_text, server_text = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt_text}${stored_text}:{server_text}"
