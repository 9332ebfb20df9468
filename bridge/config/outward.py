"""The file's shape, where callbridge itself asks or tells others: Alertmanager's API, and who awaits its heartbeat."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from bridge.config.section import Section, at
from bridge.config.words import Address, Answer, Beat, Duration, FilePath, ReceiverPattern, SecretAddress, Some


class Authorization(Section):
    """A bearer token, as in Prometheus' own files."""

    credentials_file: FilePath
    """The file that holds the token."""


class BasicAuth(Section):
    """User and password, as in Prometheus' own files."""

    username: Some
    """The user."""
    password_file: FilePath
    """The file that holds the password."""


class TlsConfig(Section):
    """How its certificate is judged, as in Prometheus' own files."""

    ca_file: FilePath
    """The certificates that sign for it, instead of those that this machine trusts."""


class Alertmanager(Section):
    """An Alertmanager whose API may be asked; several are the members of one cluster."""

    url: Address
    """Its address with its route prefix, without /api/v2: http://alertmanager:9093."""
    authorization: Authorization | None = None
    """How it lets callbridge in, where it asks for a token; this or basic_auth."""
    basic_auth: BasicAuth | None = None
    """How it lets callbridge in, where it asks for a password; this or authorization."""
    tls_config: TlsConfig | None = None
    """How its certificate is judged."""
    timeout: Answer = timedelta(seconds=3)
    """The longest that one question to it may take (default 3s): what it does not answer by then is rung for."""
    receivers: ReceiverPattern = ""
    """Its receivers that send to callbridge, as a regular expression; without it, those that have sent already."""
    silence_on_acknowledge: Duration = timedelta(0)
    """How long a silence is set for when somebody acknowledges; 0 (default): none."""

    @model_validator(mode="after")
    def _one(self) -> Alertmanager:
        if self.authorization is not None and self.basic_auth is not None:
            raise at("basic_auth", "authorization is given too; write one of authorization and basic_auth")
        return self


class Heartbeat(Section):
    """Who is told, again and again, that callbridge can call; they notice when it is dead."""

    url: SecretAddress | None = None
    """The address that is requested (GET), as long as all is well."""
    url_file: FilePath | None = None
    """A file that holds it, for one that nobody else may know; instead of url."""
    every: Beat = Field(default=timedelta(minutes=1))
    """How often (default 1m)."""

    @model_validator(mode="after")
    def _one(self) -> Heartbeat:
        if (self.url is None) == (self.url_file is None):
            raise at("url_file" if self.url else "", "write one of url and url_file")
        return self
