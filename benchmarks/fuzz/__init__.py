"""Malformed inputs against everything in the package that reads a file; run ``python benchmarks/fuzz --help``."""
