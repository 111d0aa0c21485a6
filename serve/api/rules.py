"""One's own rules, /api/v1/account/rules, and corrections for everybody beside them.

What is left out, merged, split or written otherwise in one's own lists. Nobody else
reads them, and they change nobody else's answer. What is so for everybody is decided by
an administrator alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BeforeValidator, Field, StringConstraints

from serve.accounts import Account, require, rules
from serve.answers import account_answer
from serve.api.accounts import Body, Done, JobRow, integral
from serve.api.description import Row, operation_id, own
from serve.api.listening import account_zone
from serve.api.parameters import Nothing, Parameters, Text
from serve.context import reading, services
from serve.own_rules import MOST_ARTISTS, MOST_RULES, Kind, NoRule, Rule
from serve.problems import Problem
from serve.queries import artists
from serve.queries.listening import Listening
from serve.queries.own_rules import prepared, preview
from serve.ranges import of_word
from warehouse.names import name_key

api = APIBlueprint(
    "rules",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1/account",
    abp_tags=[Tag(name="account", description="one's own account, tokens and jobs")],
    abp_security=[{"bearer": []}, {"session": []}],
)

Hour = Annotated[int, Field(ge=0, le=24), BeforeValidator(integral)]


class RuleBody(Body):
    kind: Kind = Field(
        description="leave out an artist, album, track, tag or hours; or say what an"
        " artist, album or track is"
    )
    artist: Text | None = Field(None, description="the artist's name")
    title: Text | None = Field(None, description="the album's or track's title")
    tag: Text | None = Field(None, description="the tag's name")
    becomes: list[Text] = Field(
        default_factory=list,
        max_length=MOST_ARTISTS,
        description="the right name; of an artist several, who share each play",
    )
    first_hour: Hour = Field(0, description="first hour left out, 0 to 23")
    last_hour: Hour = Field(0, description="hour at which that ends, 1 to 24")

    @property
    def rule(self) -> Rule:
        """The rule that is meant.

        Raises:
            Problem: it lacks something.
        """
        return checked(
            Rule(
                kind=self.kind,
                artist=self.artist or "",
                title=self.title or "",
                tag=self.tag or "",
                becomes=tuple(self.becomes),
                first_hour=self.first_hour,
                last_hour=self.last_hour,
            )
        )


class RulePath(Parameters):
    rule_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] = Field(
        description="key of the rule"
    )


class RuleRow(Row):
    rule_id: str = Field(description="key of the rule")
    kind: Kind = Field(description="what it does")
    artist: str = Field(description="the artist's name, or nothing")
    title: str = Field(description="the album's or track's title, or nothing")
    tag: str = Field(description="the tag's name, or nothing")
    becomes: list[str] = Field(description="the right name, or the artists it is")
    first_hour: int = Field(description="first hour left out, by the own clock")
    last_hour: int = Field(description="hour at which that ends")
    in_words: str = Field(description="the rule as a sentence")


class RulePreview(Row):
    plays: int = Field(description="one's own plays that the rule is about")
    all_plays: int = Field(description="all of one's own plays")


def checked(rule: Rule) -> Rule:
    """The rule as it is kept.

    Raises:
        Problem: it lacks something.
    """
    try:
        return rule.checked()
    except NoRule as error:
        raise Problem("bad_request", f"this is no rule: {error}") from None


def looked_at(account: Account, rule: Rule) -> dict[str, Any]:
    """How many of the account's own plays a rule is about, and how many there are."""
    with reading() as reader:
        as_of = reader.published.as_of_date
        zone = account_zone(account)
        made = prepared(reader, (rule,), zone)
        listening = Listening(
            account.listener_id, of_word("all_time", as_of), as_of, zone, rules=made
        )
        found = preview(reader, account.listener_id, made, listening.ruled_local)
    return found.records()[0]


