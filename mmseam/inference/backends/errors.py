"""What can be wrong with an exported file."""


class ExportedModelError(ValueError):
    """An exported file that cannot be used, or not with these images; the message says what to do."""
