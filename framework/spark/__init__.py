"""Where Spark is: the session, reading, writing and checking. The only part of the product path that imports pyspark.

What belongs here: whatever needs a DataFrame, and the facts of the files that Spark wrote.
What does not: what is read or published and when (``framework.plan``, ``framework.runner``), paths, stores, manifests.

``settings`` and ``archive`` need no JVM. ``session`` and ``gateway`` alone touch it by py4j; everything else keeps to the API
that classic Spark and Spark Connect share. Importing a module here imports pyspark; nothing outside does so at its top.
"""
