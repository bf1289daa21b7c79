"""Benchmarks: `python -m tests.benchmarks [--only NAME] [--json]`, or `make bench`.

Each compares ours with a peer doing the same work and with the limit that the parts
around it allow, in one run on one machine: the ratios matter, the figures are the machine's.
"""
