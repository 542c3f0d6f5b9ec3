"""Conversion of foreign checkpoints."""
