# syntax=docker/dockerfile:1
# The gateway, its simulator and its tools. docs/decisions/0031-image.md says why it is made so.

# image/base/Dockerfile holds the name with its digest, from where image/build.sh takes it.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS build
# Debian's newest security fixes are wanted, and the base image is pinned: so no versions here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        binutils ca-certificates libexpat1 libstdc++6 media-types netbase python3.13-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python3.13 -m venv /opt/build && python3.13 -m venv --without-pip /opt/docwarden

WORKDIR /src
COPY requirements/runtime.txt image/build-requirements.txt ./
RUN /opt/build/bin/pip install --require-hashes --only-binary=:all: \
        --requirement build-requirements.txt \
    && /opt/build/bin/pip --python /opt/docwarden/bin/python install --no-compile \
        --require-hashes --only-binary=:all: --requirement runtime.txt

# Seconds since 1970: the time of every file, so that equal inputs make equal images.
ARG SOURCE_DATE_EPOCH=0
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --no-index --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/docwarden/bin/python install --no-compile \
        --no-deps --no-index /wheels/*.whl
COPY image/root.py ./
RUN python3.13 root.py --venv /opt/docwarden --root /rootfs

FROM scratch
COPY --from=build /rootfs /

ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="docwarden" \
    org.opencontainers.image.description="A fail-safe document gateway: delivers intact documents only" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}" \
    org.opencontainers.image.source="${SOURCE}"

ENV PATH=/opt/docwarden/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONUTF8=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    DOCWARDEN_LISTEN=0.0.0.0:8080 \
    DOCWARDEN_ADMIN_LISTEN=0.0.0.0:8081 \
    DOCWARDEN_REVISION=${REVISION}

USER 65532:65532
WORKDIR /
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 CMD ["docwarden", "probe", "live"]
ENTRYPOINT ["docwarden"]
CMD ["serve"]
