"""What is remembered: the inbox, incidents with their alerts and pages, calls and strays, the journal.

Everything here is a plain function that takes the connection of the caller's transaction (see `bridge.database`); time
comes in as an argument, for SQL never knows it.
"""
