"""The raw table of imported plays, and the shape of a landed body. Data only.

A body is an object ``import`` with a list ``play``: the plays that count, and the rows
that could not be read (``line``, ``reason``, ``row``), which become dead letters.
"""

METHOD = "import"
TABLE = "imports__plays"
DESCRIPTION = "One row per play that a listener brought, by a file or a provider."
COLUMNS = (
    "listener_name! file! format! line:integer! artist_name! track_name! album_name "
    "stamp! stamped_uts:bigint! started_uts:bigint! played_ms:bigint copy:integer!"
)
#: The columns that stand in each item, not beside the list.
ITEM_COLUMNS = tuple(
    word.rstrip("!").partition(":")[0]
    for word in COLUMNS.split()
    if word not in ("listener_name!", "file!")
)
