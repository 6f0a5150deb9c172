"""Why: the events a decision came from and led to, told as a spine of cards from top to bottom.

Pure: stored events in, text out. What belongs to the spine was found by walking `cause` alone
(`journal.selectors.walk_get`); this package only says it in words.
"""
