"""A Hypothesis state machine against a model of a few lines: bars R1, R2, R9 and R10.

The model knows three things of each person: whether the network took a text to them, which fate its first stored
receipt told, and whether they had opted out before anything was submitted. Where they stand in the end follows.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatch import test_mutations as mutations
from opengage.domain.outcomes import Receipt, ReceiptState, reference_of
from opengage.ids import Id
from simulation.disk import Disk
from simulation.loop import VirtualLoop
from simulation.network import TAKEN, Delivery, Mood, SimulatedCarrier
from simulation.run import OURS, Run, recipient
from simulation.schedule import Blast, Fault
from simulation.test_simulation import CALM

PEOPLE = 6
_REASONS = {
    ReceiptState.DELIVERED: "delivered",
    ReceiptState.UNDELIVERED: "undelivered",
    ReceiptState.EXPIRED: "expired",
}


class Promise(RuleBasedStateMachine):
    """One blast to a few people; whatever happens to it is a rule."""

    disk: ClassVar[Disk]

    @initialize(window=st.sampled_from([1, 2, 4]))
    def begin(self, window: int) -> None:
        """The blast is scheduled, and a worker is there. The network says nothing on fates but what a rule tells."""
        self.disk.reset()
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        mood = Mood(loses_receipts=1.0, slowest=0.02)
        blast = Blast(list(range(PEOPLE)), "Hello {{first-name}}", {"queue_batch_limit": 2}, [])
        schedule = msgspec.structs.replace(CALM, window=window, blasts=[blast], mood=mood, rate=4.0)
        self.run = Run(schedule, self.disk, self.loop, lambda _: False)
        self.first: dict[Id, ReceiptState] = {}
        watched = self.run.network.acknowledged
        self.run.network.acknowledged = self._watching(watched)
        self.loop.run_until_complete(self.run._prepare())
        self.run._revive("A")

    def _watching(
        self, watched: Callable[[SimulatedCarrier, Delivery, int], None]
    ) -> Callable[[SimulatedCarrier, Delivery, int], None]:
        def told(carrier: SimulatedCarrier, delivery: Delivery, commits: int) -> None:
            watched(carrier, delivery, commits)
            if delivery.arrival is not None and isinstance(delivery.what, Receipt):
                self.first.setdefault(delivery.arrival.text_id, delivery.what.state)

        return told

    def _pass(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([0.001, 0.05, 0.3, 1.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        """And nothing else."""
        self._pass(seconds)

    @rule(silent=st.booleans())
    def answers(self, silent: bool) -> None:
        """The network takes texts and answers, or takes them and says nothing."""
        self.run.network.mood.says_nothing = 1.0 if silent else 0.0

    @rule(throttled=st.booleans())
    def throttles(self, throttled: bool) -> None:
        """The network is asked for too much, or not."""
        self.run.network.mood.throttles = 0.5 if throttled else 0.0

    @rule()
    def link_is_cut(self) -> None:
        """R2: what was submitted and not answered is in doubt as soon as that is stored, and nothing else is."""
        untold = {key for (key, _), some in self.run.network.arrivals.items() if not some[-1].is_told}
        self.run.network.cut()
        self._pass(0.05)
        if self.run._machines["A"].process.is_dead:  # type: ignore[union-attr]
            return
        for text in self.run.monitor.state.texts.values():
            if text.status == "in-doubt":
                assert (text.id, 1) in self.run.network.arrivals
            if text.id in untold and text.envelope_id is not None:
                assert text.status in ("in-doubt", "delivered", "undelivered"), (text, *self.run.log)

    @rule(after=st.sampled_from([0.05, 0.5, 3.0]))
    def worker_dies(self, after: float) -> None:
        """R1: kill -9, and another one later."""
        self.loop.run_until_complete(self.run._kill_worker(Fault(0.0, "kill", "A", after)))

    @rule(place=st.integers(0, PEOPLE - 1))
    def somebody_opts_out(self, place: int) -> None:
        """R10: a STOP; the monitor sees whether an intent is committed after it."""
        self.loop.run_until_complete(self.run._stop(Fault(0.0, "stop", "A", float(place))))

    @rule(place=st.integers(0, PEOPLE - 1), state=st.sampled_from(ReceiptState), copies=st.integers(1, 2))
    def receipt_comes(self, place: int, state: ReceiptState, copies: int) -> None:
        """R9: early, late, twice, contradicting an earlier one."""
        for some in list(self.run.network.arrivals.values()):
            for arrival in some:
                text = self.run.monitor.state.texts.get(arrival.text_id)
                if arrival.fate != TAKEN or text is None or text.recipient != recipient(place) or not text.envelope_id:
                    continue
                reference = reference_of(arrival.text_id)
                told = Receipt(arrival.ref, state, state.value, OURS[0], text.recipient, reference, 0)
                for _ in range(copies):
                    self.run.network.send(Delivery(told, "smpp://a@127.0.0.1:1", arrival))

    @invariant()
    def nothing_is_broken(self) -> None:
        """The ledger balances, no state regresses, no byte left twice or without its intent."""
        if hasattr(self, "run"):
            assert not self.run.monitor.violations, "\n".join((*self.run.monitor.violations, *self.run.log))

    def teardown(self) -> None:
        """All is calm, and time passes: each stands where the model says."""
        if not hasattr(self, "run"):
            return
        try:
            self.run.network.mood.loses_receipts = 1.0
            self.loop.run_until_complete(self.run._calm_down())
            self.run.monitor.check_end()
            self.nothing_is_broken()
            state, arrivals = self.run.monitor.state, self.run.network.arrivals
            for text in state.texts.values():
                if text.envelope_id is None:
                    continue
                reason = state.envelopes[text.envelope_id].reason
                taken = sum(each.fate == TAKEN for each in arrivals.get((text.id, 1), ()))
                assert taken <= 1
                if taken and text.id in self.first and reason != "sent-unconfirmed":
                    assert reason == _REASONS[self.first[text.id]], (reason, self.first[text.id], self.run.log)
                elif not taken:
                    assert reason in ("in-doubt", "opted-out", "delivered"), reason
            assert len(state.envelopes) == PEOPLE
        finally:
            self.run._kill(self.run._machines["A"])
            for _ in range(3):
                self._pass(0)
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self._pass(0)
            asyncio.set_event_loop(None)
            self.loop.close()


SETTINGS = settings(
    max_examples=200,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def test_the_promise_holds_against_its_model(disk: Disk) -> None:
    """Whatever the order of answers, cuts, deaths, receipts and opt-outs."""
    Promise.disk = disk
    run_state_machine_as_test(Promise, settings=SETTINGS)


@pytest.mark.parametrize(
    "mutation",
    [
        mutations.lost_texts_go_again,
        mutations.no_suppression_check,
        mutations.nothing_is_final,
        mutations.no_parking,
        mutations.every_doubt_goes_again,
    ],
    ids=lambda mutation: mutation.__name__,
)
def test_the_model_notices(disk: Disk, monkeypatch: pytest.MonkeyPatch, mutation: mutations.Mutation) -> None:
    """Without a safeguard some order of events contradicts the model."""
    mutation(monkeypatch)
    Promise.disk = disk
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(Promise, settings=settings(SETTINGS, phases=[Phase.generate]))
