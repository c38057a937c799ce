"""The pages: where moderators look and decide, in a browser.

Rendered here, and complete without a script; the one script adds answers while one types, and keys. `sessions` knows
who looks and refuses forms that are not ours, `rendering` fills templates in, `routing` makes errors pages, `graph`
draws a cluster; each other module is the pages of its name, and `router` all of them.
"""
