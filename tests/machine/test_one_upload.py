"""Any history of one upload: many clients, crashes, lost answers, takeovers, in any order.

What must hold always is in the invariants; ``history.notes`` become events, so that
``--hypothesis-show-statistics`` shows which situations a run has met.
"""

import hashlib
from typing import Final

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from typing_extensions import override

import manifests
from coordinator.domain.checksums import Declared
from coordinator.domain.errors import CoordinatorError
from coordinator.domain.phases import Intent, Phase, Reason
from coordinator.domain.plan import Plan
from tests.domain.builders import DEADLINE_S
from tests.machine.history import LEASE_S, Attempt, History, Step
from tests.machine.store import Store

LETTERS: Final = "ab"  # a file, and what it is after a change
STEPS: Final = st.sampled_from([4, 4, 2, 1, 0])  # how far an attempt gets at once
PLANS: Final = (Plan(5, 10), Plan(25, 10))


def chunks_of(plan: Plan, letter: str) -> list[bytes]:
    """Cut a file that is all one letter."""
    return [letter.encode() * plan.length_of(index) for index in range(plan.chunk_count)]


def sum_of(data: bytes) -> bytes:
    """Hash."""
    return hashlib.sha256(data).digest()


def declared_of(plan: Plan, form: str) -> Declared:
    """Declare nothing, or the sums of a file of one letter: ``"tree a"``, ``"sha256 b"``."""
    kind, _, letter = form.partition(" ")
    chunks = chunks_of(plan, letter)
    match kind:
        case "tree":
            return Declared(root=manifests.root(b"".join(map(sum_of, chunks))))
        case "sha256":
            return Declared(sha256=sum_of(b"".join(chunks)))
        case _:
            return Declared()


