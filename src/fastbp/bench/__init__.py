"""Comparison with the peers: `python -m fastbp bench`, and the adapters that benchmarks/ in the source tree uses."""
