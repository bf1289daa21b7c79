"""What providers say later, in their own words: a reader for each, and the consumer of them all.

For whoever writes the next one: give `(body) -> Told objects`, raise NotAnEvent through `parsed`
for a body of yours that is broken, and name it in `reader.READERS` by a key that only its bodies
have. Put no address into a detail: `redact` it.
"""
