"""Measure models and data: complexity, latency, benchmark reports, config checks, dataset browsing."""
