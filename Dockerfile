# The probe alone, for a machine that has Docker or Podman: docs/container.md.
FROM python:3.13-slim AS build
WORKDIR /source
COPY requirements-probe.lock ./
RUN python3 -m venv /zond \
    && /zond/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements-probe.lock
COPY . .
RUN /zond/bin/pip install --quiet --no-cache-dir --no-deps . \
    && /zond/bin/pip uninstall --quiet --yes pip \
    && /zond/bin/python3 -m compileall -q /zond/lib

FROM python:3.13-slim
COPY --from=build /zond /zond
# A number, so that a host can hold it against runAsNonRoot; a folder that it may write to.
RUN mkdir -m 0700 /data && chown 10001:10001 /data
USER 10001:10001
ENV PATH=/zond/bin:$PATH HOME=/data XDG_DATA_HOME=/data XDG_CONFIG_HOME=/data/config \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
VOLUME ["/data"]
HEALTHCHECK --interval=30m --timeout=30s --start-period=26h CMD ["zond", "schedule", "check"]
ENTRYPOINT ["zond"]
CMD ["schedule", "keep", "--every", "24"]
