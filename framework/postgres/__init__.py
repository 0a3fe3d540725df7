"""Talking to PostgreSQL: one way to connect, and what its errors mean. psycopg is imported only where somebody does.

Does not belong here: what is asked. Sources say it (``framework.sources``), and destinations (``framework.destinations``).
"""
