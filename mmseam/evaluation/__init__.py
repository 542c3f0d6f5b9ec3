"""Evaluation: protocols without a framework in ``functional``, MMEngine's metrics over them in ``metrics``."""
from .metrics import *  # noqa: F401,F403
