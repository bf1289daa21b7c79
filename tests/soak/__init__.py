"""The soak: `python -m tests.soak [--minutes N] [--seed N] [--json]`, or `make soak`.

The whole house at half of what it can take, measured first, with a little going wrong all the
time: what grows, beside the rows that are meant to?
"""
