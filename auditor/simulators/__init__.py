"""Small worlds to look at: an emulated AWS account and the company that lives in it.

The demo, the tests and the benchmarks change a world here and then ask the real code. Nothing in the product imports
this room; it needs the extra ``demo``.
"""
