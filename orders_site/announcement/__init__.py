"""`make announcement`: news for thousands of customers over four channels, as S0 tells it.

The mail account takes so many a second, one of two SMS providers goes down in the middle, the relay
is killed, and orders are placed all the while. In the end what the providers took is held
against what was called for: each once, none faster than allowed, and no process grew.
"""
