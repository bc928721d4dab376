"""Whether two items are one development: what of an item is compared, what never joins, how alike two are, and the reason in words.

in   items with the beginning of their text, their links, what they link to; the numbers of a fitted model
out  ``Sketch``es, an agreement of 0 to 1 for each pair, sentences; clusters by average agreement
refuses to know the database. ``sketch`` → ``window`` → ``guards`` → ``features`` → ``forest`` → ``clusters``; ``words`` tells why.
"""
