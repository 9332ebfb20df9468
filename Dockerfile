# The image runs as nobody, with a read-only root:
#   docker run --read-only -v ./callbridge:/etc/callbridge:ro -v callbridge:/var/lib/callbridge -p 10077:10077 callbridge
# The database belongs into the volume: storage.url: sqlite:////var/lib/callbridge/callbridge.db
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
# The second is without pip: what runs holds no way to install anything.
RUN python -m venv /venv && python -m venv --without-pip /opt/callbridge \
 && /venv/bin/pip install --no-compile --require-hashes -r requirements-build.lock \
 && /venv/bin/pip --python=/opt/callbridge/bin/python install --no-compile --require-hashes -r requirements.lock
COPY LICENSE README.md config.example.yaml pyproject.toml ./
COPY templates templates
COPY bridge bridge
# Compiled here, for a read-only root cannot keep what is compiled later; not by time stamps, which copying changes.
RUN /venv/bin/python -m hatchling build -t wheel -d dist \
 && /venv/bin/pip --python=/opt/callbridge/bin/python install --no-compile --no-deps --no-index dist/*.whl \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/callbridge/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BRANCH=unknown
LABEL org.opencontainers.image.title="callbridge" \
      org.opencontainers.image.description="Wakes the right person by telephone when Prometheus says that something is on fire." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV CALLBRIDGE_REVISION=${REVISION} \
    CALLBRIDGE_BRANCH=${BRANCH} \
    PATH=/opt/callbridge/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN install -d -o 65534 -g 65534 -m 0700 /var/lib/callbridge && install -d /etc/callbridge
COPY --from=build /opt/callbridge /opt/callbridge
USER 65534:65534
WORKDIR /var/lib/callbridge
VOLUME /var/lib/callbridge
EXPOSE 10077
# No HEALTHCHECK: whoever runs the image asks GET /-/healthy and /-/ready.
ENTRYPOINT ["callbridge"]
# It listens beyond the container, and so it wants credentials: webhooks.alertmanager in callbridge.yaml, and in web.yaml
# basic_auth_users: {me: $2y$10$…}, as `htpasswd -nBC 10 me` prints it; TLS goes there too. Where a proxy asks for both:
# … callbridge serve --config.file=/etc/callbridge/callbridge.yaml --web.listen-address=:10077 --web.allow-unauthenticated
CMD ["serve", "--config.file=/etc/callbridge/callbridge.yaml", "--web.config.file=/etc/callbridge/web.yaml", "--web.listen-address=0.0.0.0:10077"]
