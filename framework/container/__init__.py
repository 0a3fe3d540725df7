"""Runs of any program in any image: what is before it and after it, so that its outputs are published like a Spark job's.

``prepare`` finds a run's inputs and lays them out, ``publish`` checks what the program left, types it, and publishes it. Between the
two runs the program itself, which knows one JSON file and a folder or URI for each input and output. On a cluster the three are the
containers of one pod; on a laptop ``locally`` runs them one after the other. No JVM anywhere.
"""
