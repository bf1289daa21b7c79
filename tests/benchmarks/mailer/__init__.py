"""A project that tells customers of their orders by email, and keeps record of it."""
