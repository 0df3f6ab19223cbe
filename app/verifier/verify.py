"""All of a pack, in order: read, derive, compare. What is found goes into a report; nothing is written but progress."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import DecodeError, json

from app.verifier import receipts as promised
from app.verifier.findings import Findings
from app.verifier.heads import Summary
from app.verifier.layout import KEYS_FILE, unknown_files
from app.verifier.manifest import MANIFEST
from app.verifier.notes import BadNote, Checkpoint, Keys, is_signed_by_log, parse_checkpoint
from app.verifier.pack import Pack, UnreadablePack
from app.verifier.receipts import Receipt, UnreadableReceipts, read_receipts
from app.verifier.region import RegionRun
from app.verifier.report import Report

SAVE_EVERY_S = 20
STATE = "4"
"""The form of saved progress: that of another form is no use."""

Progress = Callable[[int, int], None]
"""Told how many leaves are done, of how many."""


class UnreadableOption(Exception):
    """A key, a checkpoint or a file of receipts that was given cannot be read."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the auditor brings: keys in their text form, notes of earlier heads, a file of receipts.

    `state` is the file in which progress is kept (None: none is); removed when the verification has come to its end.
    It says which leaves need not be read again, so it must lie where nobody else writes, the pack's maker least of all.
    """

    vkeys: Sequence[str] = ()
    checkpoints: Sequence[str] = ()
    receipts: Path | None = None
    state: Path | None = None


def read_note(path: Path) -> str:
    """A head that was taken earlier, from its file. Raises UnreadableOption."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableOption(f"{path}: {error}") from error


def read_vkeys(path: Path) -> list[str]:
    """The keys of a file, one a line, as a witness's list of logs has them. Raises UnreadableOption."""
    try:
        keys = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableOption(f"{path}: {error}") from error
    found = [key for key in keys if key and not key.startswith("#")]
    if not found:
        raise UnreadableOption(f"{path}: 没有公钥 / no key in it")
    return found


