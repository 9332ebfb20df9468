"""The clocks: what wakes whom, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import TypeVarTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.clock import LONGEST_NAP, Clock, FastClock, ManualClock, SystemClock, wait_any

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Arguments = TypeVarTuple("Arguments")
SOON = 5.0  # real seconds within which everything here must have happened
CLOCKS = [
    pytest.param(SystemClock, id="system"),
    pytest.param(lambda: ManualClock(NOON), id="manual"),
    pytest.param(lambda: FastClock(NOON, 60), id="fast"),
]


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(clock: Clock, until: datetime | None, *wakers: asyncio.Event) -> asyncio.Task[None]:
    task = asyncio.create_task(clock.wait(until, *wakers))
    await settle()
    return task


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("make", CLOCKS)
async def test_now_is_aware_and_in_utc(make: Callable[[], Clock]) -> None:
    """Every clock tells aware times in UTC."""
    assert make().now().utcoffset() == timedelta(0)


async def test_system_clock_goes_forward() -> None:
    """The system's clock moves by itself."""
    clock = SystemClock()
    before = clock.now()
    await asyncio.sleep(0.01)
    assert clock.now() > before


@pytest.mark.parametrize("make", CLOCKS)
@pytest.mark.parametrize("late", [timedelta(0), timedelta(days=400)])
async def test_what_is_due_is_not_waited_for(make: Callable[[], Clock], late: timedelta) -> None:
    """A time that has come, however long ago, is not waited for."""
    clock = make()
    await asyncio.wait_for(clock.wait(clock.now() - late), SOON)


@pytest.mark.parametrize("make", CLOCKS)
async def test_a_waker_that_is_set_already_returns_at_once(make: Callable[[], Clock]) -> None:
    """A waker that was set before the wait began is not missed."""
    clock, idle, waker = make(), asyncio.Event(), asyncio.Event()
    waker.set()
    await asyncio.wait_for(clock.wait(clock.now() + timedelta(days=1), idle, waker), 1)
    await asyncio.wait_for(clock.wait(None, idle, waker), 1)


@pytest.mark.parametrize("make", CLOCKS)
@pytest.mark.parametrize("which", [0, 1])
async def test_any_waker_wakes(make: Callable[[], Clock], which: int) -> None:
    """Each of several wakers ends the wait, long before its time."""
    clock, wakers = make(), (asyncio.Event(), asyncio.Event())
    task = await waiting(clock, None, *wakers)
    assert not task.done()
    wakers[which].set()
    await asyncio.wait_for(task, 1)


async def test_system_clock_wakes_at_its_time() -> None:
    """The wait of the system's clock lasts until its time, and not much longer."""
    clock = SystemClock()
    until = clock.now() + timedelta(seconds=0.05)
    await asyncio.wait_for(clock.wait(until, asyncio.Event()), SOON)
    assert until - timedelta(milliseconds=5) <= clock.now() < until + timedelta(seconds=SOON)


class NotingLoop(asyncio.SelectorEventLoop):
    """A loop that notes for how long it is asked to sleep, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.naps: list[float] = []

    def call_later(
        self, delay: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self.naps.append(round(delay, 3))
        return super().call_later(delay, callback, *args, context=context)


@pytest.mark.parametrize("ahead", [None, timedelta(days=365), LONGEST_NAP + MINUTE])
def test_no_nap_is_long(ahead: timedelta | None) -> None:
    """A wait for a far time (or for none) naps for LONGEST_NAP at most, since the clock may be stepped meanwhile."""

    async def story() -> None:
        clock = SystemClock()
        await stop(await waiting(clock, None if ahead is None else clock.now() + ahead, asyncio.Event()))

    loop = NotingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story())
    assert loop.naps == [LONGEST_NAP.total_seconds()]


class Watch:
    """A wall clock and a steady one that go on together, until the wall clock is set."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady = 100.0

    def passes(self, length: timedelta) -> None:
        self.wall += length
        self.steady += length.total_seconds()

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.wall, lambda: self.steady)


def test_a_clock_set_back_makes_no_wait_much_longer(caplog: pytest.LogCaptureFixture) -> None:
    """An hour back is told once and not followed: time goes on a tenth more slowly until both agree."""
    watch = Watch()
    clock = watch.clock()
    watch.passes(MINUTE)
    assert clock.now() == NOON + MINUTE
    watch.wall -= 60 * MINUTE
    assert clock.now() == NOON + MINUTE
    for _ in range(100):
        watch.passes(timedelta(seconds=6))
        clock.now()
    assert clock.now() == NOON + MINUTE + 9 * MINUTE
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    for _ in range(20):
        watch.passes(30 * MINUTE)
        clock.now()
    assert clock.now() == watch.wall


@pytest.mark.parametrize("step", [timedelta(seconds=-0.5), timedelta(seconds=20), timedelta(days=3)])
def test_a_clock_that_is_corrected_or_set_forward_is_followed(step: timedelta) -> None:
    """A small correction, a step forward and a machine that slept are taken at once."""
    watch = Watch()
    clock = watch.clock()
    watch.passes(MINUTE)
    clock.now()
    watch.wall += step
    assert clock.now() == watch.wall


