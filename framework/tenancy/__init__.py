"""Team files: who the teams are, where each keeps its outputs, what it may read.

Pure models and one loader that reads ``k8s/teams/*.yaml`` of a workspace. Nothing here talks to a server.
"""
