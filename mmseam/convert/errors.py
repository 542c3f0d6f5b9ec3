"""What can be wrong with a foreign checkpoint."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or does not fit; the message names the file and what to do."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint whose pickle asks for code that this project does not run."""
