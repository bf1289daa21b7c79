"""The shop with a checkout over HTTP, and with less patience than it has by default."""
