"""The HTTP service: the same answers as the commands', while a person types.

`snapshot` is what is in service at one moment, `engine` keeps it up to date and writes, `batching` answers many queries
with one encoding, `access` says who may, `routes/` are the resources, `pages/` what a browser is shown, `app` puts them
together, `server` runs them.
"""
