"""The words of each language that callbridge speaks: the only place to touch for one more language.

A language is a tag such as `de-DE`; its first part chooses the table, and English stands in for one that has none.
A pair is (for exactly one, for any other count); the first of a noun that is told by itself carries its own article.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `severities` are keyed by the ranks of bridge.alert.severity_rank, units by how people write them."""

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
    severities: tuple[Pair, ...]
    severities_alone: tuple[Pair, ...]
    incidents: Pair
    alerts: Pair
    months: tuple[str, ...]
    phrases: Mapping[str, str]


def words_of(language: str) -> Words:
    """The table for a language tag, `en-US` and the like; English where there is none."""
    return TABLES.get(base_of(language), ENGLISH)


def base_of(language: str) -> str:
    """`de` of `de-DE`, `de_DE` or `DE`."""
    return language.replace("_", "-").partition("-")[0].lower()


# Acronyms that a voice stumbles over in lower case, and names it reads wrongly; the same in every language.
ACRONYMS = frozenset(
    "api aws ca cd cdn ci cidr cpu crd csi db dc dhcp dns ec2 eks gc gcp gke gpu grpc gui ha hdd hpa http https iam icmp id io iops"
    " ip ipmi jvm lan lb ldap lvm mtu nat nfs nic ntp oom os pdb pdu php pv pvc qps ram rds rpc rps rtt s3 sip sla sli slo smart"
    " smtp sql ssd ssh ssl tcp tls ttl udp ui ups url vip vm vpn vps wal www xml".split()
)
NAMES: Mapping[str, str] = {
    "k8s": "Kubernetes",
    "kube": "Kube",
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
    "callbridge": "callbridge",
    "iphone": "iPhone",
    "macos": "Mac OS",
    "prod": "prod",
}
ABBREVIATIONS: Mapping[str, str] = {
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
    "B": "byte", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "PB": "petabyte",
    "KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte", "PiB": "pebibyte",
    "Ki": "kibibyte", "Mi": "mebibyte", "Gi": "gibibyte", "Ti": "tebibyte",
    "kbps": "kilobit_s", "Kbps": "kilobit_s", "Mbps": "megabit_s", "Gbps": "gigabit_s",
    "kbit/s": "kilobit_s", "Mbit/s": "megabit_s", "Gbit/s": "gigabit_s",
    "B/s": "byte_s", "kB/s": "kilobyte_s", "KB/s": "kilobyte_s", "MB/s": "megabyte_s", "GB/s": "gigabyte_s",
    "KiB/s": "kibibyte_s", "MiB/s": "mebibyte_s", "GiB/s": "gibibyte_s",
    "req/s": "request_s", "reqs/s": "request_s", "rps": "request_s", "qps": "query_s", "ops/s": "operation_s", "/s": "per_second",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "V": "volt", "mV": "millivolt", "A": "ampere",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "kWh": "kilowatt_hour", "rpm": "rpm", "dB": "decibel",
    "€": "euro", "EUR": "euro", "$": "dollar", "USD": "dollar",
    "k": "thousand", "K": "thousand", "M": "million", "G": "billion", "bn": "billion", "T": "trillion",
}  # fmt: skip


def _same(words: str) -> dict[str, Pair]:
    return {key: (word, word) for key, _, word in (entry.partition("=") for entry in words.split(","))}


def _regular(words: str, plural: str = "s") -> dict[str, Pair]:
    return {key: (word, word + plural) for key, _, word in (entry.partition("=") for entry in words.split(","))}


_ENGLISH_SIZES = "byte=byte,kilobyte=kilobyte,megabyte=megabyte,gigabyte=gigabyte,terabyte=terabyte,petabyte=petabyte"
_ENGLISH_BINARY = "kibibyte=kibibyte,mebibyte=mebibyte,gibibyte=gibibyte,tebibyte=tebibyte,pebibyte=pebibyte"
_ENGLISH_RATES = ("byte", "kilobyte", "megabyte", "gigabyte", "kibibyte", "mebibyte", "gibibyte", "kilobit", "megabit", "gigabit")

