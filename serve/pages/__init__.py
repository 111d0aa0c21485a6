"""The pages people see: server-rendered, a picture first, a table under it.

Owns routes, templates, pictures and wording. Asks the functions of `serve.queries` and
of the other parts; never writes SQL, never asks another host, needs no script to read.
"""

from __future__ import annotations

from flask import Flask


def install(app: Flask) -> None:
    """Add the pages; called by the application factory."""
    from serve.pages import about as about_pages
    from serve.pages import api as api_page
    from serve.pages import artists as artist_pages
    from serve.pages import charts as chart_pages
    from serve.pages import compare as compare_pages
    from serve.pages import covers as cover_pages
    from serve.pages import friends as friend_pages
    from serve.pages import home as home_pages
    from serve.pages import listeners as listener_pages
    from serve.pages import listening as listening_pages
    from serve.pages import methods as method_pages
    from serve.pages import recommendations as recommendation_pages
    from serve.pages import reports as report_pages
    from serve.pages import restatements as restatement_pages
    from serve.pages import rules as rule_pages
    from serve.pages import search as search_page
    from serve.pages import sql as sql_page
    from serve.pages import tags as tag_pages
    from serve.pages import trends as trend_pages
    from serve.pages import weekly_feed as weekly_pages
    from serve.pages import works as work_pages
    from serve.pages.site import make_pages, wrap_problems

    pages = make_pages()
    for module in (
        home_pages,
        search_page,
        chart_pages,
        artist_pages,
        compare_pages,
        trend_pages,
        tag_pages,
        work_pages,
        cover_pages,
        listener_pages,
        listening_pages,
        recommendation_pages,
        report_pages,
        friend_pages,
        weekly_pages,
        rule_pages,
        about_pages,
        api_page,
        method_pages,
        restatement_pages,
    ):
        module.add_routes(pages)
    if "exchange" in app.extensions:
        from serve.pages import exchange as exchange_pages

        exchange_pages.add_routes(pages)
    sql_page.add_routes(pages, app)
    app.register_blueprint(pages)
    wrap_problems(app)
    about_pages.allow_docs(app)
