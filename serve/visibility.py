"""Who may see what of a listener: the one place that decides.

Owns the table :data:`WHO_SEES` and the conditions that put it into SQL. A question that
names listeners takes :class:`Named`; one that is filtered takes its plays from
:class:`serve.queries.windows.Plays`, which counts by :func:`days_of_enough`.
docs/privacy.md says the same to people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from serve.store.contract import among, in_lines

Reader = Literal["everybody", "the owner", "nobody"]

#: What -> who sees it of a listener who is public, and of one who is private.
WHO_SEES: dict[str, tuple[Reader, Reader]] = {
    # Pages, lists, trends and recommendations of one listener.
    "lists": ("everybody", "the owner"),
    # Name, id and counts where several listeners are told of: rankings, pairs,
    # neighbours, the listeners of an artist.
    "name": ("everybody", "nobody"),
}

#: Behind a filter, plays of a day are told of at least so many listeners, or not.
LEAST_LISTENERS = 5


def may_see(what: str, *, is_public: bool, is_own: bool) -> bool:
    """Whether somebody sees this of a listener; `is_own`: somebody is the listener."""
    reader = WHO_SEES[what][0 if is_public else 1]
    return reader == "everybody" or (reader == "the owner" and is_own)


@dataclass(frozen=True)
class Named:
    """Whom an answer may name to everybody: the listed, or all but the listed."""

    listed: frozenset[str]
    is_except: bool = False

    @property
    def binds(self) -> dict[str, str]:
        """The value for :meth:`where`. No key holds a line feed."""
        return {"named_listeners": in_lines(sorted(self.listed))}

    def where(self, listener_id: str) -> str:
        """The condition that the listener of this column may be named."""
        if may_see("name", is_public=False, is_own=False):
            return "cast(:named_listeners as text) is not null"
        compares = "not in" if self.is_except else "in"
        return f"{listener_id} {compares} {among('named_listeners')}"


NOBODY = Named(frozenset())


def days_of_enough(conditions: str, *, by_country: bool) -> str:
    """SQL: the days on which enough listeners have a play that passes `conditions`.

    `conditions` are on the alias `crowd` of the plays. As days are told whole or not at
    all, no two ranges differ by the plays of a few. With `by_country` the conditions
    leave the country out, and a day also needs that the listeners of the countries not
    told of (unknown ones among them) are none or enough: the panel less all other
    countries says nothing either. Where they are too few, the smallest told one joins.
    """
    if not by_country:
        return f"""
            select crowd.scrobbled_date from marts.fct_scrobbles as crowd
            where {conditions} and not crowd.is_flagged
            group by crowd.scrobbled_date
            having count(distinct crowd.listener_id) >= {LEAST_LISTENERS}
        """
    return f"""
        select told.part from ({
        _told_countries(f'''
            select
                crowd.scrobbled_date as part, people.country_key,
                count(distinct crowd.listener_id) as listeners
            from marts.fct_scrobbles as crowd
            inner join marts.dim_listeners as people
                on people.listener_id = crowd.listener_id
            where {conditions} and not crowd.is_flagged
            group by crowd.scrobbled_date, people.country_key
        ''')
    }) as told
        where told.country_key = :country
    """


def panel_of_country() -> str:
    """SQL: how many listeners a country has, where that may be told; else no row."""
    counts = """
        select 1 as part, people.country_key, count(*) as listeners
        from marts.dim_listeners as people
        group by people.country_key
    """
    return (
        f"select told.listeners from ({_told_countries(counts)}) as told"
        " where told.country_key = :country"
    )


def _told_countries(counts: str) -> str:
    """SQL: the rows (part, country_key, listeners) of `counts` that may be told."""
    return f"""
        select ranked.part, ranked.country_key, ranked.listeners
        from (
            select
                sized.part, sized.country_key, sized.listeners, sized.is_large,
                sum(case when sized.is_large then 0 else sized.listeners end)
                    over (partition by sized.part) as hidden,
                row_number() over (
                    partition by sized.part, sized.is_large
                    order by sized.listeners, sized.country_key
                ) as place
            from (
                select
                    counts.part, counts.country_key, counts.listeners,
                    counts.country_key is not null
                        and counts.listeners >= {LEAST_LISTENERS} as is_large
                from ({counts}) as counts
            ) as sized
        ) as ranked
        where ranked.is_large and (
            ranked.hidden = 0 or ranked.hidden >= {LEAST_LISTENERS} or ranked.place > 1
        )
    """
