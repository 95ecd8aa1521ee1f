"""Exercises that hand-written backward passes can be graded by; each module is one.

An exercise defines what the submissions need not: ``params``, ``batch``, ``PENALTIES``, ``AXIS``,
``graph``, and ``fprop`` too if it is given. `minigraph.testing.grade` takes one by its name.
"""
