"""What a dataset's rows are: schemas as classes, and the plain records everybody else works with.

``spec`` holds the records and imports neither pydantic nor pyspark; ``model`` is the class that team code subclasses;
``columns``, ``constraints``, ``patterns``, ``nested`` and ``annotations`` turn its annotations into a record;
``compare`` says whether a consumer can read what a producer writes. Nothing here does I/O or knows a job.
"""
