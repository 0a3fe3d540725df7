"""A whole node in namespaces of its own: control plane, kubelet, containers, names and walls; nothing of it outlives it.

Belongs here: what is needed so that pods really run on this machine. Does not: what teams have in a cluster.
"""
