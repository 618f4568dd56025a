"""How fast the package is beside its peers: one file a question, each with the limit that it has to hold.

``python -m benchmarks`` runs them all, ``python -m benchmarks ragged --quick`` one of them on tiny shapes.
"""
