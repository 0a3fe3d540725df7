"""Attacks on a cluster's and a store's walls, for ``pytest --isolation``."""
