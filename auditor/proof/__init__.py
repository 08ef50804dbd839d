"""The trust kernel: canonical bytes, conditions, judging and the reading of states.

Standard library only, Python 3.9 and later, relative imports only: these files travel unchanged in every bundle, so that
whoever receives one can repeat each verdict with nothing but a Python interpreter.
"""
