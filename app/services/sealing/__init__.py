"""Sealing: what waits in a region's queue is appended to its Merkle tree, and the head is signed."""
