"""German."""

from __future__ import annotations

from bridge.speech.words import Words, regular, same

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
        ".": "Punkt", ":": "Doppelpunkt", "-": "Strich", "_": "Unterstrich", "/": "Slash",
        "\\": "Rückstrich", "@": "at",
        "&": "und", "+": "plus", "#": "Nummer", "=": "gleich", "*": "Stern", "~": "etwa", "<": "unter", ">": "über",
        "<=": "höchstens", ">=": "mindestens", "==": "gleich", "!=": "ungleich", "->": "nach", "=>": "nach",
        "→": "nach",
        "≥": "mindestens", "≤": "höchstens", "≠": "ungleich", "port": "Port", "ending": "mit der Endung",
        "address": "IP-Adresse Version 6 mit der Endung", "version": "Version", "minus": "minus", "plus": "plus",
        "of": "von",
        "to": "bis", "infinite": "unendlich", "no number": "keine Zahl", "root": "Slash",
        "id": "eine Kennung mit der Endung", "power": "hoch",
    },
    units={
        **regular("nanosecond=Nanosekunde,microsecond=Mikrosekunde,millisecond=Millisekunde,second=Sekunde", "n"),
        **regular("minute=Minute,hour=Stunde,week=Woche,kilowatt_hour=Kilowattstunde", "n"),
        **regular("day=Tag,year=Jahr", "e"),
        **same("degree=Grad,celsius=Grad Celsius,fahrenheit=Grad Fahrenheit,percent=Prozent"),
        **same("volt=Volt,millivolt=Millivolt"),
        **same("ampere=Ampere,watt=Watt,kilowatt=Kilowatt,megawatt=Megawatt,decibel=Dezibel,euro=Euro,dollar=Dollar"),
        **same("byte=Byte,kilobyte=Kilobyte,megabyte=Megabyte,gigabyte=Gigabyte,terabyte=Terabyte,petabyte=Petabyte"),
        **same("kibibyte=Kibibyte,mebibyte=Mebibyte,gibibyte=Gibibyte,tebibyte=Tebibyte,pebibyte=Pebibyte"),
        **same("hertz=Hertz,kilohertz=Kilohertz,megahertz=Megahertz,gigahertz=Gigahertz,thousand=tausend"),
        **same("per_second=pro Sekunde,rpm=Umdrehungen pro Minute"),
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
    moment="wenige Sekunden",
    moment_dative="wenigen Sekunden",
    severities=(
        ("ein Notfall", "Notfälle"), ("ein kritischer Alarm", "kritische Alarme"),
        ("ein ernster Alarm", "ernste Alarme"),
        ("ein Alarm", "Alarme"), ("eine Warnung", "Warnungen"), ("ein Hinweis", "Hinweise"),
    ),
    severities_alone=(
        ("ein Notfall", "Notfälle"), ("eine kritisch", "kritisch"), ("eine ernst", "ernst"),
        ("eine sonstige", "sonstige"), ("eine Warnung", "Warnungen"), ("ein Hinweis", "Hinweise"),
    ),
    incidents=("eine Störung", "Störungen"),
    alerts=("ein Alarm", "Alarme"),
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember"
    ),
    phrases={
        "incidents": "{incidents}, davon {kinds}",
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