class OneUpload(RuleBasedStateMachine):
    """Clients, the worker and bad luck, one step each at a time."""

    @initialize(
        is_strict=st.booleans(),
        plan=st.sampled_from(PLANS),
        is_sent=st.sampled_from([True, True, False]),
    )
    def opened(self, *, is_strict: bool, plan: Plan, is_sent: bool) -> None:
        """Start, mostly with the whole file sent: the interesting part comes then."""
        self.store = Store(is_strict=is_strict)
        self.history = History(self.store, size_bytes=plan.size_bytes, chunk_bytes=plan.chunk_bytes)
        self.urls: list[tuple[str, int, str]] = []
        self.final: Phase | None = None
        if is_sent:
            self.send_the_file("a")

    @property
    def plan(self) -> Plan:
        """How the file is cut."""
        return self.history.row.plan

    def sign(self, index: int, letter: str) -> bool:
        """Get a URL for a chunk of the file of this letter."""
        digest = sum_of(chunks_of(self.plan, letter)[index])
        row, before = self.history.read(), dict(self.history.digests)
        may_sign = row.phase in {Phase.INIT, Phase.UPLOADING} and row.as_of < row.deadline
        try:
            multipart_id = self.history.sign(index, digest)
        except CoordinatorError:
            assert not may_sign
            return False
        except ValueError:
            assert before[index] != digest
            return False
        assert may_sign
        self.urls.append((multipart_id, index, letter))
        return True

    @rule(index=st.integers(0, 2), letter=st.sampled_from("aaab"))
    def sign_a_chunk(self, index: int, letter: str) -> None:
        """The first digest is final, whoever signs."""
        self.sign(index % self.plan.chunk_count, letter)

    @precondition(lambda self: self.urls)
    @rule(data=st.data(), letter=st.sampled_from("aaab"))
    def put_a_part(self, data: st.DataObject, letter: str) -> None:
        """URLs stay good: bytes are sent again, late, or other ones than were signed."""
        multipart_id, index, signed = data.draw(st.sampled_from(self.urls))
        chunk, right = (chunks_of(self.plan, each)[index] for each in (letter, signed))
        if not self.store.put(multipart_id, index, chunk, signed=sum_of(right)):
            self.history.notes.add("part refused")

    @rule(letter=st.sampled_from("aaab"))
    def send_the_file(self, letter: str) -> None:
        """A client that does all it should."""
        for index, chunk in enumerate(chunks_of(self.plan, letter)):
            if self.sign(index, letter):
                self.store.put(self.urls[-1][0], index, chunk, signed=sum_of(chunk))

    @rule(
        intent=st.sampled_from([Intent.COMPLETE] * 5 + [Intent.ABORT, Intent.EXPIRE]),
        form=st.sampled_from(["", "", "tree a", "tree b", "sha256 a", "sha256 a", "sha256 b"]),
        steps=STEPS,
    )
    def ask_for_an_end(self, intent: Intent, form: str, steps: int) -> None:
        """A client completes or aborts, the worker expires; it gets some steps far."""
        row = self.history.read()
        if intent is Intent.EXPIRE and row.as_of < row.deadline:
            return
        declared = declared_of(self.plan, form if intent is Intent.COMPLETE else "")
        try:
            attempt = self.history.seal(intent, declared)
        except CoordinatorError as refusal:
            self.history.notes.add(f"{intent.value} refused: {refusal.code}")
            return
        if not isinstance(attempt, Attempt):
            self.history.notes.add(type(attempt).__name__)
            return
        assert not row.is_leased, "two live leases"
        assert not row.awaits_hashing, "hashing is the worker's"
        self.go_on(attempt, steps)

    @rule(steps=STEPS)
    def look_for_abandoned_ones(self, steps: int) -> None:
        """The worker's reconciler, and its queue of objects to hash."""
        row = self.history.read()
        attempt = self.history.take_for_hashing()
        assert attempt is None or not row.is_leased, "two live leases"
        if attempt is None and row.phase is Phase.ASSEMBLING and not row.is_leased:
            decision = self.history.seal(Intent.COMPLETE, Declared())
            attempt = decision if isinstance(decision, Attempt) else None
        if attempt is not None:
            self.go_on(attempt, steps)

    def go_on(self, attempt: Attempt, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            if attempt.step in {Step.AWAIT, Step.OVER}:
                return
            self.history.advance(attempt)

    @precondition(lambda self: any(each.step is not Step.AWAIT for each in self.history.attempts))
    @rule(data=st.data(), steps=st.integers(1, 4))
    def an_attempt_goes_on(self, data: st.DataObject, steps: int) -> None:
        """Also one that was paused and has long lost its lease."""
        ready = [each for each in self.history.attempts if each.step is not Step.AWAIT]
        self.go_on(data.draw(st.sampled_from(ready)), steps)

    @precondition(lambda self: self.history.attempts)
    @rule(data=st.data())
    def an_attempt_crashes(self, data: st.DataObject) -> None:
        """Its process is killed, or a deadline of ours passes while S3 still works."""
        self.history.crash(data.draw(st.sampled_from(self.history.attempts)))

    @precondition(lambda self: any(each.step is Step.AWAIT for each in self.history.attempts))
    @rule(
        data=st.data(),
        reaches_s3=st.sampled_from([True, True, True, False]),
        is_heard=st.booleans(),
        steps=st.integers(0, 2),
    )
    def s3_answers(
        self, *, data: st.DataObject, reaches_s3: bool, is_heard: bool, steps: int
    ) -> None:
        """Or it does not."""
        waiting = [each for each in self.history.attempts if each.step is Step.AWAIT]
        attempt = data.draw(st.sampled_from(waiting))
        self.history.answer(attempt, reaches_s3=reaches_s3, is_heard=is_heard)
        self.go_on(attempt, steps)

    @rule(
        seconds=st.sampled_from([1, 5, 5, LEASE_S, LEASE_S, LEASE_S + 1, LEASE_S + 1, DEADLINE_S])
    )
    def time_passes(self, seconds: int) -> None:
        """Leases end, deadlines pass."""
        self.history.clock += seconds

    @rule(really=st.sampled_from([False, False, False, True]))
    def the_bucket_drops_the_multipart(self, *, really: bool) -> None:
        """Its rule for abandoned multiparts, or an operator, takes away what was sent."""
        if really:
            self.store.drop(self.history.row.multipart_id)

    @invariant()
    def a_final_phase_is_final(self) -> None:
        """COMPLETED and FAILED are never left, nor swapped."""
        phase = self.history.row.phase
        assert self.final in {None, phase}
        self.final = None if self.history.row.is_open else phase

    @invariant()
    def at_most_one_request_can_change_the_object(self) -> None:
        """Two completes at once corrupt an object on LocalStack; one lease, one request."""
        assert len(self.history.in_flight()) <= 1

    @invariant()
    def completed_means_that_the_object_is_what_was_signed_and_declared(self) -> None:
        """Every declaration that the row holds is proven, whoever made it and when."""
        row, found = self.history.row, self.store.object
        if row.phase is not Phase.COMPLETED:
            return
        assert found is not None
        signed = [self.history.digests[index] for index in range(self.plan.chunk_count)]
        assert [sum_of(chunk) for chunk in found.chunks] == signed
        assert row.declared_root in {None, found.root}
        assert row.declared_sha256 in {None, found.sha256}

    @invariant()
    def an_object_of_ours_is_never_given_up_but_for_a_wrong_sha256(self) -> None:
        """Abort and expiry prove first."""
        row = self.history.row
        if row.phase is Phase.FAILED and self.store.commits:
            assert row.reason == Reason.CHECKSUM_MISMATCH
            assert self.store.object is None

    @invariant()
    def there_is_one_object_at_most_in_a_life(self) -> None:
        """Nothing is assembled twice."""
        assert self.store.commits <= 1

    @invariant()
    def only_assembling_has_a_lease_and_an_intent(self) -> None:
        """The CHECK constraints of the table say the same."""
        row = self.history.row
        if row.phase is not Phase.ASSEMBLING:
            assert (row.lease_until, row.intent) == (None, None)

    @override
    def teardown(self) -> None:
        """Bring it to an end: from anywhere, quiet clients and a worker suffice."""
        if not hasattr(self, "history"):
            return
        for note in sorted(self.history.notes):
            event(note)
        event(f"was {self.history.row.phase}")
        self.history.clock += DEADLINE_S + LEASE_S
        self.settle()
        event(f"ended {self.history.row.phase} {self.history.row.reason or ''}")
        assert not self.history.row.is_open
        self.completed_means_that_the_object_is_what_was_signed_and_declared()
        self.an_object_of_ours_is_never_given_up_but_for_a_wrong_sha256()

    def settle(self) -> None:
        """Expire it, and let every attempt finish."""
        for _ in range(6):
            if not self.history.row.is_open:
                return
            self.history.clock += LEASE_S
            self.look_for_abandoned_ones(steps=4)
            if self.history.row.phase in {Phase.INIT, Phase.UPLOADING}:
                self.ask_for_an_end(Intent.EXPIRE, "", steps=4)
            for each in [*self.history.attempts]:
                if each.step is Step.AWAIT:
                    self.history.answer(each, reaches_s3=True, is_heard=True)
                    self.go_on(each, 4)


TestOneUpload = OneUpload.TestCase
TestOneUpload.settings = settings(deadline=None, max_examples=250, stateful_step_count=40)
