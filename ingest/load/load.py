"""From landing files to schema raw, whole or not at all.

Owns the order: parse, stage, promote. Loading the same parts again is a no-op; a load
that died leaves raw as it was, and everything in raw can be made again from landing.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ingest import landing
from ingest.landing import Part, list_parts
from ingest.load import dead_letters
from ingest.load.parse import Parsed, Parser
from ingest.load.promote import (
    FenceCheck,
    Promotion,
    answered_calls,
    drop_dead_stages,
    loaded_parts,
    promote,
)
from ingest.load.stage import fill_stage, import_dlt_meanwhile, stage_name
from warehouse import ops
from warehouse.plurals import plural
from warehouse.run import Run, StepResult, Target

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadResult:
    """What a load did; ``load_id`` is None when there was nothing to load."""

    load_id: int | None
    parts: int = 0
    answers: int = 0
    errors: int = 0
    items: int = 0
    rows: int = 0
    dead: int = 0
    bytes: int = 0
    brought_items: int = 0
    brought_dead: int = 0
    rows_by_table: dict[str, int] = field(default_factory=dict)


def unloaded_parts(target: Target, parts: Sequence[Part]) -> list[Part]:
    """Those of the landing parts that are not in raw yet, in their order."""
    there = loaded_parts(target)
    return [part for part in parts if part.part not in there]


def load(
    target: Target,
    landing_dir: Path,
    parts: Sequence[Part],
    run_id: str,
    as_of_date: date,
    work_dir: Path,
    fence_check: FenceCheck,
    progress: Progress | None = None,
) -> LoadResult:
    """Load what is not loaded yet of these parts, as one load.

    Args:
        work_dir: a folder of this run only; emptied of what the load put there.
        fence_check: raises when this run may no longer write; called inside the
            transaction that makes the load visible.
        progress: called with a phase, the bytes done and all bytes.

    Raises:
        LoadFailed: landing files are damaged, or the items do not come out.
    """
    fence_check(None)
    drop_dead_stages(target)
    todo = unloaded_parts(target, parts)
    if not todo:
        return LoadResult(None)
    folder = work_dir / "load"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    importing = import_dlt_meanwhile()
    try:
        parsed = _parsed(target, landing_dir, todo, folder, progress)
        importing.join()
        stage = fill_stage(target, parsed.files, stage_name(run_id), folder)
        load_id = promote(
            target,
            stage,
            Promotion(
                run_id=run_id,
                as_of_date=as_of_date,
                parts=todo,
                part_answers=parsed.part_answers,
                answers=parsed.answers,
                items=parsed.items,
                rows=parsed.rows,
                dead=parsed.dead,
                rows_by_table=parsed.rows_by_table,
            ),
            fence_check,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return LoadResult(
        load_id=load_id,
        parts=len(todo),
        answers=parsed.answers,
        errors=parsed.errors,
        items=parsed.items,
        rows=parsed.rows,
        dead=parsed.dead,
        bytes=parsed.bytes,
        brought_items=parsed.brought_items,
        brought_dead=parsed.brought_dead,
        rows_by_table=parsed.rows_by_table,
    )


def _parsed(
    target: Target,
    landing_dir: Path,
    parts: Sequence[Part],
    folder: Path,
    progress: Progress | None,
) -> Parsed:
    days = sorted({part.as_of_date for part in parts})
    parser = Parser(landing_dir, folder)
    try:
        return parser.parse(
            parts,
            answered_calls(target, days),
            None
            if progress is None
            else lambda done, total: progress("parse", done, total),
        )
    finally:
        parser.close()


def load_step(run: Run) -> StepResult:
    """The step ``load`` of the daily run: everything landed that raw does not have.

    What operators wish for dead letters is carried out here too.
    """
    ops.ensure_tables(run.engine, dead_letters.metadata)
    ops.ensure_tables(run.engine, landing.metadata)
    with run.engine.begin() as connection:
        parts = list_parts(connection, complete_only=True)
        wishes = dead_letters.open_wishes(connection)
    result = load(
        run.target,
        run.landing_dir,
        [part for part in parts if part.as_of_date <= run.as_of_date],
        run.run_id,
        run.as_of_date,
        run.work_dir,
        run.lease.check,
        lambda phase, done, total: run.reporter.advance(done, total, phase),
    )
    replayed = dead_letters.Replay(None, (), (), 0)
    if wishes:
        replayed = dead_letters.carry_out(
            run.target,
            run.landing_dir,
            wishes,
            run.run_id,
            run.as_of_date,
            run.work_dir,
            run.lease.check,
        )
        with run.engine.begin() as connection:
            dead_letters.give_up_wishes(
                connection, replayed.still_dead, "does not fit today either"
            )
    text = "nothing new in landing"
    if result.load_id is not None:
        text = (
            f"{plural(result.rows, 'row')} of {plural(result.answers, 'answer')}"
            f" ({plural(result.errors, 'error')}) in"
            f" {plural(result.parts, 'landing file')},"
            f" {plural(result.dead, 'dead letter')}"
        )
    if replayed.replayed or replayed.still_dead:
        text += (
            f"; {plural(len(replayed.replayed), 'dead letter')} replayed,"
            f" {len(replayed.still_dead)} still not fitting"
        )
    return StepResult(
        text,
        {
            "load_id": replayed.load_id or result.load_id,
            "parts": result.parts,
            "answers": result.answers,
            "errors": result.errors,
            "items": result.items,
            "rows": result.rows,
            "dead_letters": result.dead,
            "brought_items": result.brought_items,
            "brought_dead_letters": result.brought_dead,
            "replayed": len(replayed.replayed),
        },
    )
