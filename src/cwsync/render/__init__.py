"""Reports as pages, text and JSON. Pure: width, colour and verbosity are parameters.

`runpage`, `diagpage` and `listpage` turn reports into pages, `screen` turns pages into text, and
the `json*` modules turn the same reports into documents. Import the module you need: ``--json``
never pays for tables.
"""
