"""Channels: one file per adapter; `adapters.adapter()` finds the configured one."""
