"""sachet's config.yaml: providers, and receivers that Alertmanager names. Source: cmd/sachet/config.go, 0.3.2.

A receiver becomes a policy that calls all its numbers side by side, or sends each an SMS, which is what sachet does
with them. Which alerts go to it is no part of that file: it stands in Alertmanager's routing tree.
"""

from __future__ import annotations

from bridge.config.numbers import masked, read_number
from bridge.config.scalars import shown
from bridge.config.spot import Spot
from bridge.config.tree import dotted
from bridge.errors import ConfigError, Fault
from bridge.importing.draft import Draft, Person, Policy, Route, Step, read, text_at
from bridge.importing.names import key_of, printable

OURS = "sms77"
# Those whose recipients are no telephone numbers.
NO_PHONES = {"telegram", "mailruim", "pushbullet"}
VOICE = "voice"


def from_sachet(text: str, file: str) -> Draft:
    """The draft of sachet's config in `text`. Raises ConfigError where it is none."""
    root = read(text, file, "sachet's config.yaml")
    if root.at("receivers") is None:
        raise ConfigError(
            [Fault(file, root.line, root.column, "receivers", "there are none; name sachet's config.yaml")]
        )
    draft = Draft(file, "sachet")
    _providers(root, draft)
    known: dict[str, str] = {}
    for spot in root.each("receivers"):
        _receiver(spot, draft, known)
    _rest(root, draft)
    return draft


def _providers(root: Spot, draft: Draft) -> None:
    providers = root.at("providers")
    for name, spot in providers.entries() if providers else ():
        if name != OURS:
            draft.lost(spot, "callbridge calls through sms77/seven only; leave it out")
            continue
        if spot.at("api_key"):
            draft.lost(spot, "the API key is not copied; put it into secrets/api_key")
        if text_at(spot, "debug") == "true":
            draft.lost(spot, "debug is not set; gateway.debug: true would call nobody")


def _receiver(spot: Spot, draft: Draft, known: dict[str, str]) -> None:
    """`known`: the people so far, by number."""
    name, provider = text_at(spot, "name") or "receiver", text_at(spot, "provider").lower()
    if provider in NO_PHONES:
        draft.lost(spot, f"{provider} has no telephone numbers; keep another receiver for it in Alertmanager")
        return
    found = [key for one in spot.each("to") if (key := _person(one, name, draft, known))]
    people = tuple(dict.fromkeys(found))
    if not people:
        draft.lost(spot, "has no number that can be called, and so no policy; add people and a policy by hand")
        return
    key = key_of(name, draft.policies, "policy")
    draft.policies[key] = Policy((Step(call=people) if text_at(spot, "type") == VOICE else Step(sms=people),))
    if draft.root:
        draft.routes.append(Route(key, was=f"what Alertmanager's own routes send to the receiver {shown(name)}"))
    draft.root = draft.root or key
    _manner(spot, provider, draft)


def _person(spot: Spot, receiver: str, draft: Draft, known: dict[str, str]) -> str:
    """The key of the person at that number; "" where it is none."""
    try:
        number = read_number(_international(spot.text or ""), "")
    except ValueError as error:
        draft.lost(spot, f"{error}; nobody is called for it")
        return ""
    if number not in known:
        known[number] = key_of(f"{receiver}-{len(known) + 1}", draft.people, "person")
        draft.people[known[number]] = Person(name=f"{printable(receiver)} {len(known)}", phone=number)
        draft.lost(spot, f"{masked(number)} has no name there; give {known[number]} one, it is spoken")
    return known[number]


def _international(text: str) -> str:
    """The gateway's own ways of writing a number: 0049…, 49…; one of a country (0171…) has none to go by."""
    digits = text.strip()
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    return f"+{digits}" if digits[:1].isdecimal() and not digits.startswith("0") else digits


def _manner(spot: Spot, provider: str, draft: Draft) -> None:
    """What sachet said and how, as far as it is not how callbridge does it."""
    if provider != OURS:
        draft.lost(spot, f"was told through {shown(provider)}; callbridge tells through sms77/seven")
    if sender := spot.at("from"):
        _sender(sender, draft)
    if text := spot.at("text"):
        draft.lost(text, "Go's templates are not read; write templates/call.txt.j2, see docs/templates.md")


def _sender(spot: Spot, draft: Draft) -> None:
    try:
        number = read_number(_international(spot.text or ""), "")
    except ValueError:
        draft.lost(spot, "is no number that a phone can show; set gateway.from to one that the account may use")
        return
    if draft.sender not in ("", number):
        draft.lost(spot, f"callbridge shows one number, and that is {masked(draft.sender)}; set gateway.from")
    draft.sender = draft.sender or number


def _rest(root: Spot, draft: Draft) -> None:
    templates = root.at("templates")
    if templates is not None:
        draft.lost(templates, "Go's templates are not read; write templates/call.txt.j2, see docs/templates.md")
    for key, spot in root.entries():
        if key not in ("providers", "receivers", "templates"):
            draft.lost(spot, f"{dotted('', key)} means nothing to sachet either")
    if not draft.policies:
        draft.policies["nobody"] = Policy(())
        draft.root = "nobody"
