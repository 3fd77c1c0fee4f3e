"""Everything that starts, signals or asks: the desk, the feed, the command line, the stack."""
