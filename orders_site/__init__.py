"""A small shop that shows `notifications` at work: orders, their events, and who is told."""
