"""Certificates for tests, made when they are wanted by the openssl of the system."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.requirements import require


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate that signs itself, for localhost and 127.0.0.1, and its key."""

    certificate: Path
    key: Path

    def client(self, trust: Pair) -> ssl.SSLContext:
        """The context of a client that shows this certificate, and trusts `trust`."""
        context = trusting(trust)
        context.load_cert_chain(self.certificate, self.key)
        return context


def trusting(pair: Pair) -> ssl.SSLContext:
    """The context of a client that trusts the certificate of `pair` and shows none."""
    context = ssl.create_default_context(cafile=pair.certificate)
    # Python 3.13 is strict, and asks for more than a certificate that signs itself has.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def make_pair(folder: Path, name: str) -> Pair:
    """`name`.crt and `name`.key in `folder`; whoever is there already is exchanged."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    command = [require("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-keyout", str(pair.key), "-out", str(pair.certificate)]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return pair
