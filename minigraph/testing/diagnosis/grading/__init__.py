"""Diagnosing many files, each in a process of its own."""
