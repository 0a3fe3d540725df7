"""Questions with numbers. Each module asks one, measures it paired and interleaved, and says how sure it is.

``python -m benchmarks`` runs them all and writes ``benchmarks/results``; ``python -m benchmarks imports parse`` some.
Nothing is claimed about speed anywhere else.
"""
