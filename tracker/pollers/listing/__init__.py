"""What ``page`` is made of.

``links`` finds the articles of a page, ``cards`` reads what stands around each, ``embedded`` the data in scripts, ``days`` dates.
"""