ENGLISH = Words(
    tag="en-US",
    decimal=".",
    one="one",
    articles=frozenset({"a", "an", "one", "the"}),
    last_and="and",
    more="{count} more",
    characters_per_second=15.0,
    characters_per_digit=6.0,
    symbols={
        ".": "dot", ":": "colon", "-": "dash", "_": "underscore", "/": "slash", "\\": "backslash", "@": "at", "&": "and", "+": "plus",
        "#": "number", "=": "equals", "*": "star", "~": "about", "<": "below", ">": "above", "<=": "at most", ">=": "at least",
        "==": "equals", "!=": "is not", "->": "to", "=>": "to", "→": "to", "≥": "at least", "≤": "at most", "≠": "is not",
        "port": "port", "ending": "ending in", "address": "IP version 6 address ending in", "version": "version", "minus": "minus",
        "plus": "plus", "of": "of", "to": "to", "infinite": "infinite", "no number": "not a number", "root": "slash",
        "id": "an ID ending in", "times": "times",
    },
    units={
        **_regular("degree=degree,nanosecond=nanosecond,microsecond=microsecond,millisecond=millisecond,second=second,minute=minute"),
        **_regular("hour=hour,day=day,week=week,year=year,volt=volt,millivolt=millivolt,ampere=amp,watt=watt,kilowatt=kilowatt"),
        **_regular("megawatt=megawatt,kilowatt_hour=kilowatt hour,decibel=decibel,euro=euro,dollar=dollar"),
        **_regular(_ENGLISH_SIZES),
        **_regular(_ENGLISH_BINARY),
        **{f"{name}_s": (f"{name} per second", f"{name}s per second") for name in (*_ENGLISH_RATES, "request", "operation")},
        **_same("percent=percent,hertz=hertz,kilohertz=kilohertz,megahertz=megahertz,gigahertz=gigahertz"),
        **_same("thousand=thousand,million=million,billion=billion,trillion=trillion,per_second=per second"),
        **_same("celsius=degrees Celsius,fahrenheit=degrees Fahrenheit,rpm=revolutions per minute"),
        "query_s": ("query per second", "queries per second"),
    },
    scales=((1e12, ("trillion", "trillion")), (1e9, ("billion", "billion")), (1e6, ("million", "million"))),
    durations=((86400, ("1 day", "days")), (3600, ("1 hour", "hours")), (60, ("1 minute", "minutes")), (1, ("1 second", "seconds"))),
    durations_dative=(
        (86400, ("1 day", "days")), (3600, ("1 hour", "hours")), (60, ("1 minute", "minutes")), (1, ("1 second", "seconds"))
    ),
    moment="a few seconds",
    severities=(
        ("one emergency", "emergencies"), ("one critical alert", "critical alerts"), ("one serious alert", "serious alerts"),
        ("one alert", "alerts"), ("one warning", "warnings"), ("one notice", "notices"),
    ),
    severities_alone=(
        ("one emergency", "emergencies"), ("one critical", "critical"), ("one serious", "serious"),
        ("one other", "others"), ("one warning", "warnings"), ("one notice", "notices"),
    ),
    incidents=("one incident", "incidents"),
    alerts=("one alert", "alerts"),
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"
    ),
    phrases={
        "firing one": "One alert is firing: {worst}.",
        "firing many": "{alerts} are firing, the worst is {worst}.",
        "resolved one": "One alert is resolved: {worst}.",
        "resolved many": "{alerts} are resolved, the worst was {worst}.",
        "on": "{name} on {place}",
        "nameless": "an alert without a name",
        "hello": "This is callbridge.",
        "key": "Press any key to take it.",
        "yesterday": "yesterday {time}",
        "day": "{day} {month}, {time}",
    },
)  # fmt: skip

_GERMAN_RATES = {
    "byte": "Byte", "kilobyte": "Kilobyte", "megabyte": "Megabyte", "gigabyte": "Gigabyte", "kibibyte": "Kibibyte",
    "mebibyte": "Mebibyte", "gibibyte": "Gibibyte", "kilobit": "Kilobit", "megabit": "Megabit", "gigabit": "Gigabit",
}  # fmt: skip

