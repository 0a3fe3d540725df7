"""Runs as pods: a driver that is made through Kubernetes' API, and executors that it makes beside itself.

Belongs here: what a driver's pod looks like, what its state means, whether there is room for it, and the launcher. Does not:
what a team has of a cluster, and what the process in the pod does.
"""
