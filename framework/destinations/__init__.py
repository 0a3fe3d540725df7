"""Places outside that outputs are delivered to as well, once they are published.

Belongs here: what ``job_config`` may say of a destination, and how each kind takes a delivery so that readers there tell
whole from half, and an old attempt never replaces a newer one. Does not: publishing (``framework.storage``), computing.
"""
