"""One region's log, from its first leaf to its newest head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.verifier import counters
from app.verifier.books import Books, is_mirrored
from app.verifier.findings import Findings
from app.verifier.heads import Heads, Summary
from app.verifier.journal import journal_head, transaction
from app.verifier.leaves import AuditEvent, Leaf, read_leaf
from app.verifier.manifest import RegionListed
from app.verifier.notes import Checkpoint, Keys
from app.verifier.pack import Pack, part_name, split_leaves
from app.verifier.rules import Publications
from app.verifier.texts import Named, judge_texts
from app.verifier.tree import Tree, leaf_hashes


class Taken:
    """What is still needed of the leaves of a file once they are in the books."""

    def __init__(self) -> None:
        self.named = Named({}, {}, {})
        self.pieces: list[str] = []
        """The transaction of each in the journal; nothing for those that are no entries."""
        self.rules: set[str] = set()

    def add(self, leaf: Leaf, index: int) -> None:
        """Keep what is needed of an entry. Raises ValueError where its instant is none."""
        piece, entry, facts, trace = transaction(leaf, index), leaf.id, leaf.facts, leaf.trace
        named = self.named
        named.details[entry] = leaf.details
        if facts is not None:
            named.facts[entry] = facts
        if trace is not None:
            named.trace[entry] = trace
        if leaf.rules is not None:
            self.rules.add(leaf.rules)
        self.pieces.append(piece)


class RegionRun:
    """Reads the parts of one region in order. `position` is the next leaf; between parts the run can be put away."""

    def __init__(
        self,
        pack: Pack,
        listed: RegionListed,
        keys: Keys,
        earlier: Sequence[Checkpoint],
        wanted: Sequence[str],
        findings: Findings,
    ) -> None:
        self._pack, self._listed, self._keys, self.findings = pack, listed, keys, findings
        self.region = listed.region
        self.summary = Summary(listed.region, listed.origin)
        self.books = Books(listed.region)
        self.tree = Tree()
        self.position = 0
        self.fitting = 0
        """The size of the last head that fitted."""
        self.sealed: dict[str, tuple[int, str]] = {}
        self.waiting: dict[str, str] = {}
        self.rules: set[str] = set()
        self.publications = Publications(listed.region)
        self.newest = ""
        """The latest instant at which a file's last leaf was written: leaves lie nearly in the order of time."""
        self._earlier = [head for head in earlier if head.origin == listed.origin]
        self._wanted = frozenset(wanted)
        self._is_root_wrong = False

    def read_heads(self) -> None:
        """Read and judge every head and cosignature; the tree is compared with them as it grows."""
        heads = Heads(self._listed, self._keys, self._earlier, self.summary, self.findings)
        heads.read(self._rows("checkpoints"))
        heads.read_cosignatures(self._rows("cosignatures"))
        self._heads, self._targets = heads.by_size, heads.targets()

    # -- leaves -------------------------------------------------------------------------------------------------------

    def read_part(self) -> bool:
        """Read the next file of leaves with all that belongs to it. False when there is none left."""
        first, size = self.position, self._listed.size
        if first >= size or self.summary.stopped_at is not None:
            return False
        count = min(self._pack.leaves_per_file, size - first)
        written = self._read(part_name(self.region, "leaves", first))
        leaves, is_whole = split_leaves(written or b"")
        if len(leaves) != count or not is_whole:
            place = first + min(len(leaves), count)
            name = part_name(self.region, "leaves", first)
            self.findings.add("leaves_count", self.region, name, expected=count, actual=len(leaves), index=place)
            self.summary.stopped_at = place
            return False
        hashes = leaf_hashes(leaves)
        self._compare_hashes("hashes", "leaf_hash", first, hashes)
        self._compare_hashes("tiles", "tile", first, hashes)
        self._grow(first, hashes)
        taken = self._take(first, leaves, hashes)
        self.summary.entries += len(taken.pieces) - taken.pieces.count("")
        self.rules |= taken.rules
        self._texts(first, taken)
        self._journal(first, taken)
        self.position = first + count
        self.summary.leaves = self.position
        return True

    def _compare_hashes(self, kind: str, check: str, first: int, hashes: Sequence[bytes]) -> None:
        stored = self._read(part_name(self.region, kind, first))
        if stored is None or stored == b"".join(hashes):
            return
        for place, hashed in enumerate(hashes):
            told = stored[place * 32 : place * 32 + 32]
            if told != hashed:
                self.findings.add(
                    check,
                    self.region,
                    f"#{first + place}",
                    expected=told.hex(),
                    actual=hashed.hex(),
                    index=first + place,
                )
                return
        end, extra = first + len(hashes), len(stored) - 32 * len(hashes)
        self.findings.add(check, self.region, f"#{end}", expected=0, actual=f"{extra} bytes", index=end)

    def _grow(self, first: int, hashes: Sequence[bytes]) -> None:
        """Append the hashes, stopping at the size of each head."""
        done = 0
        for size in (size for size in self._targets if first < size <= first + len(hashes)):
            self.tree.append(hashes[done : size - first])
            done = size - first
            self._judge_root(size)
        self.tree.append(hashes[done:])

    def _judge_root(self, size: int) -> None:
        root = self.tree.root()
        head = self._heads.get(size)
        fits = head is None or head.root == root
        if not fits and not self._is_root_wrong and head is not None:
            self._is_root_wrong = True
            self.findings.add(
                "root",
                self.region,
                str(size),
                expected=head.root.hex(),
                actual=root.hex(),
                index=self.fitting,
                until=size,
            )
        for earlier in self._earlier:
            if earlier.size != size:
                continue
            if earlier.root == root:
                self.summary.earlier_heads += 1
            else:
                fits = False
                self.findings.add(
                    "forked",
                    self.region,
                    str(size),
                    expected=earlier.root.hex(),
                    actual=root.hex(),
                    index=self.fitting,
                    until=size,
                )
        if fits:
            self.fitting = size

    def _take(self, first: int, leaves: Sequence[bytes], hashes: Sequence[bytes]) -> Taken:
        """Read each leaf and take it into the books. A read leaf is not kept: half the time goes where memory grows."""
        taken = Taken()
        apply, add, findings, wanted, newest = self.books.apply, taken.add, self.findings, self._wanted, ""
        for index, written in enumerate(leaves, start=first):
            try:
                leaf = read_leaf(written)
                apply(leaf, index, findings)
                if type(leaf) is Leaf:
                    add(leaf, index)
                else:
                    if leaf.id in self.books.validities.awaited:
                        taken.named.details[leaf.id] = leaf.details
                    self.publications.take(leaf, index)
                    taken.pieces.append("")
            except ValueError as error:
                findings.add("leaf_format", self.region, f"#{index}", actual=error, index=index)
                taken.pieces.append("")
                continue
            if leaf.id in wanted:
                self.sealed[leaf.id] = (index, hashes[index - first].hex())
            newest = leaf.at
        self.newest = max(self.newest, newest)
        return taken

    def _texts(self, first: int, taken: Taken) -> None:
        rows = self._rows_of(part_name(self.region, "texts", first, "jsonl"))
        index_of, validities = self.books.index_of, self.books.validities
        count, details = judge_texts(self.region, taken.named, index_of, rows, self.findings, validities.awaited)
        self.summary.texts += count
        validities.judge(details, index_of, self.findings)

    def _journal(self, first: int, taken: Taken) -> None:
        name = part_name(self.region, "journal", first, "beancount")
        written = self._read(name)
        if written is None or written == "".join(taken.pieces).encode():
            return
        place = 0
        for index, piece in enumerate(map(str.encode, taken.pieces), start=first):
            if not written.startswith(piece, place):
                self.findings.add("journal", self.region, name, expected=f"#{index}", actual=f"byte {place}")
                return
            place += len(piece)
        self.findings.add("journal", self.region, name, expected=place, actual=len(written))

    # -- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Judge what needs all leaves: the root, the rest of the journal, unsealed leaves, counters, reversals."""
        region, listed = self.region, self._listed
        self.summary.root = self.tree.root().hex()
        if self.summary.stopped_at is not None:
            versions = self.publications.judge_texts(self._rows("rules"), self.rules, self.findings)
            self.summary.rule_versions = len(versions)
            return
        self._journal_head()
        written = self._read(f"{region}/unsealed.bin")
        leaves, is_whole = split_leaves(written or b"")
        if len(leaves) != listed.unsealed or not is_whole:
            self.findings.add(
                "leaves_count", region, f"{region}/unsealed.bin", expected=listed.unsealed, actual=len(leaves)
            )
        sealed = dict(self.sealed)
        hashes = leaf_hashes(leaves)
        self.rules |= self._take(listed.size, leaves, hashes).rules
        self.books.validities.give_up()
        self.waiting = {entry: place[1] for entry, place in self.sealed.items() if entry not in sealed}
        self.sealed = sealed
        self.summary.unsealed = len(leaves)
        self._rules()
        self.books.close(self.findings)
        self._reversals(leaves)
        self.summary.rows = counters.compare(
            self.books, lambda table: self._rows_of(f"{region}/stored/{table}.jsonl"), self.findings
        )

    def _rules(self) -> None:
        counts = self.publications.judge(self._rows("rules"), self.rules, self.findings)
        self.summary.rule_versions, self.summary.rules_bound = counts

    def _journal_head(self) -> None:
        name = f"{self.region}/journal.beancount"
        written = self._read(name)
        accounts = [(pool_id, account) for pool_id, pool in self.books.pools.items() for account in pool]
        parts = [f"{first:012d}.beancount" for first in range(0, self._listed.size, self._pack.leaves_per_file)]
        if written is not None and written != journal_head(self.region, accounts, parts).encode():
            self.findings.add("journal", self.region, name)

    def _reversals(self, unsealed: Sequence[bytes]) -> None:
        """Compare each reversal with what it reverses."""
        for reversed_id, index in self.books.reversals.items():
            place = self.books.index_of.get(reversed_id)
            if place is None:
                continue  # noted when the reversal was read
            original, reversal = self._leaf(place, unsealed), self._leaf(index, unsealed)
            if type(reversal) is Leaf and not is_mirrored(original, reversal):
                self.findings.add(
                    "reversal", self.region, reversed_id, expected=f"#{place}", index=index, entry=reversal.id
                )

    def _leaf(self, index: int, unsealed: Sequence[bytes]) -> Leaf | AuditEvent:
        if index >= self._listed.size:
            return read_leaf(unsealed[index - self._listed.size])
        per_file = self._pack.leaves_per_file
        written, _ = self._pack.read(part_name(self.region, "leaves", index // per_file * per_file))
        return read_leaf(split_leaves(written or b"")[0][index % per_file])

    # -- files --------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> bytes | None:
        written, problem = self._pack.read(name)
        if problem is not None:
            self.findings.add(problem, self.region, name)
        return written

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        return self._rows_of(f"{self.region}/{name}.jsonl")

    def _rows_of(self, name: str) -> Iterator[dict[str, Any]]:
        return self._pack.rows(name, lambda problem: self.findings.add(problem, self.region, name))

    # -- putting away -------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The running state between two parts."""
        return {
            "position": self.position,
            "fitting": self.fitting,
            "is_root_wrong": self._is_root_wrong,
            "tree": [self.tree.size, [one.hex() for one in self.tree.edge]],
            "books": self.books.to_json(),
            "sealed": {entry: list(place) for entry, place in self.sealed.items()},
            "rules": sorted(self.rules),
            "publications": self.publications.to_json(),
            "newest": self.newest,
            "entries": self.summary.entries,
            "texts": self.summary.texts,
            "earlier_heads": self.summary.earlier_heads,
        }

    def restore(self, written: Mapping[str, Any]) -> None:
        """Go on where `to_json` was taken. The heads have been read."""
        self.position = self.summary.leaves = written["position"]
        self.fitting, self._is_root_wrong = written["fitting"], written["is_root_wrong"]
        self.tree = Tree(written["tree"][0], (bytes.fromhex(one) for one in written["tree"][1]))
        self.books = Books.from_json(written["books"])
        self.sealed = {entry: (index, hashed) for entry, (index, hashed) in written["sealed"].items()}
        self.rules, self.newest = set(written["rules"]), written["newest"]
        self.publications.restore(written["publications"])
        self.summary.entries, self.summary.texts = written["entries"], written["texts"]
        self.summary.earlier_heads = written["earlier_heads"]
