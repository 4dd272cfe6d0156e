"""What each command does: async generators that yield responses and, last, the `Ok` that completes the command.

A refusal is raised as `No` or `Bad`; the session turns either into the tagged line.
"""
