"""The limiter: one script for all buckets of a request, which does what the arithmetic says."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from coordinator.adapters import limiter as limiter_module
from coordinator.adapters.limiter import Bucket, By, Decision, Limiter, Where
from coordinator.adapters.scripts import Script
from coordinator.adapters.wary_redis import open_redis
from coordinator.domain.limits import Admission, Charge, Mode, Rate, RouteClass, admit

_SLOW = Rate(1, 3_600, 3)
_LONG_US = 60_000_000


@pytest.fixture
def limiter(redis: Redis) -> Limiter:
    """A limiter whose buckets no other test knows."""
    return Limiter(redis, secret=uuid4().hex)


@pytest.fixture
async def lonely(free_tcp_port: int) -> AsyncIterator[Limiter]:
    """A limiter whose Redis is away."""
    async with open_redis(f"redis://127.0.0.1:{free_tcp_port}/0") as nowhere:
        yield Limiter(nowhere, secret="s" * 32)


def _bucket(name: str, rate: Rate = _SLOW, *, cost: int = 1, mode: Mode = Mode.TAKE) -> Bucket:
    return Bucket(By.USER, RouteClass.READ, ("default", name), Charge(rate, cost, mode))


def _fits(decision: Decision) -> bool:
    return decision.admission.wait_us == 0


async def _now_us(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return seconds * 1_000_000 + microseconds


charges = st.builds(
    Charge,
    st.builds(
        Rate,
        st.integers(1, 9_999),
        st.sampled_from([1, 60, 3_600]),
        st.integers(1, 1_000_000),
    ),
    st.integers(1, 1_000),
    st.sampled_from(Mode),
)
# How far ahead of now an arrival lies, as a share of the bucket; None: nothing is known of it.
shares = st.none() | st.floats(-0.1, 1.5)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(charges, shares), min_size=1, max_size=4))
async def test_the_script_decides_as_the_arithmetic_does(
    redis: Redis, pairs: list[tuple[Charge, float | None]]
) -> None:
    """Given what was stored and Redis's time, to the microsecond."""
    script = Script(redis, "admit")
    keys = [f"{{oracle}}:{uuid4().hex}" for _ in pairs]
    now = await _now_us(redis)
    stored = [
        0 if share is None else now + int(share * charge.rate.tolerance_us)
        for charge, share in pairs
    ]
    for key, arrival in zip(keys, stored, strict=True):
        if arrival:
            await redis.set(key, arrival, ex=60)
    args = [
        word
        for charge, _share in pairs
        for word in (charge.rate.tolerance_us, charge.cost_us, charge.mode.value)
    ]

    before = await _now_us(redis)
    word, *numbers = await script(keys, args)
    after = await _now_us(redis)
    kept = [int(text or 0) for text in await redis.mget(keys)]
    lifetimes = [await redis.pttl(key) for key in keys]

    charged = [charge for charge, _share in pairs]
    told = Admission(tuple(numbers[::2]), tuple(numbers[1::2]))
    # The script's time lies between two others, and what it answers or writes tells it.
    times = {before, after}
    for arrival, charge, backlog in zip(stored, charged, told.backlogs_us, strict=True):
        times |= {arrival - backlog, arrival + charge.cost_us - backlog}
    times |= {
        arrival - backlog
        for arrival, backlog in zip(kept, told.backlogs_us, strict=True)
        if arrival
    }
    explained = [
        now for now in times if before <= now <= after and admit(stored, charged, now) == told
    ]
    assert explained, (told, admit(stored, charged, before))
    assert word == (b"refused" if told.wait_us else b"admitted")
    event(word.decode())
    for at, (charge, backlog) in enumerate(zip(charged, told.backlogs_us, strict=True)):
        if backlog < _LONG_US:
            continue  # it may have ended by itself
        is_written = not told.wait_us and charge.mode is not Mode.LOOK
        assert kept[at] in ([now + backlog for now in explained] if is_written else [stored[at]])
        if is_written:
            assert backlog // 1_000 - 30_000 < lifetimes[at] <= -(-backlog // 1_000)


