# The service, for a PostgreSQL that runs elsewhere (docker-compose.yml has one).
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/voucher

COPY requirements/runtime.txt requirements/runtime.txt
RUN pip install --require-hashes -r requirements/runtime.txt

# Installed in place, as on a developer's machine: the migrations lie beside the package in both.
COPY . .
RUN pip install --no-deps --no-build-isolation --editable .

# The signing keys; a volume mounted here takes over this owner.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin voucher \
    && install --directory --owner voucher --mode 0700 /var/lib/voucher
ENV VOUCHER_STATE_DIR=/var/lib/voucher
USER voucher
VOLUME /var/lib/voucher

EXPOSE 8000
ENTRYPOINT ["voucher"]
CMD ["run", "--host", "0.0.0.0"]
