"""How far ahead is hashed, and when is signed."""

from hypothesis import event, given
from hypothesis import strategies as st

from coordinator.sdk.batches import MAX_BATCH, batch_to_sign, window

GIB = 1024**3


@given(st.integers(1, 5 * GIB), st.integers(1, 64))
def test_the_window_keeps_every_sender_busy_and_the_cache_warm(
    chunk_bytes: int, concurrency: int
) -> None:
    """Never fewer than two chunks a sender; beyond that no more than 256 MiB, or 1,000 chunks."""
    chunks = window(chunk_bytes, concurrency=concurrency)

    assert chunks >= 2 * concurrency
    assert chunks == 2 * concurrency or (chunks * chunk_bytes <= GIB // 4 and chunks <= MAX_BATCH)


def test_the_first_chunk_is_signed_as_soon_as_it_is_hashed() -> None:
    """Sending begins while the second chunk is hashed."""
    assert batch_to_sign(hashed=1, waiting=0, concurrency=4, window=32, is_last=False) == 1


def test_while_senders_have_enough_a_batch_is_awaited() -> None:
    """One request a chunk would cost more than the signing."""
    assert batch_to_sign(hashed=1, waiting=10, concurrency=4, window=32, is_last=False) == 0
    assert batch_to_sign(hashed=8, waiting=10, concurrency=4, window=32, is_last=False) == 8


@given(st.integers(1, 2_000), st.integers(1, 16), st.integers(32, 1_000))
def test_every_chunk_is_signed_once_and_senders_never_starve(
    total: int, concurrency: int, window: int
) -> None:
    """A simulated upload ends, whatever its size, and with few requests when it is long."""
    to_hash, hashed, waiting, signed, requests = total, 0, 0, 0, 0
    while signed < total:
        step = min(to_hash, max(0, window - hashed - waiting), 2)
        to_hash, hashed = to_hash - step, hashed + step
        count = batch_to_sign(
            hashed=hashed,
            waiting=waiting,
            concurrency=concurrency,
            window=window,
            is_last=not to_hash,
        )
        assert count <= min(hashed, MAX_BATCH)
        hashed, waiting, signed = hashed - count, waiting + count, signed + count
        requests += bool(count)
        waiting = max(0, waiting - 1)

    event("many requests" if requests > 50 else "few requests")
    assert signed == total
    assert requests <= 2 * concurrency + 10 + total / (window // 4)
