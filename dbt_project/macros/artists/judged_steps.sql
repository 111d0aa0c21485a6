{# Returns the query of a recursive term: the day after the row of each artist in
   `walk`, as int_artist_steps has it, still with what the rules look at. `answers` has
   one row per artist and answered day, `touched` is one row with the last_date.
   Exists because a step takes five layers of arithmetic, one on the other; longer than
   other macros for the same reason. #}
{% macro judged_steps(walk, answers, touched) -%}
    {%- set rules = var('snapshot') -%}
    {%- set day = add_days('walk.snapshot_date', 1) -%}
    {%- set is_back = 'today.listeners >= base.listeners'
        ~ ' and today.playcount >= base.playcount' -%}
    {%- set is_gone, is_loser = 'sized.is_gone', 'sized.playcount_change < 0' -%}
    {%- set is_lower = 'walk.pending_state = 1 and not (' ~ is_back ~ ')' -%}
    select
        steps.*,
        {{ flow_state() }} as flow_state
    from (
        select
            sized.*,
            {%- for name, item, condition in [
                ('gone_playcounts', 'previous_playcount', is_gone),
                ('gone_listeners', 'previous_listeners', is_gone),
                ('play_losses', 'excess_plays', is_loser),
                ('loser_plays', 'usual_plays', is_loser),
                ('listener_losses', 'excess_listeners', is_loser),
                ('loss_tolerances', 'listener_tolerance', is_loser),
            ] %}
            {{ array_where('sized.' ~ item, condition) }} as {{ name }}
            {{- ',' if not loop.last }}
            {%- endfor %}
        from (
            select
                flows.*,
                flows.plays_per_day / (flows.usual_plays + {{ rules.usual_floor }})
                    as plays_ratio,
                flows.new_listeners_per_day
                / (flows.usual_listeners + {{ rules.usual_floor }}) as listeners_ratio,
                {{ rules.tolerance }} * flows.excess_plays
                + {{ rules.merge_days }} * flows.usual_plays as merge_tolerance,
                {{ rules.swap_listener_days }}
                * (flows.usual_listeners + {{ rules.usual_floor }})
                    as listener_tolerance,
                flows.plays_per_day
                > {{ rules.large_ratio }}
                * (flows.usual_plays + {{ rules.usual_floor }})
                and flows.excess_plays
                > {{ rules.large_days }} * flows.usual_plays as is_gain
            from (
                select
                    changes.*,
                    changes.is_same
                    and (
                        changes.known_flows = 0
                        or changes.usual_plays >= {{ rules.stall_least_plays }}
                    ) as is_repeated,
                    {{ per_day('changes.listeners_change', 'changes.flow_seconds') }}
                        as new_listeners_per_day,
                    {{ per_day('changes.playcount_change', 'changes.flow_seconds') }}
                        as plays_per_day,
                    changes.playcount_change
                    - changes.usual_plays * changes.flow_seconds / 86400
                        as excess_plays,
                    changes.listeners_change
                    - changes.usual_listeners * changes.flow_seconds / 86400
                        as excess_listeners
                from (
                    select
                        compared.*,
                        compared.listeners - compared.base_listeners
                            as listeners_change,
                        compared.playcount - compared.base_playcount
                            as playcount_change,
                        case
                            when
                                compared.base_seconds >= {{ rules.least_hours * 3600 }}
                                and {{ days_between(
                                    'compared.base_date', 'compared.snapshot_date'
                                ) }} <= {{ rules.longest_gap_days }}
                                then cast(floor(compared.base_seconds) as bigint)
                        end as flow_seconds
                    from (
                        select
                            walk.artist_id,
                            {{ day }} as snapshot_date,
                            walk.last_date as previous_date,
                            {{ seconds_apart('previous.', 'today.') }}
                                as seconds_since_previous,
                            walk.pending_state,
                            walk.last_ratio,
                            walk.listener_flows,
                            walk.play_flows,
                            cast(cardinality(walk.play_flows) as integer)
                                as known_flows,
                            coalesce({{ array_median('walk.listener_flows') }}, 0)
                                as usual_listeners,
                            coalesce({{ array_median('walk.play_flows') }}, 0)
                                as usual_plays,
                            today.artist_id is not null as is_answered,
                            today.artist_id is null and {{
                                days_between('walk.last_date', day)
                            }} <= {{ rules.gone_days }} as is_gone,
                            today.is_alias,
                            today.listeners,
                            today.playcount,
                            previous.listeners as previous_listeners,
                            previous.playcount as previous_playcount,
                            today.listeners = previous.listeners
                            and today.playcount = previous.playcount as is_same,
                            today.listeners < previous.listeners
                            or today.playcount < previous.playcount as is_fallen,
                            {{ is_back }} as is_back,
                            {%- for name, of_previous, of_base in [
                                ('date', 'walk.last_date', 'walk.next_base_date'),
                                ('listeners', 'previous.listeners', 'base.listeners'),
                                ('playcount', 'previous.playcount', 'base.playcount'),
                                (
                                    'seconds',
                                    seconds_apart('previous.', 'today.'),
                                    seconds_apart('base.', 'today.'),
                                ),
                            ] %}
                            case when {{ is_lower }} then {{ of_previous }} else {{
                                of_base
                            }} end as base_{{ name }}{{ ',' if not loop.last }}
                            {%- endfor %}
                        from {{ walk }} as walk
                        inner join {{ touched }} as touched
                            on walk.snapshot_date < touched.last_date
                        left join {{ answers }} as today
                            on
                                walk.artist_id = today.artist_id
                                and {{ day }} = today.snapshot_date
                        left join {{ answers }} as previous
                            on
                                walk.artist_id = previous.artist_id
                                and walk.last_date = previous.snapshot_date
                        left join {{ answers }} as base
                            on
                                walk.artist_id = base.artist_id
                                and walk.next_base_date = base.snapshot_date
                    ) as compared
                ) as changes
            ) as flows
        ) as sized
    ) as steps
{%- endmacro %}
