"""Benchmark report of a tested detector: metrics, test protocol, size, latency per stage."""
from .measure import benchmark
from .report import print_report, write_report

__all__ = ['benchmark', 'print_report', 'write_report']
