"""The verifier of auditor's packs. It stands alone: it imports nothing of the service and needs neither it nor its
database, only Python, msgspec and cryptography, so that an auditor can read all of it and run it anywhere.

    python -m app.verifier PACK          the same as `voucher verify PACK`

    manifest    what a pack says that it holds
    pack        its files: a folder or a .tar, whole or line by line, framed leaves
    tree        RFC 6962 hashing over the bytes as they are given
    notes       signed notes, checkpoints and cosignatures (C2SP), keys in their text form
    leaves      what a leaf must look like
    moves       which entries may move what, and what that does to a voucher
    vouchers    vouchers as the leaves tell them
    books       the running state: all balances, re-derived leaf by leaf, and the invariants on the way
    payments    of that state: how far each redemption's money is, and what came back
    counters    the stored counters of a pack against that state; payment_rows: those of payments and recoveries
    texts       facts, traces and details against their hashes
    rules       rule versions against their hashes, and against their publication in the log
    journal     the plain-text journal, written again from the leaves
    receipts    receipts that were given to providers, against the log
    heads       signed heads, cosignatures, heads taken earlier
    region      one region's log from its first leaf to its newest head
    verify      all of a pack, in order, resumable
    findings, words, report   what was found, in both languages
"""
