"""The explorer: a page that looks into one's own network, as a file, from a server and in a notebook.

    page.py     one HTML file that works from a disk, offline
    server.py   the same page from this machine, over any text
    guard.py    who may ask that server
    choices.py  what it can open: runs, traces, worked examples
    carried.py  what goes with a trace: the way to the logits, the diagnosis
    static/     the page itself, built from ``web/``; `make web` builds it anew

The page sees a trace and nothing of a model but its weights.
"""
