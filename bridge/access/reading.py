"""The file of --web.config.file → a frozen WebConfig, or all that is wrong and where.

The shape is the exporter-toolkit's (docs/web-configuration.md), and so is the judgement of `promtool check web-config`,
but for what can never work: refused here too are hashes that no password fits, a client_ca_file without a
certificate, and no TLS version at all. What Python's ssl cannot is refused or warned of by name.
"""

from __future__ import annotations

import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from bridge.access.tls import (
    CIPHERS,
    CLIENT_AUTH,
    CURVES,
    OBSOLETE,
    UNCHECKED,
    VERIFIED,
    VERSIONS,
    Tls,
    UnusableError,
    make_context,
)
from bridge.config.faults import Faults
from bridge.config.scalars import near, shown
from bridge.config.section import Section
from bridge.config.tree import Node, compose, dotted, select
from bridge.config.wording import place, tell_all
from bridge.config.words import Any_, Boolean
from bridge.errors import ConfigError, Fault

MOST_BYTES = 1 << 20
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
# A check of cost 14 takes about a second, and one more doubles it.
SLOW_COST = 15
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
CANNOT = {
    "cert": "this version reads certificates from files only; write cert_file",
    "key": "a private key does not belong into this file; write key_file",
    "client_ca": "this version reads certificates from files only; write client_ca_file",
    "client_allowed_sans": "this version cannot choose among verified clients; let client_ca_file hold a CA of theirs",
}


def _one_of(known: Mapping[str, object], what: str) -> AfterValidator:
    def check(text: str) -> str:
        if text not in known:
            known_words = f"; known are {', '.join(known)}"
            raise ValueError(f"{shown(text)} is no {what}{near(text, known) or known_words}")
        return text

    return AfterValidator(check)


def _client_auth(text: str) -> str:
    if text == UNCHECKED:
        raise ValueError(f"{UNCHECKED}: this version cannot ask for a certificate unchecked; write {VERIFIED}")
    return text or "NoClientCert"


Version = Annotated[Any_, _one_of(VERSIONS, "TLS version")]
Auth = Annotated[Any_, AfterValidator(_client_auth), _one_of(CLIENT_AUTH, "client_auth_type")]


class TlsSection(Section):
    """tls_server_config"""

    cert_file: Any_ = ""
    key_file: Any_ = ""
    client_auth_type: Auth | None = None
    client_ca_file: Any_ = ""
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: list[Annotated[Any_, _one_of(CIPHERS, "cipher suite")]] = Field(default_factory=list)
    prefer_server_cipher_suites: Boolean = True
    curve_preferences: list[Annotated[Any_, _one_of(CURVES, "curve")]] = Field(default_factory=list)


class HttpSection(Section):
    """http_server_config"""

    http2: Boolean = True
    headers: dict[str, Any_ | None] = Field(default_factory=dict)


class WebFile(Section):
    """The whole file."""

    tls_server_config: TlsSection = Field(default_factory=TlsSection)
    http_server_config: HttpSection = Field(default_factory=HttpSection)
    basic_auth_users: dict[str, Any_ | None] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says: TLS or none, headers to be set, user names with their bcrypt hashes."""

    tls: Tls | None = None
    context: ssl.SSLContext | None = field(default=None, compare=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Fault, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it names."""
        return self.tls.files if self.tls else ()

    @property
    def knows_clients(self) -> bool:
        """Whether nobody comes in without a certificate that was checked."""
        return self.tls is not None and self.tls.client_auth == VERIFIED


def read_web_config(path: Path) -> WebConfig:
    """The file at `path`. Raises ConfigError with every fault, in the order of the file."""
    faults = Faults(str(path))
    root = _tree(path, faults)
    found = _judge(root, path.absolute().parent, faults) if root is not None else None
    if found is None or faults.fatal:
        raise ConfigError([fault for fault in faults.in_order() if not fault.warning])
    tls, context, file = found
    return WebConfig(
        tls=tls,
        context=context,
        headers=MappingProxyType({name: value or "" for name, value in file.http_server_config.headers.items()}),
        users=MappingProxyType({name: value or "" for name, value in file.basic_auth_users.items()}),
        warnings=faults.in_order(),
    )


def _tree(path: Path, faults: Faults) -> Node | None:
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        faults.tell(
            1, 1, "file", f"cannot be read: {why}; name a file of the web configuration that this user can read"
        )
        return None
    if len(text) > MOST_BYTES:
        faults.tell(1, 1, "file", f"is longer than {MOST_BYTES >> 20} MiB; name the right file")
        return None
    if not re.sub(r"(?m)^(---|\s*#.*)$", "", text).strip():
        return Node(1, 1, entries={})  # an empty file asks for nothing, and that is allowed
    root = compose(text, faults.tell)
    if root is not None and root.kind == "nothing":
        root.entries = {}
    return root


def _judge(root: Node, folder: Path, faults: Faults) -> tuple[Tls | None, ssl.SSLContext | None, WebFile] | None:
    _check_cannot(root, faults)
    _check_headers(root, faults)
    _check_users(root, faults)
    if root.entries is None:
        faults.tell(root.line, root.column, "file", f"{root.kind} stands here; write a map, with tls_server_config, …")
        return None
    try:
        file = WebFile.model_validate(root.plain)
    except ValidationError as error:
        tell_all(error, root, faults, WebFile)
        return None
    tls = _tls(file.tls_server_config, root, folder, faults)
    if tls is None or faults.fatal:
        return None, None, file
    try:
        return tls, make_context(tls), file
    except UnusableError as error:
        _tell(root, faults, error.key, str(error))
        return None


