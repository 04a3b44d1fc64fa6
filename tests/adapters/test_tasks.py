"""A task that is told to end ends, whatever it waits with."""

import asyncio

from coordinator.adapters.tasks import end


async def test_a_cancellation_that_is_forgotten_once_comes_again() -> None:
    """As by ``asyncio.wait_for`` before Python 3.12: the loop around it would go on for ever."""
    forgotten = 0

    async def forget_once() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if forgotten:
                    raise
                forgotten += 1

    tasks = [asyncio.create_task(forget_once()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)

    async with asyncio.timeout(5.0):
        await end(tasks)

    assert forgotten == 1
    assert [task.cancelled() for task in tasks] == [True, True]


async def test_what_has_ended_by_itself_is_left_alone() -> None:
    """Its failure is still there to be read."""

    async def fail() -> None:
        raise ValueError("read me")

    task = asyncio.create_task(fail())
    await asyncio.wait({task})

    await end([task])

    assert isinstance(task.exception(), ValueError)
