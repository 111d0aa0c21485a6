"""Imported plays beside last.fm's: once each, in any order of files, day by day."""

from __future__ import annotations
