"""The shop as `order_request` measures it: its order API, with and without events, and the peer."""
