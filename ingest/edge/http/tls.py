"""Says in words why a TLS connection failed. Interprets exceptions; connects to nothing."""

import re
import ssl
from enum import Enum
from typing import NamedTuple

from ingest.edge.http.bodies import one_line
from ingest.edge.http.causes import causes


class TlsCause(Enum):
    """What is wrong, as far as the remedy differs."""

    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    OTHER_NAME = "other name"
    NO_TLS = "no TLS"
    OTHER = "other"


class TlsFault(NamedTuple):
    """The cause, and the words for it: they go on after the address of the server."""

    cause: TlsCause
    words: str


# OpenSSL's X509_V_ERR_… : numbers that differ in no version.
_EXPIRED, _NOT_YET_VALID = 10, 9
_UNTRUSTED = (2, 18, 19, 20, 21)
_OTHER_NAME = (62, 64)
# A server without TLS answers the handshake in plain text.
_PLAIN_TEXT = re.compile(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG")
_NAME_DIFFERS = re.compile(r"doesn't match|mismatch", re.IGNORECASE)
_OPENSSL = re.compile(r"\[SSL[^\]]*\]\s*|\s*\(_ssl\.c:\d+\)")


def tls_fault(error: BaseException) -> TlsFault:
    """Return why a TLS connection failed; `error` is a client library's, with OpenSSL's error among its causes."""
    errors = list(causes(error))
    verification = next((cause for cause in errors if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if verification is not None:
        return _verification_fault(verification)
    failure = next((cause for cause in errors if isinstance(cause, ssl.SSLError)), errors[-1])
    text = str(failure)
    if _PLAIN_TEXT.search(text):
        return TlsFault(TlsCause.NO_TLS, "it speaks no TLS at this port")
    if "EOF" in text:
        return TlsFault(TlsCause.OTHER, "it closes the connection in the TLS handshake")
    if _NAME_DIFFERS.search(text):
        return TlsFault(TlsCause.OTHER_NAME, f"its certificate is for another host name: {_plain(text)}")
    return TlsFault(TlsCause.OTHER, f"the TLS handshake fails: {_plain(text)}")


def _verification_fault(error: ssl.SSLCertVerificationError) -> TlsFault:
    code, message = error.verify_code, _plain(error.verify_message or str(error))
    if code == _EXPIRED:
        return TlsFault(TlsCause.EXPIRED, "its certificate has expired")
    if code == _NOT_YET_VALID:
        return TlsFault(TlsCause.EXPIRED, "its certificate is not yet valid")
    if code in _OTHER_NAME or _NAME_DIFFERS.search(message):
        return TlsFault(TlsCause.OTHER_NAME, f"its certificate is for another host name: {message}")
    if code in _UNTRUSTED:
        return TlsFault(TlsCause.UNTRUSTED, f"its certificate is signed by nobody that is trusted here: {message}")
    return TlsFault(TlsCause.OTHER, f"its certificate is refused: {message}")


def _plain(text: str) -> str:
    return one_line(_OPENSSL.sub("", text)).rstrip(".")
