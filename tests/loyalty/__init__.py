"""A consumer that somebody adds while the shop runs: an app of its own, nothing else is touched."""
