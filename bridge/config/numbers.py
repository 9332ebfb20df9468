"""Telephone numbers as people write them → E.164."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

_WRITTEN = re.compile(r"\+?[0-9 ()/.\-\u00a0]+")
EXAMPLE = "+49 171 1234567"
# Shorter ones would be given away by what the mask leaves.
SHORTEST_MASKED = 10
_NO_NUMBER = {
    NumberParseException.INVALID_COUNTRY_CODE: "begins with no country's code",
    NumberParseException.TOO_SHORT_AFTER_IDD: "has too few digits",
    NumberParseException.TOO_SHORT_NSN: "has too few digits",
    NumberParseException.TOO_LONG: "has too many digits",
}
_IMPOSSIBLE = {
    ValidationResult.TOO_SHORT: "has too few digits",
    ValidationResult.TOO_LONG: "has too many digits",
    ValidationResult.INVALID_LENGTH: "has the wrong number of digits",
    ValidationResult.INVALID_COUNTRY_CODE: "begins with no country's code",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
}


def masked(text: str) -> str:
    """The number as an error may show it: its first five and last two characters."""
    return f'"{text[:5]}…{text[-2:]}"' if len(text) >= SHORTEST_MASKED else f'"{text[:2]}…"'


def read_number(text: str, region: str) -> str:
    """The number in E.164; `region` is the country of numbers without one ("": none). ValueError says what is wrong."""
    if not _WRITTEN.fullmatch(text):
        raise ValueError(f"{masked(text)} is not a phone number; write digits and a leading +, like {EXAMPLE}")
    parsed = _parsed(text, region)
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != ValidationResult.IS_POSSIBLE:
        what = _IMPOSSIBLE.get(possible, "cannot be dialled")
        raise ValueError(f"{masked(text)} {what} for a number of {_country(parsed)}; write it in full, like {EXAMPLE}")
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def doubt(text: str, region: str) -> str:
    """Why the number, which can be dialled, may still be wrong; "" where nothing speaks against it."""
    parsed = _parsed(text, region)
    if phonenumbers.is_valid_number(parsed):
        return ""
    return f"{masked(text)} can be dialled, but no such number is given out in {_country(parsed)}; check its digits"


def landline(text: str, region: str) -> bool:
    """Whether the number is one of a fixed line, where an SMS arrives at most as a voice; unknown ones are not."""
    return phonenumbers.number_type(_parsed(text, region)) == PhoneNumberType.FIXED_LINE


def _parsed(text: str, region: str) -> PhoneNumber:
    try:
        return phonenumbers.parse(text, region or None)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.startswith("+"):
            raise ValueError(
                f"{masked(text)} has no country; write it with + and the country's code, like {EXAMPLE},"
                " or set global.region"
            ) from None
        what = _NO_NUMBER.get(error.error_type, "is not a phone number")
        raise ValueError(f"{masked(text)} {what}; write it in full, like {EXAMPLE}") from None


def _country(parsed: PhoneNumber) -> str:
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return f"+{parsed.country_code}" if region in ("ZZ", "001") else f"{region} (+{parsed.country_code})"
