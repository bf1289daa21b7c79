"""The seam between the shop's domain and `notifications`: a signal becomes an event."""
