# One image for every process: web (its command), relay, workers, and what is run once.
# docs/deploying.md has the commands. Nothing is written but below /tmp: `docker run --read-only --tmpfs /tmp`.

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS packages
COPY deploy/requirements.txt /
# Wheels only: nothing is compiled, and no code of a package runs while it is installed.
RUN python -m venv --without-pip /opt/shop \
    && python -m pip --python /opt/shop/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes --requirement /requirements.txt

FROM python:${PYTHON}
RUN groupadd --system --gid 10001 shop \
    && useradd --system --uid 10001 --gid shop --no-create-home --home-dir /nonexistent shop
COPY --from=packages /opt/shop /opt/shop
ENV PATH=/opt/shop/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    MALLOC_ARENA_MAX=2 \
    DJANGO_STATIC_ROOT=/srv/static \
    WEB_BIND=0.0.0.0:8000 \
    HEALTH_URL=http://127.0.0.1:8000/healthz

WORKDIR /srv/shop
COPY manage.py celeryconfig.py gunicorn.conf.py ./
COPY notifications notifications
COPY orders_site orders_site
# Once, here: there is no place for it later. These keys sign nothing and are in no layer.
RUN python -m compileall -q notifications orders_site \
    && DJANGO_SECRET_KEY=build DATABASE_URL=postgresql://build@build/build ADDRESS_HASH_KEY=build \
        ENCRYPTION_KEY=build python manage.py collectstatic --no-input --skip-checks --verbosity 0 \
        --ignore 'redoc*' \
    && python -m whitenoise.compress --quiet /srv/static
ENV PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
EXPOSE 8000 9464
STOPSIGNAL SIGTERM
# Kubernetes asks by itself. A worker or relay says where: PROCESS_BIND, and HEALTH_URL likewise.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
CMD ["gunicorn", "orders_site.wsgi"]
