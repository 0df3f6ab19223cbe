"""Usage files: what is billed, what is skipped and why, and how a bad file is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.services.usage.mapping import Mapping, load_mapping
from app.services.usage.reading import SkippedRow, SkipReason, UsageFileError, UsageRow, read_usage

HERE = Path(__file__).parent
HEADING = "job,cards,begin,end"


def mapping(*, columns: dict[str, Any] | None = None, **parts: Any) -> Mapping:
    named = {"job_id": "job", "cards": "cards", "started_at": "begin", "ended_at": "end"} | (columns or {})
    return Mapping.model_validate(
        {"v": 1, "columns": named, "prices": {"category": "training_inference", "default": "1.00"}} | parts
    )


def rows_of(tmp_path: Path, text: str | bytes, using: Mapping) -> list[UsageRow | SkippedRow]:
    path = tmp_path / "usage.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_usage(path, using))


def only_row(tmp_path: Path, text: str | bytes, using: Mapping) -> UsageRow:
    [row] = rows_of(tmp_path, text, using)
    assert isinstance(row, UsageRow)
    return row


def test_jobs_that_ran_are_read_and_the_others_skipped_with_the_reason() -> None:
    rows = list(read_usage(HERE / "trace.csv", load_mapping(HERE / "trace.toml")))
    assert [(row.row, row.job_id, row.card_hours) for row in rows if isinstance(row, UsageRow)] == [
        (2, "t-1", Fraction(1)),
        (3, "t-2", Fraction(16)),
        (4, "t-3", Fraction(590 * 4, 3_600_000)),
    ]
    assert [row for row in rows if isinstance(row, SkippedRow)] == [
        SkippedRow(6, "t-4", SkipReason.NEVER_SCHEDULED),
        SkippedRow(7, "t-5", SkipReason.NO_GPU),
        SkippedRow(8, "t-6", SkipReason.NEVER_SCHEDULED),
        SkippedRow(9, "t-7", SkipReason.NEVER_ENDED),
        SkippedRow(10, "t-8", SkipReason.NO_TIME),
    ]


def test_a_trace_without_a_known_date_gives_offsets_only(tmp_path: Path) -> None:
    row = only_row(tmp_path, f"{HEADING}\na,1,10,20.5\n", mapping())
    assert (row.started_s, row.ended_s) == (Fraction(10), Fraction(41, 2))
    assert (row.used_from, row.used_until) == (None, None)


@pytest.mark.parametrize(
    ("unit", "begin", "end"), [("s", "10", "20.5"), ("ms", "10000", "20500"), ("us", "10000000", "20500000")]
)
def test_offsets_count_from_the_epoch_in_their_unit(tmp_path: Path, unit: str, begin: str, end: str) -> None:
    using = mapping(time={"unit": unit, "epoch": datetime(2026, 3, 1, tzinfo=UTC)})
    row = only_row(tmp_path, f"{HEADING}\na,1,{begin},{end}\n", using)
    assert row.used_from == datetime(2026, 3, 1, 0, 0, 10, tzinfo=UTC)
    assert row.used_until == datetime(2026, 3, 1, 0, 0, 20, 500_000, tzinfo=UTC)
    assert row.card_hours == Fraction(21, 2 * 3600)


def test_written_instants_without_an_offset_are_shanghai_time(tmp_path: Path) -> None:
    row = only_row(
        tmp_path, f"{HEADING}\na,2,2026-03-01 08:00:00,2026-03-01T01:30:00Z\n", mapping(time={"unit": "iso8601"})
    )
    assert row.used_from == datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    assert row.card_hours == 3


def test_cards_may_be_given_in_parts_of_any_size(tmp_path: Path) -> None:
    using = mapping(columns={"card_share": "percent", "parts_per_card": 100})
    assert only_row(tmp_path, f"{HEADING},percent\na,2,0,3600,25\n", using).card_hours == Fraction(1, 2)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("\ufeff作业,cards,begin,end\n甲,1,0,3600\n".encode(), "utf-8"),
        ("作业,cards,begin,end\n甲,1,0,3600\n".encode("gb18030"), "gb18030"),
    ],
)
def test_files_as_chinese_offices_write_them(tmp_path: Path, text: bytes, encoding: str) -> None:
    using = mapping(columns={"job_id": "作业"}, file={"encoding": encoding})
    assert only_row(tmp_path, text, using).job_id == "甲"


def test_what_stands_for_no_value_is_the_mappings_to_say(tmp_path: Path) -> None:
    using = mapping(file={"delimiter": ";", "empty": ["-1", "nan"]})
    [row] = rows_of(tmp_path, "job;cards;begin;end\na;1;-1;5\n", using)
    assert row == SkippedRow(2, "a", SkipReason.NEVER_SCHEDULED)


@pytest.mark.parametrize(
    ("line", "row", "column", "why"),
    [
        ("a,1,0", 2, None, "3 cells under a heading of 4"),
        (",1,0,5", 2, "job", "no id"),
        ("a,one,0,5", 2, "cards", "'one' is not a plain decimal"),
        ("a,1,1e3,5", 2, "begin", "'1e3' is not a plain decimal"),
        ("a,1,9,5", 2, "end", "ended before it started"),
        ("a,1,0,100000000000", 2, "end", "beyond any calendar"),
        ('ok,1,0,5\n\n"a,1,0,5', 4, None, "not readable as CSV"),
    ],
)
def test_a_bad_row_is_refused_with_its_place(tmp_path: Path, line: str, row: int, column: str | None, why: str) -> None:
    with pytest.raises(UsageFileError, match=why) as refusal:
        rows_of(tmp_path, f"{HEADING}\n{line}\n", mapping())
    assert (refusal.value.row, refusal.value.column) == (row, column)


def test_more_than_a_whole_card_is_refused(tmp_path: Path) -> None:
    """Thousandths read as hundredths would bill ten times the card-hours."""
    using = mapping(columns={"card_share": "milli", "parts_per_card": 100})
    with pytest.raises(UsageFileError, match="Row 2, column 'milli': 500 parts of a card, which has 100"):
        rows_of(tmp_path, f"{HEADING},milli\na,2,0,3600,500\n", using)


def test_a_share_is_of_several_cards_where_the_mapping_says_so(tmp_path: Path) -> None:
    using = mapping(columns={"card_share": "percent", "parts_per_card": 100, "share_above_a_card": True})
    (row,) = rows_of(tmp_path, f"{HEADING},percent\na,3,0,3600,250\n", using)
    assert isinstance(row, UsageRow)
    assert row.card_hours == Fraction(15, 2)


@pytest.mark.parametrize(
    ("begin", "time"),
    [
        ("1970-01-01T00:00:00+08:00", {"unit": "iso8601"}),
        ("9999-12-31T23:59:59-08:00", {"unit": "iso8601"}),
        ("99999999999", {"unit": "s", "epoch": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("0", {"unit": "s", "epoch": datetime(1970, 1, 1, tzinfo=UTC)}),
    ],
)
def test_a_time_in_no_known_year_is_refused(tmp_path: Path, begin: str, time: dict[str, Any]) -> None:
    with pytest.raises(UsageFileError, match=r"Row 2, column 'begin': .*the years 2000 to 2999 are known"):
        rows_of(tmp_path, f"{HEADING}\na,1,{begin},{begin}\n", mapping(time=time))


def test_times_as_spreadsheets_write_them(tmp_path: Path) -> None:
    """Rows without any cell are what is left of a table's end."""
    lines = f"{HEADING}\na,1,2026/3/1 8:05,2026/03/01 09:05:30\n,,,\nb,1,2026/3/1,2026/3/2\n   \n"
    first, second = rows_of(tmp_path, lines, mapping(time={"unit": "iso8601"}))
    assert isinstance(first, UsageRow)
    assert isinstance(second, UsageRow)
    assert first.used_from == datetime(2026, 3, 1, 0, 5, tzinfo=UTC)
    assert first.card_hours == Fraction(3630, 3600)
    assert (second.row, second.card_hours) == (4, Fraction(24))


