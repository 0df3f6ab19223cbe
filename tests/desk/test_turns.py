"""A burst of one client waits behind itself."""

from __future__ import annotations

from app.services.desk.turns import Turns


def test_each_is_served_in_turn_and_in_his_own_order() -> None:
    turns: Turns[str] = Turns()
    turns.add("busy", [f"b{n}" for n in range(1_000)])
    turns.add("other", ["o1", "o2"])
    turns.add("third", ["t1"])
    assert turns.take(6) == ["b0", "o1", "t1", "b1", "o2", "b2"]
    turns.add("other", ["o3"])
    assert turns.take(3) == ["b3", "o3", "b4"]
    assert (len(turns), turns.waiting_of("busy"), turns.waiting_of("other")) == (995, 995, 0)


def test_all_are_served_in_the_end_and_none_twice() -> None:
    turns: Turns[int] = Turns()
    for number in range(500):
        turns.add(f"c{number % 7}", [number])
    taken = [one for _ in range(60) for one in turns.take(9)]
    assert sorted(taken) == list(range(500)) and len(turns) == 0 and turns.take(5) == []
