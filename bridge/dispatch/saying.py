"""What was decided, as the log has it: by the journal's words."""

from __future__ import annotations

import logging

from bridge.dispatch.ledger import Effects
from bridge.logs import fields

log = logging.getLogger("bridge.dispatch")

SAID_AT_ONCE = 20


def tell(effects: Effects) -> None:
    """What happened, in the log, by the journal's words; of a storm only the beginning and how much it was."""
    for call in effects.ended:
        outcome = "" if call.outcome is None else call.outcome.value
        about = fields(call=call.id, gateway_id=call.gateway_id, person=call.person, duration=call.duration)
        log.info("call ended: %s", outcome, extra=about)
    for person, why in effects.held:
        log.warning("held back", extra=fields(person=person, note=why))
    for incident, line, note in effects.told[:SAID_AT_ONCE]:
        about = fields(
            incident=incident.id,
            policy=incident.policy.name,
            state=incident.state.value,
            who=line.who or None,
            round=line.round,
            step=line.step + 1,
            note=note or None,
        )
        log.info(line.verdict.value, extra=about)
    if len(effects.told) > SAID_AT_ONCE:
        log.info("and many more decisions at once", extra=fields(decisions=len(effects.told)))
