"""Work beside the requests: done again and again, whatever it raises, and ended between two transactions."""

from __future__ import annotations

import threading

import pytest

from app.services.periodic import Periodic

LONG_S = 30.0


def test_work_that_failed_is_done_again_at_its_next_turn() -> None:
    turns: list[int] = []
    done = threading.Event()

    def work(_: threading.Event) -> None:
        turns.append(len(turns))
        if len(turns) < 3:
            raise ConnectionError("the database is away")
        done.set()

    periodic = Periodic("work", work, every_s=0.001, failed="work.failed")
    periodic.start()
    assert done.wait(LONG_S)
    periodic.stop()
    assert turns[:3] == [0, 1, 2]


def test_stopping_waits_for_the_work_under_way_which_is_told_of_it() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(stopped: threading.Event) -> None:
        begun.set()
        assert stopped.wait(LONG_S)
        ended.set()

    periodic = Periodic("work", work, every_s=0.001, failed="work.failed")
    periodic.start()
    assert begun.wait(LONG_S)
    periodic.stop()
    assert ended.is_set()


@pytest.mark.parametrize("fails", [False, True])
def test_a_thread_that_pauses_stops_at_once(*, fails: bool) -> None:
    begun = threading.Event()

    def work(_: threading.Event) -> None:
        begun.set()
        if fails:
            raise ConnectionError("the database is away")

    periodic = Periodic("work", work, every_s=0.001 if fails else LONG_S, failed="work.failed", after_failure_s=LONG_S)
    periodic.start()
    assert begun.wait(LONG_S if fails else 0.01) is fails
    stopping = threading.Thread(target=periodic.stop)
    stopping.start()
    stopping.join(LONG_S / 3)
    assert not stopping.is_alive()
