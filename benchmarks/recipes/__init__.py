"""Trainings of known results on known texts: a config each, and what must come out."""
