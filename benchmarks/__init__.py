"""Benchmarks: each script runs alone, takes --quick and ends with one line of JSON."""
