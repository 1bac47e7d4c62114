"""What lami says of what happens, as a table: given an estate, when this happens, then these findings.

`rows.py` is the table, in the words of `words.py` and `findings.py`; `stage.py` is where the words act;
`page.py` writes it down as docs/scenarios.md. A new row is one `Scenario`; a new word is one frozen class.
"""
