"""A transparency log's mathematics and formats: Merkle hashing and proofs, signed notes, checkpoints, tiles.

Pure: values in, values out. It knows nothing of the service, so the sealer, a witness and any tool may stand on it.
"""
