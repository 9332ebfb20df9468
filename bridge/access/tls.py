"""`tls_server_config` → an ssl.SSLContext, as far as Python's ssl can.

What it cannot: ask for a client's certificate without checking it (RequireAnyClientCert is refused, RequestClientCert
asks for none), more than one curve (all of OpenSSL's are offered then), TLS below 1.2 (never offered), HTTP/2.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

VERSIONS = {
    # Versions below 1.2 are read, since such files exist, and never offered.
    "TLS10": ssl.TLSVersion.TLSv1_2,
    "TLS11": ssl.TLSVersion.TLSv1_2,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
OBSOLETE = ("TLS10", "TLS11")
VERIFIED = "RequireAndVerifyClientCert"
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    VERIFIED: ssl.CERT_REQUIRED,
}
UNCHECKED = "RequireAnyClientCert"
# Go's names (crypto/tls) and OpenSSL's. Those of TLS 1.3 are always offered, in Go too.
TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CIPHERS = {
    **dict.fromkeys(TLS13_CIPHERS, ""),
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


class UnusableError(Exception):
    """What `key` of tls_server_config names cannot be used; the text says why, never showing what is in a file."""

    def __init__(self, key: str, what: str) -> None:
        self.key = key
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Tls:
    """tls_server_config with absolute paths; words as Go writes them, all of them known to the tables above."""

    certificate: Path
    key: Path
    client_auth: str = "NoClientCert"
    client_ca: Path | None = None
    minimum: str = "TLS12"
    maximum: str = "TLS13"
    ciphers: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    server_chooses: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read when a context is made, and so what may be exchanged in place."""
        return (self.certificate, self.key, *((self.client_ca,) if self.client_ca else ()))


def make_context(tls: Tls) -> ssl.SSLContext:
    """A context for a server. Raises UnusableError where a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # No resumption: whoever comes again is asked for a certificate again, by the rules of now.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    _load_pair(context, tls)
    _load_clients(context, tls)
    _choose(context, tls)
    return context


def _choose(context: ssl.SSLContext, tls: Tls) -> None:
    try:
        if len(tls.curves) == 1:
            context.set_ecdh_curve(CURVES[tls.curves[0]])
    except (ssl.SSLError, ValueError):
        raise UnusableError(
            "curve_preferences", "the OpenSSL of this machine does not offer it; leave it out"
        ) from None
    try:
        set_rules(context, tls)
    except (ssl.SSLError, ValueError):
        what = "the OpenSSL of this machine offers none of these with these versions; leave them out"
        raise UnusableError("cipher_suites", what) from None


def set_rules(context: ssl.SSLContext, tls: Tls) -> None:
    """What of `tls` is no file, onto `context`: handshakes that begin from now on go by it."""
    chosen = [name for one in tls.ciphers if (name := CIPHERS[one])]
    minimum, maximum = VERSIONS[tls.minimum], VERSIONS[tls.maximum]
    if tls.ciphers and not chosen:
        minimum = ssl.TLSVersion.TLSv1_3  # only suites of TLS 1.3: nothing is left to speak 1.2 with
    # Widest first: a maximum below the old minimum would be refused.
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    context.minimum_version, context.maximum_version = minimum, max(minimum, maximum)
    context.set_ciphers(":".join(chosen or _usual_ciphers()))
    context.verify_mode = CLIENT_AUTH[tls.client_auth]
    if tls.server_chooses:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _usual_ciphers() -> list[str]:
    return [str(one["name"]) for one in ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()]


def _load_pair(context: ssl.SSLContext, tls: Tls) -> None:
    for key, path in (("cert_file", tls.certificate), ("key_file", tls.key)):
        _readable(key, path)
    try:
        # Without a password of its own OpenSSL would ask the terminal for one.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or "no PEM, or a key with a password"
        what = f"no certificate with its key can be read from cert_file and key_file ({why}); write both as PEM"
        raise UnusableError("cert_file", what) from None


def _load_clients(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.client_ca is None:
        if CLIENT_AUTH[tls.client_auth] is not ssl.CERT_NONE:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    _readable("client_ca_file", tls.client_ca)
    try:
        context.load_verify_locations(tls.client_ca)
    except (OSError, ValueError):
        raise UnusableError("client_ca_file", f"{tls.client_ca}: holds no certificate; write PEM into it") from None


def _readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such name"
        raise UnusableError(key, f"{path}: cannot be read: {why}; name a file that this user can read") from None
