"""Servers that a person, or a test, runs on this machine: started, watched, found again after a crash, and stopped.

What belongs here: processes with a state directory of their own and free ports of loopback, and what it takes to start
each kind of server. What does not: what is asked of a running one (``framework.storage``), and anything for a cluster.
Linux only: sessions are read from ``/proc``.
"""
