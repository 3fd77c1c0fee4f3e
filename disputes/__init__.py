"""The nouns and rules of a dispute: pure at the top level, I/O in its folders."""
