"""What dbt's documentation page lacks: names for its parts, contrast, a quiet console.

Owns the changes to the page that dbt writes. Each is a text of that page and what takes
its place; tests/test_readme.py tells when a newer dbt writes it otherwise.
"""

from __future__ import annotations

#: Text of dbt's page -> what takes its place.
CHANGES = {
    # People may enlarge the page.
    'content="width=device-width,minimum-scale=1,maximum-scale=1,initial-scale=1"': (
        'content="width=device-width,initial-scale=1"'
    ),
    # Addresses that the browser would ask for as they stand.
    "${require('./assets/favicons/favicon.ico')}": "data:,",
    'xlink:href="{{ getIcon': 'ng-attr-xlink:href="{{ getIcon',
    # Landmarks.
    '<div class="app-menu app-column">': (
        '<div class="app-menu app-column" role="navigation" aria-label="Tables">'
    ),
    '<div class="app-content app-column">': (
        '<div class="app-content app-column" role="main">'
    ),
    # What scrolls can be reached by keyboard.
    'class="app-details app-scroll app-pad"': (
        'class="app-details app-scroll app-pad" tabindex="0"'
    ),
    '<div class="detail-body">': '<div class="detail-body" tabindex="0">',
    'class="table-responsive"': 'class="table-responsive" tabindex="0"',
    # Headings in their order.
    "<h6>": '<h2 class="h6">',
    "</h6>": "</h2>",
    # Grey on white is too pale for many.
    "</head>": """\
<style>
.switch-label.btn, .menu .menu-tree, .menu .menu-link, .menu .menu-node,
.filename-normal, .filename-ellip, .nav > li > a, th, dt, .detail dt,
.table > thead > tr > th { color: #1f2937 !important; }
.app-details a { color: #0b5c63 !important; }
.text-muted, .text-light, small { color: #4b5563 !important; }
</style></head>""",
}


def mended(page: str) -> str:
    """The page with all changes; the last one at its first place only."""
    for found, instead in CHANGES.items():
        page = page.replace(found, instead, 1 if found == "</head>" else -1)
    return page