def keep(account: Account, rule: Rule) -> str:
    """Keep a rule of an account; gives its id.

    Raises:
        Problem: there are too many.
    """
    try:
        return rules.add(services().accounts, account.account_id, rule)
    except rules.TooMany:
        raise Problem("conflict", f"there are {MOST_RULES} rules; remove one") from None


def drop(account: Account, rule_id: str) -> None:
    """Remove a rule of an account.

    Raises:
        Problem: 404, the account has none of this id.
    """
    if not rules.remove(services().accounts, account.account_id, rule_id):
        raise Problem("not_found", "you have no such rule")


def rows(account: Account) -> list[dict[str, Any]]:
    """The rules of an account, oldest first."""
    found = rules.of_account(services().accounts, account.account_id)
    return [_row(rule_id, rule) for rule_id, rule in found.items()]


def _row(rule_id: str, rule: Rule) -> dict[str, Any]:
    return {
        "rule_id": rule_id,
        "kind": rule.kind,
        "artist": rule.artist,
        "title": rule.title,
        "tag": rule.tag,
        "becomes": list(rule.becomes),
        "first_hour": rule.first_hour,
        "last_hour": rule.last_hour,
        "in_words": rule.in_words,
    }


@api.get("/rules", responses=own(list[RuleRow], name="RuleList"))
def list_rules(query: Nothing) -> Response:
    """One's own rules, oldest first."""
    return account_answer(rows(require("read")))


@api.post("/rules", responses=own(RuleRow, 201))
def add_rule(query: Nothing, body: RuleBody) -> Response:
    """Keep a rule: from now on one's own lists and statistics go by it."""
    asking = require("write")
    rule = body.rule
    return account_answer(_row(keep(asking, rule), rule), 201)


@api.post("/rules/preview", responses=own(RulePreview))
def preview_rule(query: Nothing, body: RuleBody) -> Response:
    """How many of one's own plays a rule would be about; keeps nothing."""
    asking = require("write")
    return account_answer(looked_at(asking, body.rule))


@api.delete("/rules/<rule_id>", responses=own(Done))
def remove_rule(path: RulePath, query: Nothing) -> Response:
    """Remove a rule: the plays are as they were told again."""
    drop(require("write"), path.rule_id)
    return account_answer({"is_done": True})


class CorrectionBody(Body):
    artist: Text = Field(description="a name, as charts or plays have it")
    becomes: Text = Field(
        description="the artist it is for everybody; its own name: an artist of its own"
    )


def correct(asking: Account, artist: str, becomes: str) -> tuple[dict[str, Any], bool]:
    """The job that decides what a name is for everybody, and whether it is new.

    Raises:
        Problem: a name is no artist's here, or it is so already.
    """
    name, right = " ".join(artist.split()), " ".join(becomes.split())
    with reading() as reader:
        found = artists.correction(reader, name=name)
        target = artists.correction(reader, name=right)
    for one, there in ((name, found), (right, target)):
        if there is None:
            raise Problem("not_found", f"no artist is called {one or 'nothing'} here")
    assert found is not None and target is not None
    if name_key(name) == name_key(right):
        right = name
        if not found["is_alias"]:
            raise Problem("conflict", f"{name} is an artist of its own already")
    elif found["artist_id"] == target["artist_id"]:
        raise Problem("conflict", f"{name} and {right} are one artist already")
    else:
        right = target["artist_name"]
    return services().jobs.start(
        asking.account_id,
        "correct_artist",
        asking.listener_name,
        subject=f"{name}\n{right}",
    )


@api.post("/corrections", responses={**own(JobRow, 202), **own(JobRow, 200)})
def correct_artist(query: Nothing, body: CorrectionBody) -> Response:
    """Decide what an artist's name is for everybody (scope admin).

    Charts, values and the exchange go by it from the next daily run on, over all of
    history. It stands before last.fm's corrections, until another decision.
    """
    job, is_new = correct(require("admin"), body.artist, body.becomes)
    headers = {"Location": f"/api/v1/jobs/{job['job_id']}"}
    return account_answer(job, 202 if is_new else 200, headers)
