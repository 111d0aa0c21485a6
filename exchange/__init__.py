"""The exchange: players trade shares of artists with the house.

Owns the trading tables and every rule on them. It takes prices from the published
marts by value, once a day, and never reads last.fm or writes its data.
"""
