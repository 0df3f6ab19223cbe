"""A witness: an independent co-signer of regions' logs, run by somebody else than the service, such as an audit bureau.

It speaks C2SP tlog-witness. It signs a log's checkpoint only where that log continues everything the witness has
signed before, so whoever asks for its cosignature sees the same history as everybody else. Of the rest of this code
base it uses `app.tlog` and nothing else.
"""
