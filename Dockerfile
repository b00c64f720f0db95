# The probe alone: `docker run -v zond:/data IMAGE run --yes --list /data/list.csv`
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --quiet --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY requirements-probe.lock /tmp/
COPY --from=build /wheels /wheels
RUN pip install --quiet --no-cache-dir --require-hashes -r /tmp/requirements-probe.lock \
    && pip install --quiet --no-cache-dir --no-deps /wheels/*.whl \
    && rm -rf /wheels /tmp/requirements-probe.lock \
    && useradd --create-home zond && mkdir /data && chown zond /data
USER zond
ENV ZOND_DB=/data/zond.db
ENTRYPOINT ["zond"]
CMD ["--help"]
