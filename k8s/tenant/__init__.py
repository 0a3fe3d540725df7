"""A team in a live cluster: what differs from its file, and the steps that mend it."""
