"""A usage file is read to its end before anything is sent, by a mapping that is given or recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.local import EXAMPLES
from app.cli.output import Failure
from app.cli.usage import MAPPINGS, mapping_for, read_file
from app.services.usage.mapping import load_mapping

USAGE = EXAMPLES / "usage.csv"
OPENB_HEADING = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_is_recognised_by_its_heading() -> None:
    mapping = mapping_for(USAGE, None)
    assert mapping == load_mapping(MAPPINGS / "usage.toml")
    usage = read_file(USAGE, mapping)
    assert len(usage.billable) + sum(usage.skipped.values()) == 400
    assert usage.skipped == {"never_scheduled": 16, "no_gpu": 26}


def test_the_public_trace_is_recognised_by_its_heading(tmp_path: Path) -> None:
    trace = write(tmp_path, f"\ufeff{OPENB_HEADING}\njob,1,1,1,1000,,LS,Running,0,7200,0\n")
    usage = read_file(trace, mapping_for(trace, None))
    assert usage.card_hours == 2


def test_a_heading_that_fits_no_mapping_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="--mapping"):
        mapping_for(write(tmp_path, "a,b\n1,2\n"), None)


def test_a_bad_row_at_the_end_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    trace = write(
        tmp_path, f"{OPENB_HEADING}\ngood,1,1,1,1000,,LS,Running,0,7200,0\nbad,1,1,1,1000,,LS,Running,9,5,8\n"
    )
    with pytest.raises(Failure, match="Row 3, column 'deletion_time'"):
        read_file(trace, mapping_for(trace, None))


def test_a_mapping_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"trace\.csv"):
        mapping_for(USAGE, write(tmp_path, "v = 2"))
