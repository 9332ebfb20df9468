"""The languages that callbridge speaks: one more is one more table here.

A language is a tag such as `de-DE`; its first part chooses the table, and English stands in for one that has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.speech.english import ENGLISH
from bridge.speech.german import GERMAN
from bridge.speech.words import Words

TABLES: Mapping[str, Words] = {"en": ENGLISH, "de": GERMAN}


def words_of(language: str) -> Words:
    """The table for a language tag, `en-US` and the like; English where there is none."""
    return TABLES.get(base_of(language), ENGLISH)


def base_of(language: str) -> str:
    """`de` of `de-DE`, `de_DE` or `DE`."""
    return language.replace("_", "-").partition("-")[0].lower()


def whole_tag(language: str) -> str:
    """A tag with its region, as voices are named: `de` is `de-DE`, `de_AT` is `de-AT`."""
    tag = language.replace("_", "-")
    return tag if "-" in tag or tag.lower() not in TABLES else TABLES[tag.lower()].tag
