"""What every provider says when it does not take a message, and what that means for us.

One module for each provider, one `Table` for each adapter; `TABLES` holds them all. The tests
raise each row through the adapter's real SDK (`tests/integration/test_provider_codes.py`), and
`docs/channels.md` is written from the same rows.

For whoever adds an adapter: write its table, beside these, from the provider's own documentation;
name that; add the table to `tests/codes/tables.py` and the adapter to `tests/channels.py`.
"""
