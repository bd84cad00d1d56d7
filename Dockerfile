# bitplan in an image of its own. Not run so far: written after the steps of `make install` on Debian 12.
#
#   docker build -t bitplan .
#   docker run --rm -v "$PWD:/data" bitplan inspect MODEL
FROM swift:6.2-bookworm AS build
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make pkg-config libsentencepiece-dev libsqlite3-dev libssl-dev
WORKDIR /bitplan
COPY . .
RUN make install PREFIX=/usr/local DESTDIR=/image

FROM debian:bookworm-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libsentencepiece0 libsqlite3-0 libssl3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /image/usr/local /usr/local
WORKDIR /data
ENTRYPOINT ["bitplan"]
