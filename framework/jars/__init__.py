"""The jars that Spark needs beside its own: one pinned list, fetched by Maven, checked, kept once per environment.

``catalog`` reads the list, ``place`` says what is there, ``sync`` fetches what is missing through ``maven``, and
``locking`` writes the list anew. No pyspark here, and nothing is fetched by importing.
"""
