# The service with the pipeline's model: run make repro, then docker build --tag messages .
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements-serve.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements-serve.txt

FROM python:3.12-slim-bookworm
# Mount a volume for the database of corrections at /feedback.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin service \
    && install --directory --owner=service /feedback
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build /venv /venv
COPY src/__main__.py src/
COPY src/commands/__init__.py src/commands/serve.py src/commands/
COPY src/core src/core
COPY src/records src/records
COPY src/text src/text
COPY src/features src/features
COPY src/models src/models
COPY src/feedback src/feedback
COPY src/service src/service
RUN python -m compileall -q src
COPY params.yaml dvc.lock ./
COPY models/model.skops models/model.points.json models/
COPY reports/metrics.json reports/intervals.json reports/
COPY reports/plots reports/plots
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["python", "src", "serve", "--host", "0.0.0.0"]
CMD ["--workers", "2"]
