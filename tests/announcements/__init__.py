"""One announcement over four channels, as the bulk notification document (S0) tells it."""
