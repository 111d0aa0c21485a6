"""What libpq finds by itself reaches PostgreSQL through dlt as well."""

from __future__ import annotations

from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, make_url, text

from ingest.load.pooled_postgres import as_given, with_all_parts
from ingest.load.stage import fill_stage
from warehouse.run import Target

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@db.example/x",
        "postgresql://me:secret@db.example:5433/x?sslmode=require",
        "postgresql://db.example/x",
        "postgresql:///x?host=%2Fvar%2Frun%2Fpostgresql",
        "postgresql:///x",
    ],
)
def test_a_url_comes_back_as_it_was_given(url: str) -> None:
    assert make_url(as_given(with_all_parts(url))) == make_url(url)


@pytest.fixture
def passfile(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database's URL without its password, which libpq has in its file."""
    url = make_url(postgres_url)
    path = tmp_path / "pgpass"
    path.write_text(f"*:*:*:*:{url.password}\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    return url._replace(password=None).render_as_string()


def test_a_stage_is_filled_without_a_password_in_the_url(
    passfile: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table(
        {
            "answer_no": pa.array([1], pa.int64()),
            "part": pa.array(["a"]),
            "bytes": pa.array([2], pa.int64()),
            "answers": pa.array([3], pa.int64()),
        }
    )
    pq.write_table(table, path)
    fill_stage(Target(url=passfile), {"load_parts": [path]}, "stage_x", tmp_path)
    engine = create_engine(passfile)
    with engine.connect() as connection:
        query = text("select part, bytes, answers from stage_x.load_parts")
        assert connection.execute(query).all() == [("a", 2, 3)]
    engine.dispose()


def test_the_control_without_the_file_the_password_is_missing(
    passfile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSFILE")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(passfile.replace("+psycopg2", ""))
