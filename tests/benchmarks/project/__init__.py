"""The smallest project that consumes events: one event, one consumer, an empty task."""
