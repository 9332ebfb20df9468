"""What would follow if this notification came at that time: every call, word and reason, without a call being placed.

The same pure functions as the server's, driven from one due thing to the next in memory.

answers    who behaves how           telephone  what is assumed of telephones, and of prices
play       the loop: worker, lines   books      incidents and pages
texts      the SMS beside the calls
told       what comes out of it      why        the reasons in plain sentences
subjects   what one call would tell of a notification
"""

from bridge.rehearsal.answers import Answers, AnswersError, make_answers, parse_answers
from bridge.rehearsal.play import MOST_CALLS, Scene, rehearse, scene_of
from bridge.rehearsal.subjects import subjects_of, worst_of
from bridge.rehearsal.telephone import ASSUMED, PRICE_PER_MINUTE, Manner
from bridge.rehearsal.told import Ending, Happening, Rehearsal, Told
from bridge.rehearsal.why import length

__all__ = [
    "ASSUMED",
    "MOST_CALLS",
    "PRICE_PER_MINUTE",
    "Answers",
    "AnswersError",
    "Ending",
    "Happening",
    "Manner",
    "Rehearsal",
    "Scene",
    "Told",
    "length",
    "make_answers",
    "parse_answers",
    "rehearse",
    "scene_of",
    "subjects_of",
    "worst_of",
]
