# The warehouse from its lock file: not root, nothing to write but /data and /tmp.
#
#   docker build -t scrobble .
#   docker run --read-only --tmpfs /tmp -v scrobble:/data scrobble daily
#
# Where no container engine is at hand, tests/test_container.py does what stands here in
# a plain folder that cannot be written: copies what COPY names, runs what RUN says but
# for the download of packages, and starts a day and the service as another user. An
# image has not been built there.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv .venv
COPY requirements.lock .
RUN .venv/bin/python -m pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE profiles.yml.example ./
COPY dbt_project dbt_project
COPY docs docs
COPY exchange exchange
COPY ingest ingest
COPY local_lastfm local_lastfm
COPY serve serve
COPY warehouse warehouse
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation --editable .
# Neither compiled nor parsed at run time: nobody may write here then.
RUN .venv/bin/python -m compileall -q warehouse ingest local_lastfm exchange serve
RUN .venv/bin/python -m warehouse.build

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin scrobble && install -d -o scrobble -m 700 /data
COPY --from=build /app /app
WORKDIR /app
ENV DATA_DIR=/data HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER scrobble
VOLUME /data
ENTRYPOINT [".venv/bin/scrobble"]
CMD ["serve"]
