"""Basic authentication by bcrypt: one check at a time, in a thread, and each answer remembered for a while.

A check of cost 10 takes 55 ms and 12 takes 224 ms: asked at each request it would be nearly all that a core can do.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

import bcrypt

REMEMBERED = 256
WAITING = 32
# bcrypt reads no more of a password; the library raises an error where others cut it off.
LONGEST_PASSWORD = 72


class TooManyWaitError(Exception):
    """More sign-ins are under way than can be checked soon."""


@dataclass(slots=True)
class Remembered:
    """Answers by the HMAC of who asked; the oldest gives way. Wrong ones apart: they cannot push out right ones."""

    right: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    wrong: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def get(self, key: bytes) -> bool | None:
        """The answer, None where it is not known (any more)."""
        for answer, kept in ((True, self.right), (False, self.wrong)):
            if key in kept:
                kept.move_to_end(key)
                return answer
        return None

    def put(self, key: bytes, answer: bool) -> None:
        """Remember it."""
        kept = self.right if answer else self.wrong
        kept[key] = None
        if len(kept) > REMEMBERED:
            kept.popitem(last=False)


@dataclass(slots=True)
class Passwords:
    """Checks what stands behind `Authorization: Basic`. No password is kept, only an HMAC by a key of this process."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    remembered: Remembered = field(default_factory=Remembered, repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0

    async def fit(self, authorization: str, users: Mapping[str, str]) -> bool:
        """Whether the header names one of `users` (name → bcrypt hash) with their password. Raises TooManyWaitError."""
        given = _decoded(authorization)
        if given is None:
            return False
        name, password = given
        known = users.get(name.decode(errors="replace"))
        # An unknown name costs the same time, so that nobody learns which names there are.
        hashed = (known or _nobody(users)).encode()
        mark = hmac.digest(self.key, b"%s%d:%s%s" % (hashed, len(name), name, password), "sha256")
        answer = self.remembered.get(mark)
        if answer is None:
            answer = await self._checked(mark, password, hashed, known is not None)
        return answer

    async def _checked(self, mark: bytes, password: bytes, hashed: bytes, known: bool) -> bool:
        if self.waiting >= WAITING:
            raise TooManyWaitError
        self.waiting += 1
        try:
            async with self.lock:
                # A browser asks for several things at once: whoever was first has answered for all of them.
                answer = self.remembered.get(mark)
                if answer is None:
                    answer = await asyncio.to_thread(_fits, password, hashed) and known
                    self.remembered.put(mark, answer)
        finally:
            self.waiting -= 1
        return answer


def user_of(authorization: str) -> str | None:
    """The name in the header, whatever the password; None where there is none."""
    given = _decoded(authorization)
    return None if given is None else given[0].decode(errors="replace")


def _decoded(authorization: str) -> tuple[bytes, bytes] | None:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _nobody(users: Mapping[str, str]) -> str:
    """A hash of nobody, as dear as the dearest of `users`."""
    cost = max((hashed[4:6] for hashed in users.values()), default="10")
    return f"$2b${cost}${'.' * 53}"


def _fits(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:LONGEST_PASSWORD], hashed)
    except ValueError:
        return False  # a password that bcrypt cannot read fits nothing
