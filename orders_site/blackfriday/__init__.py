"""`make blackfriday`: a rush of orders, a consumer that lags, twelve orders that cannot be charged.

Analytics is not served while customers order; the payment account does not take one currency, so
that twelve orders end among the dead letters; then both are mended, as an operator would, and what
the providers took is held against what was sold and promised.
"""
