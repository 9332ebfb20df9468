"""English, and what stands in for every language without a table."""

from __future__ import annotations

from bridge.speech.words import Words, regular, same

_ENGLISH_SIZES = "byte=byte,kilobyte=kilobyte,megabyte=megabyte,gigabyte=gigabyte,terabyte=terabyte,petabyte=petabyte"
_ENGLISH_BINARY = "kibibyte=kibibyte,mebibyte=mebibyte,gibibyte=gibibyte,tebibyte=tebibyte,pebibyte=pebibyte"
_ENGLISH_RATES = (
    "byte", "kilobyte", "megabyte", "gigabyte", "kibibyte", "mebibyte", "gibibyte", "kilobit", "megabit", "gigabit",
    "request",
    "operation",
)  # fmt: skip

_DURATIONS = (
    (86400, ("1 day", "days")), (3600, ("1 hour", "hours")), (60, ("1 minute", "minutes")),
    (1, ("1 second", "seconds")),
)  # fmt: skip

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
        ".": "dot", ":": "colon", "-": "dash", "_": "underscore", "/": "slash", "\\": "backslash", "@": "at",
        "&": "and", "+": "plus",
        "#": "number", "=": "equals", "*": "star", "~": "about", "<": "below", ">": "above", "<=": "at most",
        ">=": "at least",
        "==": "equals", "!=": "is not", "->": "to", "=>": "to", "→": "to", "≥": "at least", "≤": "at most",
        "≠": "is not",
        "port": "port", "ending": "ending in", "address": "IP version 6 address ending in", "version": "version",
        "minus": "minus",
        "plus": "plus", "of": "of", "to": "to", "infinite": "infinite", "no number": "not a number", "root": "slash",
        "id": "an ID ending in", "power": "to the power of",
    },
    units={
        **regular("degree=degree,nanosecond=nanosecond,microsecond=microsecond,millisecond=millisecond,second=second"),
        **regular("minute=minute,hour=hour,day=day,week=week,year=year,volt=volt,millivolt=millivolt,ampere=amp,watt=watt,kilowatt=kilowatt"),
        **regular("megawatt=megawatt,kilowatt_hour=kilowatt hour,decibel=decibel,euro=euro,dollar=dollar"),
        **regular(_ENGLISH_SIZES),
        **regular(_ENGLISH_BINARY),
        **{f"{name}_s": (f"{name} per second", f"{name}s per second") for name in (*_ENGLISH_RATES, "request",
        "operation")},
        **same("percent=percent,hertz=hertz,kilohertz=kilohertz,megahertz=megahertz,gigahertz=gigahertz"),
        **same("thousand=thousand,million=million,billion=billion,trillion=trillion,per_second=per second"),
        **same("celsius=degrees Celsius,fahrenheit=degrees Fahrenheit,rpm=revolutions per minute"),
        "query_s": ("query per second", "queries per second"),
    },
    scales=((1e12, ("trillion", "trillion")), (1e9, ("billion", "billion")), (1e6, ("million", "million"))),
    durations=_DURATIONS,
    durations_dative=_DURATIONS,
    moment="a few seconds",
    moment_dative="a few seconds",
    severities=(
        ("one emergency", "emergencies"), ("one critical alert", "critical alerts"),
        ("one serious alert", "serious alerts"),
        ("one alert", "alerts"), ("one warning", "warnings"), ("one notice", "notices"),
    ),
    severities_alone=(
        ("one emergency", "emergencies"), ("one critical", "critical"), ("one serious", "serious"),
        ("one other", "other"), ("one warning", "warnings"), ("one notice", "notices"),
    ),
    incidents=("one incident", "incidents"),
    alerts=("one alert", "alerts"),
    months=(
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December"
    ),
    phrases={
        "incidents": "{incidents}: {kinds}",
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
