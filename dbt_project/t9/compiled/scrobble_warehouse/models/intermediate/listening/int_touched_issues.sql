-- One row per chart and issue that this build draws up anew.
--
-- Issues of periods that are over, and of such as nothing is left of.
with

answered_charts as (

    select * from "new"."intermediate"."int_answered_charts"

),

closed_issues as (

    select * from "new"."intermediate"."int_closed_issues"

),


panel_issues as (

    select
        chart,
        period,
        issue_date

    from closed_issues

),


final as (

    select distinct
        chart,
        scope,
        cast('day' as TEXT) as period,
        issue_date

    from answered_charts

    union all

    select
        chart,
        cast('' as TEXT) as scope,
        period,
        issue_date

    from panel_issues

)

select * from final