"""Audit events read and exported, refusals gathered into them, and what is erased when."""
