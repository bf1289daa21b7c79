"""`make demo`: the whole house on one machine, driven by orders and judged by what arrived."""
