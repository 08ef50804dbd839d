# One image for every process: web, tick, the workers and migrate differ by their command only.
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml requirements.lock ./
COPY deploy/runtime_lock.py deploy/
# Only what the product needs, each file by its hash; test tools and the embedded database stay out.
RUN python deploy/runtime_lock.py > runtime.lock \
 && python -m venv /opt/auditor \
 && /opt/auditor/bin/pip install --require-hashes --no-deps --only-binary :all: -r runtime.lock

FROM python:3.11-slim
RUN groupadd --gid 10001 auditor \
 && useradd --uid 10001 --gid auditor --no-create-home --home-dir /var/lib/auditor --shell /usr/sbin/nologin auditor \
 && install --directory --owner auditor --group auditor --mode 0700 /var/lib/auditor /var/lib/auditor-ledger
COPY --from=build /opt/auditor /opt/auditor
WORKDIR /app
COPY auditor auditor
COPY controls controls
COPY dashboard dashboard
COPY migrations migrations
ENV PATH=/opt/auditor/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    AUDITOR_HOME=/var/lib/auditor \
    AUDITOR_HOST=0.0.0.0
# What is worked out from files once is kept beside the bytecode: the file system is read-only later.
RUN python -m compileall -q auditor controls dashboard migrations \
 && python -m auditor.cli list checks >/dev/null \
 && python -m auditor.cli permissions aws >/dev/null
USER 10001:10001
VOLUME /var/lib/auditor
EXPOSE 8420
ENTRYPOINT ["python", "-m", "auditor.cli"]
CMD ["--help"]
