"""Thin steps that touch the world: one named activity per gateway call, and the register."""
