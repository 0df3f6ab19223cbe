"""The auditor's pack: what an outsider needs to check the books without us. Its format: docs/packs.md."""
