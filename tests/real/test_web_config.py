"""What Prometheus' own checker says of a web config, and what we say of the same file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bridge.access import read_web_config
from bridge.errors import ConfigError
from tests.certificates import make_pair
from tests.requirements import require

# Of "secret"; the cheapest there is.
HASH = "$2b$04$F9/TGSSTTDylyeIGjzxK0.ELxtBYI0a6Zv6jpGuZfysUIS2NVR47S"
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"

GOOD = [
    "",
    "# nothing yet\n",
    "---\n",
    "{}\n",
    "~\n",
    f"basic_auth_users:\n  me: {HASH}\n",
    f"basic_auth_users:\n  me: {HASH.replace('$2b$', '$2y$')}\n  you: {HASH.replace('$2b$', '$2a$')}\n",
    f"basic_auth_users:\n  1: {HASH}\n",
    f'basic_auth_users:\n  "a:b": {HASH}\n',
    "basic_auth_users:\n",
    "basic_auth_users: {}\n",
    TLS,
    "tls_server_config:\n",
    "tls_server_config: {}\n",
    "tls_server_config: {min_version: TLS13}\n",
    f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.crt\n",
    f"{TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: client.crt\n",
    f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n",
    f"{TLS}  client_auth_type: RequestClientCert\n  client_ca_file: client.crt\n",
    f"{TLS}  client_auth_type: NoClientCert\n",
    f'{TLS}  client_auth_type: ""\n',
    f"{TLS}  min_version: TLS13\n",
    f"{TLS}  min_version: TLS10\n",
    f"{TLS}  min_version: TLS12\n  max_version: TLS12\n",
    f"{TLS}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
    f"{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
    f"{TLS}  cipher_suites: []\n",
    f"{TLS}  curve_preferences: [X25519]\n",
    f"{TLS}  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n",
    f"{TLS}  prefer_server_cipher_suites: false\n",
    f"{TLS}  prefer_server_cipher_suites: yes\n",
    "http_server_config:\n  http2: true\n",
    "http_server_config:\n  http2: off\n",
    "http_server_config:\n  headers:\n",
    "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n",
    "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n",
    "http_server_config:\n  headers:\n    X-XSS-Protection: 1; mode=block\n",
    "http_server_config:\n  headers:\n    X-XSS-Protection: 0\n",
    "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=31536000; includeSubDomains\n",
    "http_server_config:\n  headers:\n    Content-Security-Policy: default-src 'self'\n",
    f"{TLS}http_server_config: {{http2: true}}\nbasic_auth_users: {{me: {HASH}}}\n",
]

# Each with the place and a word of ours.
BAD = [
    ("a: [\n", "2:1: yaml", "not YAML"),
    ("- a\n", "1:1: file", "a list stands here"),
    ("text\n", "1:1: file", "text stands here"),
    ("unknown: 1\n", "1:1: unknown", "unknown key"),
    ("basic_auth_user: {}\n", "1:1: basic_auth_user", 'did you mean "basic_auth_users"'),
    ("basic_auth_users: [a]\n", "1:19: basic_auth_users", "write a map"),
    ("basic_auth_users:\n  me: secret-word\n", "2:7: basic_auth_users.me", "no bcrypt hash"),
    ("basic_auth_users:\n  me: ''\n", "2:7: basic_auth_users.me", "no bcrypt hash"),
    ("basic_auth_users:\n  me:\n", "2:6: basic_auth_users.me", "no bcrypt hash"),
    (f"basic_auth_users:\n  me: {HASH.replace('$04$', '$03$')}\n", "2:7: basic_auth_users.me", "from 04 to 31"),
    (f"basic_auth_users:\n  me: {HASH.replace('$04$', '$32$')}\n", "2:7: basic_auth_users.me", "from 04 to 31"),
    (f"basic_auth_users:\n  me: {HASH[:50]}\n", "2:7: basic_auth_users.me", "no bcrypt hash"),
    (f"basic_auth_users:\n  me: {HASH}\n  me: {HASH}\n", "3:3: basic_auth_users.me", "already given on line 2"),
    ("tls_server_config: {cert_file: server.crt}\n", "1:20: tls_server_config", "key_file is missing"),
    ("tls_server_config: {key_file: server.key}\n", "1:20: tls_server_config", "cert_file is missing"),
    ("tls_server_config: {client_auth_type: NoClientCert}\n", "1:20: tls_server_config", "cert_file is missing"),
    (
        "tls_server_config: {cert_file: x, key_file: server.key}\n",
        "1:32: tls_server_config.cert_file",
        "cannot be read",
    ),
    ("tls_server_config: {cert_file: server.crt, key_file: x}\n", "1:54: tls_server_config.key_file", "cannot be read"),
    (
        "tls_server_config: {cert_file: server.crt, key_file: client.key}\n",
        "1:32: tls_server_config.cert_file",
        "KEY_VALUES_MISMATCH",
    ),
    (
        "tls_server_config: {cert_file: server.key, key_file: server.key}\n",
        "1:32: tls_server_config.cert_file",
        "no certificate",
    ),
    (f"{TLS}  client_ca_file: client.crt\n", "4:19: tls_server_config.client_ca_file", "not asked for"),
    (
        f"{TLS}  client_auth_type: NoClientCert\n  client_ca_file: client.crt\n",
        "5:19: tls_server_config.client_ca_file",
        "not asked for",
    ),
    (
        f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: x\n",
        "5:19: tls_server_config.client_ca_file",
        "cannot be read",
    ),
    (f"{TLS}  client_auth_type: Always\n", "4:21: tls_server_config.client_auth_type", "known are NoClientCert"),
    (f"{TLS}  min_version: SSL30\n", "4:16: tls_server_config.min_version", "no TLS version"),
    (f"{TLS}  min_version: tls12\n", "4:16: tls_server_config.min_version", 'did you mean "TLS12"'),
    (f"{TLS}  max_version: 1.3\n", "4:16: tls_server_config.max_version", "no TLS version"),
    (f"{TLS}  cipher_suites: [bogus]\n", "4:19: tls_server_config.cipher_suites[0]", "no cipher suite"),
    (
        f"{TLS}  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
        "4:19: tls_server_config.cipher_suites[0]",
        "no cipher suite",
    ),
    (f"{TLS}  cipher_suites: TLS_AES_128_GCM_SHA256\n", "4:18: tls_server_config.cipher_suites", "write a list"),
    (f"{TLS}  curve_preferences: [P256]\n", "4:23: tls_server_config.curve_preferences[0]", "no curve"),
    (
        f"{TLS}  prefer_server_cipher_suites: maybe\n",
        "4:32: tls_server_config.prefer_server_cipher_suites",
        "neither true nor false",
    ),
    ("http_server_config:\n  http2: 1\n", "2:10: http_server_config.http2", "neither true nor false"),
    ("http_server_config:\n  headers: {X-Foo: bar}\n", "2:13: http_server_config.headers.X-Foo", "cannot be set"),
    (
        "http_server_config:\n  headers: {x-frame-options: deny}\n",
        "2:13: http_server_config.headers.x-frame-options",
        "cannot be set",
    ),
    (
        "http_server_config:\n  headers: {X-Frame-Options: DENY}\n",
        "2:30: http_server_config.headers.X-Frame-Options",
        "write deny or sameorigin",
    ),
    (
        "http_server_config:\n  headers:\n    X-Frame-Options:\n",
        "3:21: http_server_config.headers.X-Frame-Options",
        "write deny or sameorigin",
    ),
    (
        "http_server_config:\n  headers: {X-Content-Type-Options: sniff}\n",
        "2:37: http_server_config.headers.X-Content-Type-Options",
        "write nosniff",
    ),
    ("tls_server_config: {certfile: x}\n", "1:21: tls_server_config.certfile", 'did you mean "cert_file"'),
]

# What promtool lets pass although nobody could come in, or what Python's ssl cannot: refused here, by name.
STRICTER = [
    (f"basic_auth_users:\n  me: {HASH}x\n", "2:7: basic_auth_users.me", "no bcrypt hash"),
    (f"basic_auth_users:\n  me: {HASH.replace('$2b$', '$2z$')}\n", "2:7: basic_auth_users.me", "no bcrypt hash"),
    (
        f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.key\n",
        "5:19: tls_server_config.client_ca_file",
        "holds no certificate",
    ),
    (f"{TLS}  client_auth_type: RequireAnyClientCert\n", "4:21: tls_server_config.client_auth_type", "unchecked"),
    (
        f"{TLS}  min_version: TLS13\n  max_version: TLS12\n",
        "5:16: tls_server_config.max_version",
        "no TLS version is left",
    ),
    (f"{TLS}  max_version: TLS11\n", "4:16: tls_server_config.max_version", "no TLS version is left"),
    (
        'http_server_config:\n  headers: {Content-Security-Policy: "a\\nb"}\n',
        "2:38: http_server_config.headers.Content-Security-Policy",
        "one line",
    ),
]

# Newer than the promtool of some distributions, and not here: refused by name, whatever that one says.
NEWER = [
    ("rate_limit: {interval: 1s, burst: 3}\n", "1:1: rate_limit", "does not limit"),
    ("tls_server_config: {cert: x, key: y}\n", "1:21: tls_server_config.cert", "write cert_file"),
    (f"{TLS}  client_allowed_sans: [x]\n", "4:3: tls_server_config.client_allowed_sans", "cannot choose"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both find the certificates of a server and of a client."""
    made = tmp_path_factory.mktemp("web")
    for name in ("server", "client"):
        make_pair(made, name).key.chmod(0o600)
    return made


