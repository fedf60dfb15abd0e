"""
Readers of request bodies against each other: what ours accepts, every server must read as it does.

    python -m tests.differential --long

feeds made-up bodies to ours and to those of Werkzeug (Flask), python-multipart, Starlette, Django, Go and Node, and
prints counts; what is missing on the machine is not listed. C{--seed} repeats a run. It ends with 1 at a difference.
"""
