"""Benchmark report of a tested detector: metrics, protocol, size, latency by stage."""
from .measure import benchmark
from .report import print_report, write_report

__all__ = ['benchmark', 'print_report', 'write_report']
