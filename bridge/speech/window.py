"""When hanging up means yes: between which seconds of a call its end can only have been a human who was asked to.

All that is known afterwards is how long the call lasted, and three things must be told apart by it, without having
heard the voice. With m the estimate of where the message is over, n of where the words that ask to hang up are over,
s of the whole text, q its quickest reading (bridge.speech.estimate), and a voice that takes 0.85 to 1.15 of its time:

- hung up before the message is over: at 1.15 m at the latest, so the window begins at 1.15 m;
- a mailbox hears it all: 0.85 s or q at the earliest, so the window ends one second (gateways tell whole ones) before
  the smaller of the two. q is there because the estimate is on the long side: some voices take two thirds of it;
- who obeys hangs up within five seconds of the last word, at n to n + 5: so there is a window only if it is still open
  at n + 5, and is at least five seconds wide; it is roomy if a slow voice's listener has that time too (1.15 n + 5).

The first two are kept in any case. Where the third cannot be kept nobody is asked to hang up.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.speech.values import Window

FASTER, SLOWER = 0.85, 1.15
# Seconds: to take the phone from the ear and end the call; the rounding of a reported duration.
REACTION = 5.0
ROUNDING = 1.0
NARROWEST = 5.0


@dataclass(frozen=True, slots=True)
class Times:
    """Estimated seconds from being answered: until the message is over, until the words that ask to hang up are over,
    until the text is over; and of the whole text in the quickest voice."""

    message: float
    asked: float
    text: float
    quickest: float


def window_of(times: Times) -> Window | None:
    """The window, or None where the three cannot be told apart."""
    begins, ends = SLOWER * times.message, _ends(times)
    wide = ends - begins >= NARROWEST
    return (begins, ends) if wide and ends >= times.asked + REACTION else None


def roomy(times: Times) -> bool:
    """Whether there is a window that is long enough for whoever hears a slow voice too."""
    return _ends(times) >= SLOWER * times.asked + REACTION


def _ends(times: Times) -> float:
    return min(FASTER * times.text, times.quickest) - ROUNDING
