"""The trust kernel: canonical bytes, conditions, judging, the reading of states, the ledger's tree, and the verifier of bundles.

Standard library only, Python 3.9 and later, relative imports only: these files travel unchanged in every bundle, so that
whoever receives one can check it and repeat each verdict with nothing but a Python interpreter.
"""
