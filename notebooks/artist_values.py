"""What artists are worth: the market, one artist's value with its interval, growth.

Run it with ``marimo edit notebooks/artist_values.py`` in the folder that holds
``data/``.
"""

import marimo

app = marimo.App(width="medium", app_title="Artist values")


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

    def table(sql, *values):
        """The rows of a statement, as dictionaries with days as text."""
        found = marts.execute(sql, values)
        names = [column[0] for column in found.description]
        return [
            {
                n: str(v) if n.endswith("_date") else v
                for n, v in zip(names, row, strict=True)
            }
            for row in found.fetchall()
        ]

    return alt, mo, table


@app.cell
def _(mo, table):
    names = table(
        """
        select artist_name, artist_id
        from marts.dim_artists
        where is_tracked
        order by listeners desc nulls last, artist_id
        limit 200
        """
    )
    options = {row["artist_name"]: row["artist_id"] for row in names}
    chosen = mo.ui.dropdown(options, value=next(iter(options)), label="Artist")
    mo.vstack([mo.md("# Artist values"), chosen])
    return (chosen,)


@app.cell
def _(alt, chosen, table):
    days = table(
        """
        select value_date, value, value_low, value_high
        from marts.fct_artist_values
        where artist_id = ?
        order by value_date
        """,
        chosen.value,
    )
    base = alt.Chart(alt.Data(values=days), title="Value and its interval").encode(
        x=alt.X("value_date:T", title=None)
    )
    band = base.mark_area(opacity=0.25).encode(y="value_low:Q", y2="value_high:Q")
    line = base.mark_line().encode(y=alt.Y("value:Q", title="value"))
    (band + line).properties(width="container")
    return


@app.cell
def _(alt, table):
    newest = table(
        """
        select
            artists.artist_name, artist_values.stage, artist_values.growth,
            artist_values.value
        from marts.fct_artist_values as artist_values
        inner join marts.dim_artists as artists using (artist_id)
        where
            artist_values.value_date
            = (select max(value_date) from marts.fct_artist_values)
            and artist_values.value > 0
        order by artists.artist_id
        """
    )
    alt.Chart(alt.Data(values=newest), title="Growth by value").mark_circle().encode(
        x=alt.X("value:Q", scale=alt.Scale(type="log")),
        y=alt.Y("growth:Q", title="growth, in robust standard deviations"),
        color=alt.Color("stage:N", title="stage"),
        tooltip=["artist_name:N", "value:Q", "growth:Q"],
    ).properties(width="container")
    return


if __name__ == "__main__":
    app.run()
