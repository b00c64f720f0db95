# The probe alone: `docker run -v zond:/data IMAGE run --yes --list /data/list.csv`
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --quiet --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY requirements.lock /tmp/requirements.lock
COPY --from=build /wheels /wheels
# The lock names all extras; pip takes from it, with hashes checked, what the probe needs.
RUN pip install --quiet --no-cache-dir --constraint /tmp/requirements.lock /wheels/*.whl \
    && rm -rf /wheels /tmp/requirements.lock \
    && useradd --create-home zond && mkdir /data && chown zond /data
USER zond
ENV ZOND_DB=/data/zond.db
ENTRYPOINT ["zond"]
CMD ["--help"]
