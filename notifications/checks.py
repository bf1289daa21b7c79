"""System checks: what is missing or wrong, said at start-up with its id and its mend."""