GERMAN = Words(
    tag="de-DE",
    decimal=",",
    one="ein",
    articles=frozenset({"ein", "eine", "einen", "einem", "einer", "der", "die", "das"}),
    last_and="und",
    more="{count} weitere",
    characters_per_second=14.0,
    characters_per_digit=7.0,
    symbols={
        ".": "Punkt", ":": "Doppelpunkt", "-": "Strich", "_": "Unterstrich", "/": "Schrägstrich", "\\": "Rückstrich", "@": "at",
        "&": "und", "+": "plus", "#": "Nummer", "=": "gleich", "*": "Stern", "~": "etwa", "<": "unter", ">": "über",
        "<=": "höchstens", ">=": "mindestens", "==": "gleich", "!=": "ungleich", "->": "nach", "=>": "nach", "→": "nach",
        "≥": "mindestens", "≤": "höchstens", "≠": "ungleich", "port": "Port", "ending": "mit der Endung",
        "address": "IP-Adresse Version 6 mit der Endung", "version": "Version", "minus": "minus", "plus": "plus", "of": "von",
        "to": "bis", "infinite": "unendlich", "no number": "keine Zahl", "root": "Schrägstrich",
        "id": "eine Kennung mit der Endung", "times": "mal",
    },
    units={
        **_regular("nanosecond=Nanosekunde,microsecond=Mikrosekunde,millisecond=Millisekunde,second=Sekunde,minute=Minute", "n"),
        **_regular("hour=Stunde,week=Woche,kilowatt_hour=Kilowattstunde", "n"),
        **_regular("day=Tag,year=Jahr", "e"),
        **_same("degree=Grad,celsius=Grad Celsius,fahrenheit=Grad Fahrenheit,percent=Prozent,volt=Volt,millivolt=Millivolt"),
        **_same("ampere=Ampere,watt=Watt,kilowatt=Kilowatt,megawatt=Megawatt,decibel=Dezibel,euro=Euro,dollar=Dollar"),
        **_same("byte=Byte,kilobyte=Kilobyte,megabyte=Megabyte,gigabyte=Gigabyte,terabyte=Terabyte,petabyte=Petabyte"),
        **_same("kibibyte=Kibibyte,mebibyte=Mebibyte,gibibyte=Gibibyte,tebibyte=Tebibyte,pebibyte=Pebibyte"),
        **_same("hertz=Hertz,kilohertz=Kilohertz,megahertz=Megahertz,gigahertz=Gigahertz,thousand=tausend,per_second=pro Sekunde"),
        **_same("rpm=Umdrehungen pro Minute"),
        **{f"{key}_s": (f"{name} pro Sekunde", f"{name} pro Sekunde") for key, name in _GERMAN_RATES.items()},
        "million": ("Million", "Millionen"),
        "billion": ("Milliarde", "Milliarden"),
        "trillion": ("Billion", "Billionen"),
        "request_s": ("Anfrage pro Sekunde", "Anfragen pro Sekunde"),
        "query_s": ("Abfrage pro Sekunde", "Abfragen pro Sekunde"),
        "operation_s": ("Operation pro Sekunde", "Operationen pro Sekunde"),
    },
    scales=((1e12, ("Billion", "Billionen")), (1e9, ("Milliarde", "Milliarden")), (1e6, ("Million", "Millionen"))),
    durations=(
        (86400, ("ein Tag", "Tage")), (3600, ("eine Stunde", "Stunden")), (60, ("eine Minute", "Minuten")),
        (1, ("eine Sekunde", "Sekunden")),
    ),
    durations_dative=(
        (86400, ("einem Tag", "Tagen")), (3600, ("einer Stunde", "Stunden")), (60, ("einer Minute", "Minuten")),
        (1, ("einer Sekunde", "Sekunden")),
    ),
    moment="wenigen Sekunden",
    severities=(
        ("ein Notfall", "Notfälle"), ("ein kritischer Alarm", "kritische Alarme"), ("ein ernster Alarm", "ernste Alarme"),
        ("ein Alarm", "Alarme"), ("eine Warnung", "Warnungen"), ("ein Hinweis", "Hinweise"),
    ),
    severities_alone=(
        ("ein Notfall", "Notfälle"), ("eine kritisch", "kritisch"), ("eine ernst", "ernst"),
        ("eine sonstige", "sonstige"), ("eine Warnung", "Warnungen"), ("ein Hinweis", "Hinweise"),
    ),
    incidents=("eine Störung", "Störungen"),
    alerts=("ein Alarm", "Alarme"),
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"
    ),
    phrases={
        "firing one": "Ein Alarm ist aktiv: {worst}.",
        "firing many": "{alerts} sind aktiv, der schlimmste ist {worst}.",
        "resolved one": "Ein Alarm ist behoben: {worst}.",
        "resolved many": "{alerts} sind behoben, der schlimmste war {worst}.",
        "on": "{name} auf {place}",
        "nameless": "ein Alarm ohne Namen",
        "hello": "Hier ist callbridge.",
        "key": "Zum Übernehmen eine beliebige Taste drücken.",
        "yesterday": "gestern {time}",
        "day": "{day}. {month}, {time}",
    },
)  # fmt: skip

TABLES: Mapping[str, Words] = {"en": ENGLISH, "de": GERMAN}
