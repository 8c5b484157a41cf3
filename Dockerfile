# The service with a packaged model: run make package, then docker build --tag model .
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY dist/requirements.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY dist/*.whl ./
# Whatever the name of the model is, python -m model runs its package.
RUN /venv/bin/pip install --no-cache-dir --no-index --no-deps ./*.whl \
    && for wheel in *.whl; do ln -s "${wheel%%-*}" /venv/lib/python3.12/site-packages/model; done

FROM python:3.12-slim-bookworm
# Mount a volume for the database of corrections at /feedback.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin service \
    && install --directory --owner=service /feedback
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /venv /venv
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["python", "-m", "model", "serve", "--host", "0.0.0.0"]
CMD ["--workers", "2"]
