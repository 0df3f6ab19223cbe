"""A restored log against what was published. Pure."""

from __future__ import annotations

import pytest

from app.services.restoration.verdicts import Head, Verdict, compare

OURS = "vouchers.example.gov.cn/330100"


def head(size: int, root: str, origin: str = OURS) -> Head:
    return Head("330100", origin, size, root.encode().ljust(32))


# The restored log has signed heads of 3 ("a"), 5 ("b") and 8 ("c") leaves, and now has 8.
SIGNED = {("330100", 3): head(3, "a").root, ("330100", 5): head(5, "b").root, ("330100", 8): head(8, "c").root}


@pytest.mark.parametrize(
    ("published", "verdict"),
    [
        (head(8, "c"), Verdict.AGREES),
        (head(5, "b"), Verdict.AGREES),  # it has gone on since
        (head(9, "d"), Verdict.SHORTER),
        (head(8, "x"), Verdict.FORKED),
        (head(5, "x"), Verdict.FORKED),
        (head(6, "b"), Verdict.FORKED),  # it never had a head of six leaves
        (head(8, "c", "elsewhere.example/330100"), Verdict.OTHER_LOG),
        (head(0, "e"), Verdict.AGREES),
    ],
)
def test_a_published_head_is_one_that_the_log_has_signed(published: Head, verdict: Verdict) -> None:
    (region,) = compare([head(8, "c")], [published], SIGNED)
    assert [finding.verdict for finding in region.findings] == [verdict]
    assert region.agrees == (verdict == Verdict.AGREES)


def test_one_head_that_does_not_agree_outweighs_all_that_do() -> None:
    (region,) = compare([head(8, "c")], [head(8, "c"), head(9, "d")], SIGNED)
    assert not region.agrees
    assert region.largest == head(9, "d")


def test_a_log_of_which_nothing_was_published_is_not_taken_for_right() -> None:
    (region,) = compare([head(8, "c")], [], {})
    assert not region.agrees


def test_a_published_log_that_is_gone_altogether_is_found() -> None:
    (region,) = compare([], [head(3, "a")], {})
    assert (region.log, [finding.verdict for finding in region.findings]) == (None, [Verdict.SHORTER])
