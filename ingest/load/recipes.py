"""Every recipe by which a landed answer is read, whoever gave it. Data only."""

from __future__ import annotations

from ingest.corrections import METHOD as CORRECTED
from ingest.exports.tables import METHOD as IMPORTED
from ingest.lastfm.recipes import (
    CORRECTION_RECIPE,
    IMPORT_RECIPE,
    PUBLISHED_RECIPES,
    Recipe,
)
from ingest.providers import providers

ALL_RECIPES: tuple[Recipe, ...] = (
    *(recipe for provider in providers() for recipe in provider.recipes),
    *PUBLISHED_RECIPES,
    IMPORT_RECIPE,
    CORRECTION_RECIPE,
)
#: The methods, in small letters, of what people bring of their own.
OWN_METHODS = frozenset(
    {
        IMPORTED,
        CORRECTED,
        *(
            recipe.method.lower()
            for provider in providers()
            if provider.is_own
            for recipe in provider.recipes
        ),
    }
)


def recipes_of(method: str) -> tuple[Recipe, ...]:
    """The recipes of a method, whatever the capitals of its name."""
    return tuple(
        recipe for recipe in ALL_RECIPES if recipe.method.lower() == method.lower()
    )
