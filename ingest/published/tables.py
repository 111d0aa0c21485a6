"""The raw tables of what each publish changed, and of fitted constants. Data only.

Each: the list in a landed body, the raw table, its description, its columns in words
(as in the recipes). Days, times and decimals come as text; staging casts them. No
column is called ``…_name``: what was printed once is no source of names.
"""

METHOD = "published"

PUBLISHED_TABLES: tuple[tuple[str, str, str], ...] = (
    (
        "versions",
        "One row per version that was published.",
        "version! edition:bigint! published_at! answered_through",
    ),
    (
        "restatements",
        "One row per thing that a version told otherwise than the one before.",
        "version! edition:bigint! subject! entity_type! entity_id! entity! restated_on "
        "plays:bigint old_value new_value reason! charts_changed "
        "issues_changed:bigint!",
    ),
    (
        "issues",
        "One row per revision of a chart's issue that a version published.",
        "version! edition:bigint! chart! scope period! issued_on! revision:bigint! "
        "finality! places:bigint! changed_places:bigint! first_before first_now",
    ),
    (
        "places",
        "One row per place of a revision of a chart's issue.",
        "chart! scope period! issued_on! revision:bigint! position:bigint! "
        "rank:bigint! entity_id! entity! artist_id artist scrobbles:bigint "
        "scrobbles_flagged:bigint scrobbles_counted:bigint listeners:bigint "
        "listeners_counted:bigint minutes:bigint minutes_counted:bigint "
        "share_pct:double previous_rank:bigint movement peak_rank:bigint "
        "issues_on_chart:bigint",
    ),
    (
        "constants",
        "One row per constant of the artist value that a fit chose or gave back.",
        "constant! value:double fitted_at! first_day last_day split_day "
        "artists:bigint steps:bigint error:double error_before:double "
        "outlook_error:double outlook_error_before:double",
    ),
)
