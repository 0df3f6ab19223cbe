"""Reading a usage file for a replay: its mapping found, every row read before anything is sent."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

from app.cli.lanes import Usage
from app.cli.local import EXAMPLES
from app.cli.output import Failure
from app.services.usage.mapping import Mapping, MappingError, load_mapping
from app.services.usage.reading import SkippedRow, UsageFileError, UsageRow, read_usage

MAPPINGS = EXAMPLES / "mappings"


def read_file(path: Path, mapping: Mapping) -> Usage:
    """Every row of the file, billable or skipped by reason. Raises Failure that names row and column."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows = list(read_usage(path, mapping))
    except UsageFileError as error:
        raise Failure(f"{path.name} 无法读取，未发送任何账单。", f"nothing was sent. {error}") from error
    except OSError as error:
        raise Failure(f"{path.name} 无法打开。", str(error)) from error
    skipped = Counter(str(row.reason) for row in rows if isinstance(row, SkippedRow))
    billable = tuple(row for row in rows if isinstance(row, UsageRow))
    return Usage(path.name, digest, billable, dict(skipped))


def mapping_for(path: Path, given: Path | None) -> Mapping:
    """The given mapping, else the only one of examples/mappings/ whose columns the file has. Raises Failure."""
    try:
        if given is not None:
            return load_mapping(given)
        known = {file.name: load_mapping(file) for file in sorted(MAPPINGS.glob("*.toml"))}
    except (MappingError, OSError) as error:
        raise Failure("映射文件无法使用。", str(error)) from error
    fitting = {name: mapping for name, mapping in known.items() if _fits(path, mapping)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    found = ", ".join(fitting) or "-"
    raise Failure(
        f"无法确定 {path.name} 的映射（匹配：{found}），请用 --mapping 指定。",
        f"choose a mapping with --mapping; of {', '.join(known)} these fit: {found}",
    )


def _fits(path: Path, mapping: Mapping) -> bool:
    try:
        with path.open(encoding=mapping.file.encoding, newline="") as file:
            heading = next(csv.reader(file, delimiter=mapping.file.delimiter), [])
    except UnicodeDecodeError:
        return False
    except OSError as error:
        raise Failure(f"{path.name} 无法打开。", str(error)) from error
    names = {name.strip().removeprefix("\ufeff") for name in heading}
    return names.issuperset(mapping.columns.names())
