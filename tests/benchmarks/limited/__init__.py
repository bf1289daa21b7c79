"""A project that tells of orders by email and by SMS, each through an account with a limit."""