async def test_manual_clock_stands_still_until_it_is_moved() -> None:
    """Nobody wakes before the clock was advanced far enough, and everybody whose time has come then does."""
    clock = ManualClock(NOON)
    first = await waiting(clock, NOON + MINUTE)
    second = await waiting(clock, NOON + 2 * MINUTE)
    never = await waiting(clock, None)
    assert not first.done()
    clock.advance(MINUTE - timedelta(microseconds=1))
    await settle()
    assert not first.done()
    clock.advance(timedelta(microseconds=1))
    await settle()
    assert first.done()
    assert not second.done()
    clock.advance(MINUTE)
    await settle()
    assert second.done()
    clock.advance(timedelta(days=9999))
    await settle()
    assert not never.done()
    await stop(never)


async def test_manual_clock_adds_up() -> None:
    """Two advances without a pause between them are both seen."""
    clock = ManualClock(NOON)
    task = await waiting(clock, NOON + 2 * MINUTE)
    clock.advance(MINUTE)
    clock.advance(MINUTE)
    await asyncio.wait_for(task, 1)
    assert clock.now() == NOON + 2 * MINUTE


async def test_a_waker_set_while_the_clock_moves_is_seen() -> None:
    """A waker ends the wait also when the clock moved, but not far enough, in the same moment."""
    clock, waker = ManualClock(NOON), asyncio.Event()
    task = await waiting(clock, NOON + 9 * MINUTE, waker)
    clock.advance(MINUTE)
    waker.set()
    await asyncio.wait_for(task, 1)


async def test_manual_clock_knows_who_waits() -> None:
    """It tells the first time that somebody waits for, and which tasks neither the time nor an event has woken yet."""
    clock, waker = ManualClock(NOON), asyncio.Event()
    assert (clock.next_deadline(), clock.parked()) == (None, set())
    endless = await waiting(clock, None, waker)
    assert clock.next_deadline() is None
    late = await waiting(clock, NOON + 2 * MINUTE)
    soon = await waiting(clock, NOON + MINUTE)
    assert (clock.next_deadline(), clock.parked()) == (NOON + MINUTE, {endless, late, soon})
    clock.advance(MINUTE)
    assert clock.parked() == {endless, late}
    waker.set()
    assert clock.parked() == {late}
    await settle()
    assert (clock.next_deadline(), clock.parked()) == (NOON + 2 * MINUTE, {late})
    await stop(late)
    assert (clock.next_deadline(), clock.parked()) == (None, set())


@pytest.mark.parametrize("rate", [1, 60, 3600])
async def test_fast_clock_runs_at_its_rate(rate: float) -> None:
    """The fast clock starts where it is told to, and between two readings goes on `rate` times as far as real time."""
    loop = asyncio.get_running_loop()
    earliest = loop.time()
    clock = FastClock(NOON, rate)
    latest = loop.time()
    await asyncio.sleep(0.02)
    least, now = loop.time() - latest, clock.now()
    most = loop.time() - earliest
    slack = timedelta(milliseconds=1) * rate
    assert NOON + timedelta(seconds=least) * rate - slack <= now <= NOON + timedelta(seconds=most) * rate + slack


async def test_fast_clock_wakes_at_its_time() -> None:
    """A wait on the fast clock lasts until its own time has come, which is soon."""
    clock = FastClock(NOON, 3600)
    await asyncio.wait_for(clock.wait(NOON + 2 * MINUTE, asyncio.Event()), SOON)
    assert clock.now() >= NOON + 2 * MINUTE - timedelta(seconds=3600 * 0.005)


@settings(deadline=None)
@given(steps=st.lists(st.integers(0, 600), max_size=12), target=st.integers(-5, 900))
def test_manual_clock_wakes_exactly_then(steps: list[int], target: int) -> None:
    """A wait on the manual clock is over if, and only if, the sum of the advances has reached its time."""

    async def story() -> None:
        clock, gone = ManualClock(NOON), 0
        task = await waiting(clock, NOON + timedelta(seconds=target))
        assert task.done() is (gone >= target)
        for step in steps:
            clock.advance(timedelta(seconds=step))
            gone += step
            await settle()
            assert task.done() is (gone >= target)
        await stop(task)

    asyncio.run(story())


@pytest.mark.parametrize("events", [0, 1, 3])
async def test_wait_any_ends_with_its_seconds(events: int) -> None:
    """With nobody to set an event, the wait is over after its seconds; also where there is no event at all."""
    loop = asyncio.get_running_loop()
    before = loop.time()
    await asyncio.wait_for(wait_any(0.02, *(asyncio.Event() for _ in range(events))), SOON)
    assert loop.time() - before >= 0.015


@pytest.mark.parametrize("events", [0, 1])
async def test_wait_any_without_seconds_never_ends_by_itself(events: int) -> None:
    """None waits without end, even for nothing at all: to come back at once would spin."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait_any(None, *(asyncio.Event() for _ in range(events))), 0.03)


@pytest.mark.parametrize("cancel", [False, True])
async def test_no_task_is_left_behind(cancel: bool) -> None:
    """However the wait ends, the tasks that it needed are gone afterwards."""
    before = asyncio.all_tasks()
    waker = asyncio.Event()
    task = asyncio.create_task(wait_any(None, waker, asyncio.Event(), asyncio.Event()))
    await settle()
    assert len(asyncio.all_tasks() - before) == 4
    if cancel:
        task.cancel()
    waker.set()
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    assert asyncio.all_tasks() == before
