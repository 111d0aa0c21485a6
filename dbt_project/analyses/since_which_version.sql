-- Since which version does a chart say what it says?
select
    chart,
    scope,
    period,
    issue_date,
    revision,
    version,
    finality,
    changed_places

from {{ ref('chart_issues') }}

where chart = 'panel_artists'

order by issue_date desc, period asc, scope asc, revision desc

limit 20