def verify(path: Path, options: Options, *, progress: Progress = lambda _done, _total: None) -> Report:
    """Verify a pack. Raises UnreadablePack, UnreadableOption."""
    began = time.monotonic()
    try:
        given = Keys(options.vkeys)
        earlier = [parse_checkpoint(note) for note in options.checkpoints]
        receipts = [] if options.receipts is None else read_receipts(options.receipts)
    except (BadNote, UnreadableReceipts) as error:
        raise UnreadableOption(str(error)) from error
    pack = Pack(path)
    try:
        with _no_garbage_collection():
            report = _Run(pack, options, given, earlier, receipts, progress).all()
    finally:
        pack.close()
    report.seconds = time.monotonic() - began
    return report


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Books are many small lists and dicts that stay, in no cycles: looking through them took a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Run:
    def __init__(
        self,
        pack: Pack,
        options: Options,
        given: Keys,
        earlier: Sequence[Checkpoint],
        receipts: Sequence[Receipt],
        progress: Progress,
    ) -> None:
        self._pack, self._options, self._progress = pack, options, progress
        self._earlier, self._receipts = earlier, receipts
        self._wanted = promised.wanted(receipts)
        self._total = sum(listed.size for listed in pack.regions)
        self._done = self._skipped = 0
        self._sealed: dict[str, tuple[int, str]] = {}
        self._waiting: dict[str, str] = {}
        self._newest = ""
        """The instant of the newest leaf that was seen."""
        self._saved_at = time.monotonic()
        self._report = Report(str(pack.path), pack.taken_at, [], Findings())
        self._keys = given if len(given) else self._keys_of_pack()
        for head in earlier:
            if is_signed_by_log(head, self._keys) is False:
                raise UnreadableOption(f"a head given as taken earlier was not signed so: {head.origin} {head.size}")
        self._fingerprint = _fingerprint(pack, options)

    def _keys_of_pack(self) -> Keys:
        self._report.warnings.append(("keys_from_pack", ""))
        written, problem = self._pack.read(KEYS_FILE)
        if problem is not None:
            self._report.findings.add(problem, None, KEYS_FILE)
        try:
            return Keys(line for line in (written or b"").decode().splitlines() if line.strip())
        except (BadNote, UnicodeDecodeError) as error:
            self._report.findings.add("file_malformed", None, KEYS_FILE, actual=error)
            return Keys(())

    def all(self) -> Report:
        saved = self._load()
        for place, listed in enumerate(self._pack.regions):
            if saved is not None and place < saved["region"]:
                self._done += listed.size
                continue
            # Heads are read again after an interruption; what they showed the first time is in the saved findings.
            findings = self._report.findings if saved is None else Findings()
            wanted = self._wanted.get(listed.origin, ())
            run = RegionRun(self._pack, listed, self._keys, self._earlier, wanted, findings)
            run.read_heads()
            if saved is not None:
                self._resume(run, saved)
                saved = None
            while run.read_part():
                self._progress(self._done + run.position, self._total)
                self._save(place, run)
            run.finish()
            self._done += listed.size
            self._sealed |= run.sealed
            self._waiting |= run.waiting
            self._newest = max(self._newest, run.newest)
            self._report.regions.append(run.summary)
        self._judge_date()
        self._judge_receipts()
        self._judge_extent()
        for name in self._pack.unread():
            problem = self._pack.compare(name)
            if problem is not None:
                self._report.findings.add(problem, None, name)
        for name in self._pack.unlisted():
            self._report.findings.add("file_unlisted", None, name)
        for name in unknown_files(self._pack):
            self._report.findings.add("file_unknown", None, name)
        self._warn()
        self._report.leaves = sum(one.leaves for one in self._report.regions) - self._skipped
        if self._options.state is not None:
            self._options.state.unlink(missing_ok=True)
        return self._report

    def _judge_date(self) -> None:
        """The manifest says when the pack was taken: it cannot have been before its own leaves were written."""
        taken_at, newest = self._pack.taken_at, self._newest
        if taken_at < newest:
            self._report.findings.add("taken_at", None, MANIFEST, expected=f"≥ {newest}", actual=taken_at)

    def _judge_extent(self) -> None:
        """A pack without a region proves nothing, and one without a log of which a head is known leaves it out."""
        findings, origins = self._report.findings, {listed.origin for listed in self._pack.regions}
        if not origins:
            findings.add("empty", None, MANIFEST)
        for head in self._earlier:
            if head.origin not in origins:
                findings.add("log_missing", None, f"{head.origin} {head.size}")
        for name in self._pack.twice:
            findings.add("file_twice", None, name)

    def _judge_receipts(self) -> None:
        if self._receipts:
            self._report.receipts = promised.judge(
                self._receipts,
                region_of={listed.origin: listed.region for listed in self._pack.regions},
                sealed=self._sealed,
                waiting=self._waiting,
                keys=self._keys,
                taken_at=max(self._pack.taken_at, self._newest),
                findings=self._report.findings,
            )

    def _warn(self) -> None:
        for one in self._report.regions:
            if one.rule_versions > one.rules_bound == 0:
                self._report.warnings.append(("rules_unbound", one.region))
            if not one.heads:
                self._report.warnings.append(("nothing_sealed", one.region))
            elif not one.cosigned and not one.earlier_heads:
                self._report.warnings.append(("not_cosigned", one.region))
            if one.unsealed:
                self._report.warnings.append(("unsealed", f"{one.region} {one.unsealed}"))

    # -- progress -----------------------------------------------------------------------------------------------------

    def _save(self, place: int, run: RegionRun) -> None:
        state = self._options.state
        if state is None or time.monotonic() - self._saved_at < SAVE_EVERY_S:
            return
        self._saved_at = time.monotonic()
        written = json.encode(
            {
                "of": self._fingerprint,
                "region": place,
                "run": run.to_json(),
                "findings": self._report.findings.to_json(),
                "done": [asdict(summary) for summary in self._report.regions],
                "sealed": {entry: list(where) for entry, where in self._sealed.items()},
                "waiting": self._waiting,
                "newest": self._newest,
            }
        )
        draft = state.with_name(state.name + ".new")
        with suppress(OSError):  # where nothing can be written there is nothing to go on from
            state.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(written)
            draft.replace(state)

    def _load(self) -> dict[str, Any] | None:
        state = self._options.state
        if state is None or not state.exists():
            return None
        try:
            saved: dict[str, Any] = json.decode(state.read_bytes())
        except (OSError, DecodeError, RecursionError):
            saved = {}
        if saved.get("of") != self._fingerprint:
            self._report.warnings.append(("started_anew", state.name))
            return None
        self._report.regions = [Summary(**one) for one in saved["done"]]
        self._sealed = {entry: (index, hashed) for entry, (index, hashed) in saved["sealed"].items()}
        self._waiting, self._newest = saved["waiting"], saved["newest"]
        self._skipped = sum(one.leaves for one in self._report.regions)
        return saved

    def _resume(self, run: RegionRun, saved: dict[str, Any]) -> None:
        run.restore(saved["run"])
        self._report.findings = run.findings = Findings.from_json(saved["findings"])
        self._report.resumed_at = (run.region, run.position)
        self._skipped += run.position


def _fingerprint(pack: Pack, options: Options) -> str:
    """Of the pack, of all that it is judged by, and of the form of progress: that of another one is no use."""
    brought = options.receipts.read_bytes() if options.receipts is not None else b""
    parts = [
        STATE,
        pack.manifest_sha256,
        *sorted(options.vkeys),
        *sorted(options.checkpoints),
        sha256(brought).hexdigest(),
    ]
    return sha256("\x00".join(parts).encode()).hexdigest()


__all__ = ["Options", "UnreadableOption", "UnreadablePack", "read_note", "read_vkeys", "verify"]
