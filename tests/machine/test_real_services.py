"""Any history of many uploads on real servers: crashes, lost Redis, wrong clocks, many clients.

What a client was told once must hold for ever, COMPLETED means the bytes, and in the end nothing is
under way and nothing that could be completed is lost. ``EXAMPLES=100`` runs more histories, and
others each time.
"""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from coordinator.domain.phases import Phase
from coordinator.settings import Settings
from tests.builders import SMALLEST, cut, rows, some_bytes, tree
from tests.conftest import MakeKey
from tests.machine.fleet import DiedError, Fleet
from tests.operations.limiting import miscounted

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)

_EXAMPLES: Final = int(os.environ.get("EXAMPLES", "12"))
_FILES: Final = (b"a", b"the one chunk", some_bytes(SMALLEST + 7))
_DEATHS: Final = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 6])
_FINAL: Final = frozenset({Phase.COMPLETED, Phase.FAILED})


class _Known(msgspec.Struct):
    """What the clients of one upload know, and what they were told."""

    body: bytes
    chunks: list[bytes]
    can_complete: bool  # what was declared is true
    told: Phase | None = None
    last: Phase = Phase.INIT
    is_over_time: bool = False
    was_aborted: bool = False  # somebody asked for it


class _Machine(RuleBasedStateMachine):
    """Clients, workers and bad luck, one step each at a time."""

    fleet: Fleet
    uploads: Bundle[str] = Bundle("uploads")

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, _Known] = {}

    @rule(
        target=uploads,
        body=st.sampled_from(_FILES),
        declared=st.sampled_from(["nothing", "tree", "sha256", "wrong tree", "wrong sha256"]),
        automatic=st.booleans(),
    )
    def open(self, body: bytes, declared: str, *, automatic: bool) -> str:
        """Open an upload; the machine has the patience to have the clock set right for it."""
        self.fleet.hours = 0
        chunks = cut(body, SMALLEST)
        fields: dict[str, Any] = {"autoComplete": automatic}
        truth = [b"?"] * len(chunks) if declared.startswith("wrong") else chunks
        if "tree" in declared:
            fields["checksum"] = tree(truth)
        if "sha256" in declared:
            fields["checksum"] = f"sha256:{hashlib.sha256(b''.join(truth)).hexdigest()}"
        request = {"fileName": "f", "fileSize": len(body), "fileType": "", "chunkSize": SMALLEST}
        wish = {**request, **fields}
        answer = self.fleet.run(self.fleet.post("/api/upload/init", wish))
        if answer.status_code == 503 and self.fleet.deaths:
            # Whoever died may have been ending the same file's last upload, and has its lease.
            self.fleet.run(self.fleet.lapse())
            answer = self.fleet.run(self.fleet.post("/api/upload/init", wish))
        assert answer.status_code in {200, 201}, answer.text
        upload_id: str = answer.json()["uploadId"]
        is_true = not declared.startswith("wrong")
        self.known.setdefault(upload_id, _Known(body, chunks, is_true))
        return upload_id

    @rule(upload=uploads, indexes=st.sets(st.integers(0, 1), min_size=1), dies=_DEATHS)
    def send(self, upload: str, indexes: set[int], dies: int) -> None:
        """Send chunks, once more if they were sent before."""
        chunks = dict(enumerate(self.known[upload].chunks))
        wanted = {index: chunks[index] for index in indexes if index in chunks}
        if wanted:
            self._expect(self.fleet.act(self.fleet.send(upload, wanted), dies))

    @rule(upload=uploads, index=st.integers(0, 1), dies=_DEATHS)
    def report(self, upload: str, index: int, dies: int) -> None:
        """Report a chunk, sent or not."""
        if index < len(self.known[upload].chunks):
            body = {"uploadId": upload, "chunkIndex": index}
            self._expect(self.fleet.act(self.fleet.post("/api/upload/chunk", body), dies))

    @rule(upload=uploads, times=st.integers(1, 3), sent=st.booleans(), dies=_DEATHS)
    def complete(self, upload: str, times: int, dies: int, *, sent: bool) -> None:
        """Ask for completion, several clients at once, mostly with everything sent."""
        if sent:
            self.fleet.run(self.fleet.send(upload, dict(enumerate(self.known[upload].chunks))))

        async def ask() -> list[Any]:
            body = {"uploadId": upload}
            asked = [self.fleet.post("/api/upload/complete", body) for _ in range(times)]
            return await asyncio.gather(*asked)

        for answer in self.fleet.act(ask(), dies) or []:
            self._expect(answer)
            if answer.status_code == 200:
                self._tell(upload, Phase.COMPLETED)

    @rule(upload=uploads, dies=_DEATHS)
    def abort(self, upload: str, dies: int) -> None:
        """Give it up."""
        self.known[upload].was_aborted = True
        answer = self.fleet.act(self.fleet.client.delete(f"/api/uploads/{upload}"), dies)
        self._expect(answer)
        if answer is not None and answer.status_code == 204:
            self._tell(upload, Phase.FAILED)

    @rule(dies=_DEATHS)
    def work(self, dies: int) -> None:
        """A worker goes round, after what died has lost its lease."""
        self.fleet.run(self.fleet.lapse())

        async def go_round() -> Sequence[BaseException | None]:
            return await asyncio.gather(self.fleet.work(), return_exceptions=True)

        for outcome in self.fleet.act(go_round(), dies) or []:
            if outcome is not None and not isinstance(outcome, DiedError):
                assert self.fleet.hours, f"a round failed, and the clock was right: {outcome!r}"

    @rule()
    def lose_redis(self) -> None:
        """FLUSHDB."""
        self.fleet.run(self.fleet.forget())

    @rule(hours=st.sampled_from([0, 0, 2, -2]))
    def set_clock(self, hours: int) -> None:
        """Set the host's clock, right or wrong."""
        self.fleet.hours = hours

    @rule(upload=uploads)
    def end_session(self, upload: str) -> None:
        """The deadline passes."""
        self.known[upload].is_over_time = True
        self.fleet.run(self.fleet.end_session(upload))

    @invariant()
    def holds_what_was_told(self) -> None:
        """Final phases are final, and what a client heard is so."""
        for upload_id, known in self.known.items():
            row = self.fleet.run(self.fleet.row(upload_id))
            if known.last in _FINAL:
                assert row.phase is known.last
            if row.phase is Phase.COMPLETED and known.last is not Phase.COMPLETED:
                assert known.can_complete, "a lie was believed"
                assert self.fleet.run(self.fleet.read(row)) == known.body
            known.last = row.phase
            assert known.told in {None, row.phase}

    @invariant()
    def counts_what_is_there(self) -> None:
        """What a tenant uses is what its uploads are, however they came to their ends."""
        assert self.fleet.run(miscounted(self.fleet.stores)) == []

    @override
    def teardown(self) -> None:
        """Let everything come to rest, as patient clients would, and count."""
        fleet = self.fleet
        fleet.hours = 0
        for upload_id, known in self.known.items():
            fleet.run(fleet.settle())
            row = fleet.run(fleet.row(upload_id))
            if row.phase not in _FINAL and not known.is_over_time and known.can_complete:
                fleet.run(self._finish(upload_id, known))
        fleet.run(fleet.settle())
        fleet.run(fleet.sweep())
        self.holds_what_was_told()
        for upload_id, known in self.known.items():
            fleet.run(self._count(upload_id, known))

    async def _finish(self, upload_id: str, known: _Known) -> None:
        """Send all again and complete; asked for chunks once more, do so once more."""
        for _ in range(3):
            await self.fleet.send(upload_id, dict(enumerate(known.chunks)))
            answer = await self.fleet.post("/api/upload/complete", {"uploadId": upload_id})
            if answer.status_code != 409:
                break
        assert answer.status_code in {200, 202}, answer.text

    async def _count(self, upload_id: str, known: _Known) -> None:
        row = await self.fleet.row(upload_id)
        jobs = await rows(
            self.fleet.stores.pool, "SELECT id FROM jobs WHERE upload_id = %s", [row.id]
        )
        facts = await self.fleet.stores.bucket.facts(row.object_key)
        is_done = row.phase is Phase.COMPLETED
        assert (len(jobs), facts is not None) == (int(is_done), is_done)
        if not is_done and known.can_complete:
            assert known.was_aborted or known.is_over_time, "lost, and nobody gave it up"

    def _expect(self, answer: Any) -> None:
        """No step may break the service; a wrong clock and dying are no faults of ours."""
        if answer is not None and answer.status_code >= 500:
            assert self.fleet.hours, answer.text

    def _tell(self, upload_id: str, phase: Phase) -> None:
        known = self.known[upload_id]
        assert known.told in {None, phase}, "told otherwise before"
        known.told = phase


@pytest.fixture
async def key(make_key: MakeKey) -> str:
    """The clients' key."""
    return await make_key()


@pytest.fixture
def fleet(settings: Settings, key: str) -> Iterator[Fleet]:
    """The running service."""
    opened = Fleet(settings, key)
    yield opened
    opened.close()


@pytest.mark.usefixtures("anyio_backend")  # the database is made by async fixtures
def test_nothing_lies_and_nothing_is_lost(fleet: Fleet) -> None:
    """Whatever happens, in any order."""
    machine = type("Machine", (_Machine,), {"fleet": fleet})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=30,
            derandomize="EXAMPLES" not in os.environ,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert sum(fleet.deaths.values()) >= _EXAMPLES // 4, f"few died: {dict(fleet.deaths)}"
