"""The server as a process: what each signal means to it."""

from __future__ import annotations

import asyncio
import logging
import signal

from bridge import __version__
from bridge.app import App, Options
from bridge.errors import CallbridgeError
from bridge.logs import fields

log = logging.getLogger(__name__)


def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads. Raises CallbridgeError where it cannot start."""
    import uvloop

    app = App(options)
    log.info("Starting callbridge", extra=fields(version=__version__))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_with_signals(app))


async def _with_signals(app: App) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop.set)
    hang_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(_reload_on(app, hang_up))
        await app.run()
        listening.cancel()


async def _reload_on(app: App, asked: asyncio.Event) -> None:
    while True:
        await asked.wait()
        # Asked while it starts: there is nothing to swap yet.
        await app.started.wait()
        asked.clear()
        try:
            await app.reload()
        except CallbridgeError:
            continue  # said by reload itself
