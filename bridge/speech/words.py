"""What a language must know to be spoken (Words), and what is read the same in all of them.

A pair is (for exactly one, for any other count); the first of a noun that is told by itself carries its own article.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `severities`: emergency, critical, error, unknown, warning, notice; `units` by UNITS."""

    tag: str
    decimal: str
    one: str
    articles: frozenset[str]
    last_and: str
    more: str
    characters_per_second: float
    characters_per_digit: float
    symbols: Mapping[str, str]
    units: Mapping[str, Pair]
    scales: tuple[tuple[float, Pair], ...]
    durations: tuple[tuple[int, Pair], ...]
    durations_dative: tuple[tuple[int, Pair], ...]
    moment: str
    moment_dative: str
    severities: tuple[Pair, ...]
    severities_alone: tuple[Pair, ...]
    incidents: Pair
    alerts: Pair
    months: tuple[str, ...]
    phrases: Mapping[str, str]


def same(words: str) -> dict[str, Pair]:
    """`key=word,…` of words that are the same for one and for many."""
    return {key: (word, word) for key, _, word in (entry.partition("=") for entry in words.split(","))}


def regular(words: str, plural: str = "s") -> dict[str, Pair]:
    """`key=word,…` of words that take `plural` at their end."""
    return {key: (word, word + plural) for key, _, word in (entry.partition("=") for entry in words.split(","))}


# Acronyms that a voice stumbles over in lower case, and names it reads wrongly; the same in every language.
ACRONYMS = frozenset({
    "api", "aws", "ca", "cd", "cdn", "ci", "cidr", "cpu", "crd", "csi", "db", "dc", "dhcp", "dns", "ec2", "eks",
    "gc", "gcp", "gke", "gpu", "grpc", "gui", "ha", "hdd", "hpa", "http", "https", "iam", "icmp", "id", "io",
    "iops", "ip", "ipmi", "jvm", "lan", "lb", "ldap", "lvm", "mtu", "nat", "nfs", "nic", "ntp", "oom", "os", "pdb",
    "pdu", "php", "pv", "pvc", "qps", "ram", "rds", "rpc", "rps", "rtt", "s3", "sip", "sla", "sli", "slo", "smart",
    "smtp", "sql", "ssd", "ssh", "ssl", "tcp", "tls", "ttl", "udp", "ui", "ups", "url", "vip", "vm", "vpn", "vps",
    "wal", "www", "xml",
})  # fmt: skip
NAMES: Mapping[str, str] = {
    "k8s": "Kubernetes",
    "4xx": "4 X X",
    "5xx": "5 X X",
    "nginx": "engine X",
    "postgresql": "Postgres",
    "postgres": "Postgres",
    "psql": "Postgres",
    "mysql": "My S Q L",
    "mariadb": "Maria DB",
    "mongodb": "Mongo DB",
    "rabbitmq": "Rabbit MQ",
    "haproxy": "HA Proxy",
    "etcd": "et C D",
    "systemd": "system D",
    "oomkilled": "OOM killed",
    "github": "GitHub",
    "gitlab": "GitLab",
    "ipv4": "IP version 4",
    "ipv6": "IP version 6",
    "iphone": "iPhone",
    "macos": "Mac OS",
}
ABBREVIATIONS: Mapping[str, str] = {
    "n/a": "not available",
    "e.g": "for example",
    "i.e": "that is",
    "vs": "versus",
    "z.b": "zum Beispiel",
    "d.h": "das heißt",
    "u.a": "unter anderem",
    "bzw": "beziehungsweise",
}

# How a unit is written -> its key in the tables below. Case matters where people mean it (MB, Mb).
UNITS: Mapping[str, str] = {
    "%": "percent", "°C": "celsius", "°F": "fahrenheit", "°": "degree",
    "ns": "nanosecond", "us": "microsecond", "µs": "microsecond", "μs": "microsecond", "ms": "millisecond",
    "s": "second", "sec": "second", "secs": "second", "m": "minute", "min": "minute", "mins": "minute",
    "h": "hour", "hr": "hour", "hrs": "hour", "d": "day", "w": "week", "y": "year",
    "B": "byte", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "PB": "petabyte",
    "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte", "PiB": "pebibyte",
    "Ki": "kibibyte", "Mi": "mebibyte", "Gi": "gibibyte", "Ti": "tebibyte",
    "kbps": "kilobit_s", "Kbps": "kilobit_s", "Mbps": "megabit_s", "Gbps": "gigabit_s",
    "kbit/s": "kilobit_s", "Mbit/s": "megabit_s", "Gbit/s": "gigabit_s",
    "B/s": "byte_s", "kB/s": "kilobyte_s", "KB/s": "kilobyte_s", "MB/s": "megabyte_s", "GB/s": "gigabyte_s",
    "KiB/s": "kibibyte_s", "MiB/s": "mebibyte_s", "GiB/s": "gibibyte_s",
    "req/s": "request_s", "reqs/s": "request_s", "rps": "request_s", "qps": "query_s", "ops/s": "operation_s",
    "/s": "per_second",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "V": "volt", "mV": "millivolt",
    "A": "ampere",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "kWh": "kilowatt_hour", "rpm": "rpm", "dB": "decibel",
    "€": "euro", "EUR": "euro", "$": "dollar", "USD": "dollar",
    "k": "thousand", "K": "thousand", "M": "million", "G": "billion", "bn": "billion", "T": "trillion",
}  # fmt: skip
