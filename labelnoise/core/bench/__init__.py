"""Benchmarks: a grid of cells, run on any executor, kept one file per cell, summed up for a report."""
