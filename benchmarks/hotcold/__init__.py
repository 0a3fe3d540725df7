"""Hot against cold reads: Parquet through Alluxio, from the object store itself, and from this machine's page cache.

The object store is a real server behind ``emulator``, which gives it the first byte and the rates of a profile; every
run measures that first, and is void where it is not what the profile says.
"""
