{# Returns what a step of an artist's counters is taken for, an integer: 0 stall,
   1 down, 2 merge, 3 opposite, 4 plays only, 5 history, 6 unconfirmed; null for
   attention, and where there is nothing to compare with. The step is a row `steps` with
   its own flows, their usual size, and the arrays of the day: see int_artist_steps.
   Exists so that the order of the rules is read in one place. #}
{% macro flow_state() -%}
    {%- set flow = var('snapshot') -%}
    case
        when steps.is_repeated then 0
        when steps.listeners_change < 0 or steps.playcount_change < 0 then 1
        when steps.known_flows < {{ flow.least_flows }} then null
        when
            steps.is_gain
            and {{ is_any(
                ['steps.gone_playcounts', 'steps.gone_listeners'],
                'abs({0} - steps.excess_plays) <= steps.merge_tolerance'
                ~ ' and {1} >= 0.98 * steps.excess_listeners - steps.usual_listeners',
            ) }}
            then 2
        when
            steps.is_gain
            and {{ is_any(
                [
                    'steps.play_losses',
                    'steps.loser_plays',
                    'steps.listener_losses',
                    'steps.loss_tolerances',
                ],
                'abs({0} + steps.excess_plays) <= ' ~ flow.tolerance
                ~ ' * steps.excess_plays + ' ~ flow.swap_days
                ~ ' * greatest({1}, steps.usual_plays)'
                ~ ' and abs({2} + steps.excess_listeners)'
                ~ ' <= {3} + steps.listener_tolerance',
            ) }}
            then 3
        when steps.pending_state = 6 and not steps.is_fallen then null
        when
            steps.plays_ratio > {{ flow.alone_ratio }}
            and steps.listeners_ratio < {{ flow.alone_share }} * steps.plays_ratio
            and steps.listeners_ratio < {{ flow.alone_ratio }}
            then 4
        when
            steps.plays_ratio > {{ flow.impossible_ratio }}
            or (
                steps.plays_ratio > {{ flow.history_ratio }}
                and steps.plays_per_day * steps.usual_listeners
                > {{ flow.history_plays }}
                * steps.usual_plays * steps.new_listeners_per_day
            )
            then 5
        when
            steps.pending_state is distinct from 6
            and greatest(steps.plays_ratio, steps.listeners_ratio)
            > {{ flow.sudden_ratio }}
            and coalesce(steps.last_ratio, 0) <= {{ flow.sudden_share }}
            * greatest(steps.plays_ratio, steps.listeners_ratio)
            then 6
    end
{%- endmacro %}