def ours(folder: Path, text: str) -> str:
    """What we say of `text`: nothing, or every fault."""
    path = folder / "web.yaml"
    path.write_text(text)
    try:
        read_web_config(path)
    except ConfigError as error:
        return str(error)
    return ""


def theirs(folder: Path) -> bool:
    """Whether promtool lets the file pass that `ours` has written."""
    command = [require("promtool", "prometheus"), "check", "web-config", str(folder / "web.yaml")]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("text", GOOD)
def test_good(folder: Path, text: str) -> None:
    """Neither finds a fault."""
    assert ours(folder, text) == ""
    assert theirs(folder)


@pytest.mark.parametrize(("text", "where", "what"), BAD)
def test_bad(folder: Path, text: str, where: str, what: str) -> None:
    """Both refuse it; we say at which place, and what would be right, in one line."""
    said = ours(folder, text)
    assert said.startswith(f"{folder / 'web.yaml'}:{where}")
    assert what in said
    assert "\n" not in said
    assert "secret-word" not in said
    assert HASH[:20] not in said
    assert not theirs(folder)


@pytest.mark.parametrize(("text", "where", "what"), STRICTER)
def test_stricter(folder: Path, text: str, where: str, what: str) -> None:
    """What could never work, or what we cannot, is refused although promtool lets it pass."""
    said = ours(folder, text)
    assert said.startswith(f"{folder / 'web.yaml'}:{where}")
    assert what in said
    assert theirs(folder)


@pytest.mark.parametrize(("text", "where", "what"), NEWER)
def test_newer(folder: Path, text: str, where: str, what: str) -> None:
    """Keys of newer toolkits that are not here are refused by name, with what to do instead."""
    said = ours(folder, text)
    assert said.startswith(f"{folder / 'web.yaml'}:{where}")
    assert what in said