async def test_what_one_bucket_refuses_is_charged_to_none(limiter: Limiter) -> None:
    """The address does not pay for what the user may not do."""
    full, other = _bucket("full"), _bucket("other")
    for _ in range(3):
        assert _fits(await limiter.admit([full]))

    refused = [await limiter.admit([other, full]) for _ in range(5)]

    assert [_fits(each) for each in refused] == [False] * 5
    assert [each.admission.backlogs_us[0] for each in refused] == [0] * 5
    assert [_fits(await limiter.admit([other])) for _ in range(4)] == [True] * 3 + [False]


async def test_requests_that_race_never_take_more_than_there_is(limiter: Limiter) -> None:
    """A hundred at once, for a bucket of three."""
    asked = await asyncio.gather(*(limiter.admit([_bucket("raced")]) for _ in range(100)))

    assert sum(map(_fits, asked)) == 3
    assert {each.where for each in asked} == {Where.REDIS}


async def test_no_time_is_taken_from_the_caller_and_no_name_is_told(
    limiter: Limiter, redis: Redis
) -> None:
    """Two like requests send the very same words, as many hours as may lie between them.

    One round trip, whatever the number of buckets; and neither user nor tenant is in it.
    """
    mark = uuid4().hex
    seen: list[str] = []

    async with redis.monitor() as monitor:
        for _ in range(2):
            await limiter.admit([_bucket(mark), _bucket("other-" + mark, cost=2)])
        await redis.echo(mark)
        while not seen or not seen[-1].startswith("ECHO"):
            command = await monitor.next_command()
            if command["client_type"] != "lua":
                seen.append(command["command"])

    ours = [line for line in seen if "{limits}" in line]
    ours = [line for line in ours if line.endswith("7200000000 take")]
    assert len(ours) == 2
    assert ours[0] == ours[1]
    assert ours[0].startswith("EVALSHA ")
    assert mark not in ours[0]
    assert "default" not in ours[0]


async def test_installations_that_share_a_redis_do_not_meet(redis: Redis) -> None:
    """Their secrets differ, so their keys do; processes of one installation share theirs."""
    secret = uuid4().hex
    one, same, other = (Limiter(redis, secret=text) for text in (secret, secret, "other" + secret))
    for _ in range(3):
        await one.admit([_bucket("alice")])

    assert not _fits(await same.admit([_bucket("alice")]))
    assert _fits(await other.admit([_bucket("alice")]))


async def test_buckets_end_by_themselves(limiter: Limiter, redis: Redis) -> None:
    """When a bucket is empty again there is nothing to remember."""
    known = set(await redis.keys("{limits}:*"))
    await limiter.admit([_bucket("brief", Rate(20, 1, 10), cost=2), _bucket("long")])

    [brief, long] = sorted(
        [await redis.pttl(key) for key in set(await redis.keys("{limits}:*")) - known]
    )
    assert 0 < brief <= 100
    assert 3_500_000 < long <= 3_600_000


async def test_a_redis_that_lost_its_scripts_is_given_them_again(
    limiter: Limiter, redis: Redis
) -> None:
    """It was restarted, or somebody flushed them."""
    await limiter.admit([_bucket("before")])

    await redis.script_flush()

    assert (await limiter.admit([_bucket("before")])).where is Where.REDIS


async def test_without_redis_each_process_limits_by_itself(lonely: Limiter) -> None:
    """At the same rates, all or nothing as well."""
    alice, bob = _bucket("alice"), _bucket("bob")

    decisions = [await lonely.admit([alice]) for _ in range(5)]
    together = await lonely.admit([bob, alice])
    bobs = [_fits(await lonely.admit([bob])) for _ in range(4)]

    assert [_fits(each) for each in decisions] == [True] * 3 + [False] * 2
    assert {each.where for each in decisions} == {Where.MEMORY}
    assert decisions[-1].admission.wait_us == pytest.approx(3_600_000_000, rel=0.01)
    assert not _fits(together)
    assert bobs == [True] * 3 + [False]


async def test_memory_is_bounded_and_forgets_who_came_longest_ago(
    lonely: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with a million addresses costs a bounded number of buckets."""
    monkeypatch.setattr(limiter_module, "_MOST_IN_MEMORY", 3)
    for name in ("alice", "bob", "carol", "alice", "dave"):
        await lonely.admit([_bucket(name, cost=2)])

    fits = [_fits(await lonely.admit([_bucket(name, cost=2)])) for name in ("alice", "bob")]

    assert fits == [False, True]
    assert len(lonely._memory._arrivals_us) == 3