def _check_cannot(root: Node, faults: Faults) -> None:
    section = (root.entries or {}).get("tls_server_config")
    for key, what in CANNOT.items():
        entry = ((section.value.entries if section else None) or {}).pop(key, None)
        if entry is not None:
            faults.tell(entry.line, entry.column, f"tls_server_config.{key}", what)
    limit = (root.entries or {}).pop("rate_limit", None)
    if limit is not None:
        what = "this version does not limit requests; let a proxy before it, and leave this out"
        faults.tell(limit.line, limit.column, "rate_limit", what)


def _check_headers(root: Node, faults: Faults) -> None:
    for where, headers in select(root, "http_server_config.headers"):
        for name, entry in (headers.entries or {}).items():
            if name not in HEADERS:
                what = f"this header cannot be set; those that can are {', '.join(HEADERS)}"
                faults.tell(entry.line, entry.column, dotted(where, name), what)
                continue
            text, allowed = entry.value.text or "", HEADERS[name]
            if allowed and text not in allowed:
                what = f"{shown(text)} cannot stand here; write {' or '.join(allowed)}"
                faults.tell(entry.value.line, entry.value.column, dotted(where, name), what)
            elif not text.isprintable() or not text.isascii():
                what = "a header is one line of ASCII text; write it so"
                faults.tell(entry.value.line, entry.value.column, dotted(where, name), what)


def _check_users(root: Node, faults: Faults) -> None:
    for where, users in select(root, "basic_auth_users"):
        for name, entry in (users.entries or {}).items():
            # The value is never shown: a hash is half a password, and what is no hash may be the password itself.
            node, hashed = entry.value, _BCRYPT.fullmatch(entry.value.text or "")
            if node.kind in ("a map", "a list"):
                continue
            if hashed is None:
                what = (
                    "is no bcrypt hash with a cost from 04 to 31; write what htpasswd -nBC 10 prints behind the colon"
                )
                faults.tell(node.line, node.column, dotted(where, name), what)
            elif int(hashed[1]) >= SLOW_COST:
                what = f"cost {hashed[1]}: each first sign-in takes seconds; make it with htpasswd -nBC 10"
                faults.tell(node.line, node.column, dotted(where, name), what, warning=True)
            if ":" in name or not name:
                what = "nobody can sign in with an empty name or one with a colon; write another"
                faults.tell(entry.line, entry.column, dotted(where, name), what, warning=True)


def _tls(section: TlsSection, root: Node, folder: Path, faults: Faults) -> Tls | None:
    if not (section.cert_file or section.key_file or section.client_auth_type or section.client_ca_file):
        if section.model_fields_set:
            what = "without cert_file and key_file there is no TLS, and what stands here has no effect; write both"
            _tell(root, faults, "", what, warning=True)
        return None
    for key in ("cert_file", "key_file"):
        if not getattr(section, key):
            _tell(root, faults, "", f"{key} is missing; write both cert_file and key_file")
            return None
    tls = Tls(
        certificate=folder / section.cert_file,
        key=folder / section.key_file,
        client_auth=section.client_auth_type or "NoClientCert",
        client_ca=folder / section.client_ca_file if section.client_ca_file else None,
        minimum=section.min_version,
        maximum=section.max_version,
        ciphers=tuple(section.cipher_suites),
        curves=tuple(section.curve_preferences),
        server_chooses=section.prefer_server_cipher_suites,
    )
    _check_tls(tls, root, faults)
    return tls


def _check_tls(tls: Tls, root: Node, faults: Faults) -> None:
    if tls.client_ca and tls.client_auth == "NoClientCert":
        what = f"client certificates are not asked for; write client_auth_type: {VERIFIED} beside it"
        _tell(root, faults, "client_ca_file", what)
    if tls.maximum in OBSOLETE or VERSIONS[tls.minimum] > VERSIONS[tls.maximum]:
        _tell(root, faults, "max_version", "no TLS version is left, only TLS12 and TLS13 are offered; write TLS13")
    if tls.minimum in OBSOLETE:
        _tell(root, faults, "min_version", "less than TLS12 is never offered; write TLS12", warning=True)
    if tls.client_auth == "RequestClientCert":
        what = f"nothing here looks at an unchecked certificate, so none is asked for; write {VERIFIED}"
        _tell(root, faults, "client_auth_type", what, warning=True)
    if len(tls.curves) > 1:
        what = "this version can offer one curve or all, not a choice; all are offered, write one"
        _tell(root, faults, "curve_preferences", what, warning=True)
    try:
        open_to_all = tls.key.stat().st_mode & stat.S_IROTH
    except (OSError, ValueError):
        return  # told by whoever reads it
    if open_to_all:
        what = f"{tls.key}: everybody on this machine can read this key; chmod o-rwx"
        _tell(root, faults, "key_file", what, warning=True)


def _tell(root: Node, faults: Faults, key: str, what: str, *, warning: bool = False) -> None:
    location = ["tls_server_config", *([key] if key else [])]
    line, column, _ = place(root, location)
    faults.tell(line, column, ".".join(location), what, warning=warning)
