"""Benchmarks: the engine side by side with the least that could do the same on the same parts."""
