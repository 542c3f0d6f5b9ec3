"""Errors of the checkpoint conversion."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or does not fit; the message names the file and what to do."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint whose pickle refers to code outside the allow-list."""
