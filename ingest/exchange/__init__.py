"""The exchange's own records on their way into the warehouse.

Reads the exchange's database and nothing else of it: its program lives in serve, which
this package must not import.
"""
