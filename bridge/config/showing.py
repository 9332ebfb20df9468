"""The file fit to be shown: what is in force, without a secret in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import yaml

from bridge.config.settings import redacted

SECRET = "<secret>"  # noqa: S105 - stands where one was
# Files whose content is a secret; their names are none.
SECRET_FILES = frozenset({"api_key_file", "credentials_file", "hmac_secret_file", "token_file", "signing_key_file",
                          "url_file"})  # fmt: skip


class _Plain(yaml.SafeDumper):
    """Scalars as they are written: all of them are read as text, so no number needs quotes."""

    yaml_implicit_resolvers: dict[str, object] = {}  # noqa: RUF012 - the library's own way to say so


def shown_file(root: object) -> str:
    """The file's content as YAML; addresses lose passwords and queries, that of a calendar all but its host."""
    text: str = yaml.dump(_shown(root, ()), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return text


def _shown(value: object, where: tuple[str, ...]) -> object:
    match value:
        case Mapping():
            return {str(name): _shown(one, (*where, str(name))) for name, one in value.items()}
        case str():
            return _text(value, where)
        case Sequence():
            return [_shown(one, where) for one in value]
        case _:
            return value


def _text(text: str, where: tuple[str, ...]) -> str:
    if where and where[-1] in SECRET_FILES:
        return f"{SECRET} (in {text})"
    if where[-2:] == ("ical", "url"):
        return _host_of(text)
    return redacted(text) if "://" in text else text


def _host_of(url: str) -> str:
    """A calendar's private address has its secret in the path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return SECRET
    return f"{parts.scheme}://{parts.hostname or ''}/{SECRET}"
