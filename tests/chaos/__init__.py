"""The fault lab: `python -m tests.chaos [--orders N] [--seed N] [--json]`, or `make chaos`.

A seeded schedule of everything that goes wrong, played on real processes while customers order;
then all is let drain, and what the providers accepted is held against what was called for.
"""