@pytest.mark.parametrize("seed", range(3))
def test_card_hours_are_the_same_however_the_file_is_written(tmp_path: Path, seed: int) -> None:
    """Columns and rows in any order, each time in a zone of its own, against a sum of integers."""
    chance = Random(seed)
    begin = datetime(2026, 2, 28, 16, tzinfo=UTC)
    jobs = [(chance.randint(1, 8), chance.randint(0, 10**6), chance.randint(1, 10**6)) for _ in range(200)]
    names = ["job", "cards", "begin", "end", "note"]
    chance.shuffle(names)
    lines = [",".join(names)]
    for number, (cards, from_s, for_s) in enumerate(jobs):
        zone = timezone(timedelta(minutes=chance.randint(-720, 840)))
        at = [(begin + timedelta(seconds=second)).astimezone(zone).isoformat() for second in (from_s, from_s + for_s)]
        cells = {"job": f"j{number}", "cards": str(cards), "begin": at[0], "end": at[1], "note": ""}
        lines.append(",".join(cells[name] for name in names))
    text = "\r\n".join([lines[0], *chance.sample(lines[1:], len(jobs))])
    rows = rows_of(tmp_path, text, mapping(time={"unit": "iso8601"}))
    total = sum(row.card_hours for row in rows if isinstance(row, UsageRow))
    assert total == Fraction(sum(cards * for_s for cards, _, for_s in jobs), 3600)


def test_cards_without_their_share_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFileError, match="Row 2, column 'milli': the job has cards but no share"):
        rows_of(tmp_path, f"{HEADING},milli\na,2,0,3600,\n", mapping(columns={"card_share": "milli"}))


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageFileError, match="Row 2, column 'end': '2026-02-30' is not an ISO 8601 instant"):
        rows_of(tmp_path, f"{HEADING}\na,1,2026-02-01,2026-02-30\n", mapping(time={"unit": "iso8601"}))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("job,cards,begin\n", "column 'end': there is no such column. The heading has: job, cards, begin"),
        ("job,cards,begin,end,end\n", "column 'end': the heading has this column twice"),
        ("", "column 'job': there is no such column. The heading has: nothing"),
        ("作业,cards,begin,end\n".encode("gb18030"), "utf-8"),
    ],
)
def test_a_wrong_heading_is_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(UsageFileError, match=why) as refusal:
        rows_of(tmp_path, text, mapping())
    assert refusal.value.row == 1
