"""`callbridge simulator`: a fake telephone company on loopback. It never dials."""

from __future__ import annotations

import argparse
import asyncio
import contextlib

from bridge import logs
from bridge.app import parse_address
from bridge.cli.serving import add_logging
from bridge.cli.words import Commands, add_command
from bridge.errors import CallbridgeError
from bridge.simulator import Answer, Era, parse_answer
from bridge.simulator import run as run_simulator


def add_to(commands: Commands) -> None:
    """Add the command."""
    command = add_command(commands, "simulator", "play the telephone company: rings scripted people, never dials")
    command.add_argument("--web.listen-address", dest="listen", metavar="ADDRESS", default="127.0.0.1:10078")
    command.add_argument("--era", choices=[era.value for era in Era], default=Era.SEVEN_2024.value)
    command.add_argument("--key", default="simulator-key", help="the API key that it takes")
    command.add_argument(
        "--person",
        metavar="NUMBER=ANSWER[;ANSWER]",
        action="append",
        default=[],
        help="how a person behaves, call by call, such as '+491711234567=sleeps;answers:after=4,listens=10':"
        " ';' stands between answers (the last one repeats), ',' within one; may be repeated",
    )
    command.add_argument(
        "--sms",
        metavar="NUMBER=ANSWER[;ANSWER]",
        action="append",
        default=[],
        help="what a person does with an SMS, in the same words: '+491711234567=replies:OK' (fails, silent, refused)",
    )
    command.add_argument(
        "--hook", metavar="URL", help="where reports go, such as http://127.0.0.1:10077/webhook/sms77/TOKEN"
    )
    add_logging(command, "warn")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Until interrupted."""
    logs.set_up(arguments.level, arguments.format)
    host, port = parse_address(arguments.listen)
    people = dict(_person("--person", text) for text in arguments.person)
    readers = dict(_person("--sms", text) for text in arguments.sms)
    era = Era(arguments.era)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_simulator(host, port, era, arguments.key, people, arguments.hook, _tell, readers=readers))
    return 0


def _person(flag: str, text: str) -> tuple[str, list[Answer]]:
    number, equals, answers = text.partition("=")
    if not equals or not answers:
        raise CallbridgeError(f"{flag}={text}: write NUMBER=ANSWER, such as +491711234567=sleeps")
    return number, [parse_answer(answer) for answer in answers.split(";")]


def _tell(line: str) -> None:
    # At once: whoever rehearses watches a pipe as often as a terminal.
    print(line, flush=True)
