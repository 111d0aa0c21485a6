"""What the panel listens to: plays by month and week, hours of the week, new artists.

Run it with ``marimo edit notebooks/listening.py`` in the folder that holds ``data/``.
"""

import marimo

app = marimo.App(width="medium", app_title="Listening")


@app.cell
def _():
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    path = Path("data/warehouse.duckdb")
    if not path.exists():
        raise SystemExit(f"{path} is not there: run `make daily` first")
    marts = duckdb.connect(str(path), read_only=True)

    def rows(sql):
        """The rows of a statement, as charts take them."""
        found = marts.execute(sql)
        names = [column[0] for column in found.description]
        days = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return alt.Data(
            values=[
                {
                    n: str(v) if "date" in n or n.endswith("_start") else v
                    for n, v in day.items()
                }
                for day in days
            ]
        )

    return alt, mo, rows


@app.cell
def _(mo):
    mo.md(
        """
        # Listening

        Every figure comes from `data/warehouse.duckdb`, the published marts. Days
        without a play are days of `dim_dates` without a row elsewhere.
        """
    )
    return


@app.cell
def _(alt, rows):
    weeks = rows(
        """
        select dates.week_start, coalesce(sum(days.scrobbles), 0)::bigint as scrobbles
        from marts.dim_dates as dates
        left join marts.fct_listener_days as days
            on days.scrobbled_date = dates.calendar_date
        where dates.calendar_date between
            (select min(scrobbled_date) from marts.fct_listener_days)
            and (select max(scrobbled_date) from marts.fct_listener_days)
        group by dates.week_start
        order by dates.week_start
        """
    )
    alt.Chart(weeks, title="Plays by week").mark_area(line=True, opacity=0.3).encode(
        x=alt.X("week_start:T", title=None), y=alt.Y("scrobbles:Q", title="plays")
    ).properties(width="container")
    return


@app.cell
def _(alt, rows):
    hours = rows(
        """
        select weekday, hour, scrobbles_clean as scrobbles
        from marts.listener_hours
        where listener_id = ''
        """
    )
    alt.Chart(hours, title="Hours of the week (UTC), 1 is Monday").mark_rect().encode(
        x=alt.X("hour:O", title="hour"),
        y=alt.Y("weekday:O", title="weekday"),
        color=alt.Color("scrobbles:Q", title="plays"),
    ).properties(width="container")
    return


@app.cell
def _(alt, rows):
    tags = rows(
        """
        select tags.tag_name, sum(artists.scrobbles)::bigint as scrobbles
        from marts.artist_tags as tags
        inner join marts.dim_artists as artists using (artist_id)
        where tags.rank = 1
        group by tags.tag_name
        order by scrobbles desc, tags.tag_name
        limit 12
        """
    )
    alt.Chart(tags, title="Plays by the artist's strongest tag").mark_bar().encode(
        x=alt.X("scrobbles:Q", title="plays"),
        y=alt.Y("tag_name:N", sort="-x", title=None),
    ).properties(width="container")
    return


if __name__ == "__main__":
    app.run()
