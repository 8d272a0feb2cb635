# Two stages: everything is made in the first by the same `make build` that a developer runs; the second keeps the program, the model and the
# shared libraries that the program names.
# docker build --build-arg COMMIT=$(git rev-parse --short HEAD) --build-arg VERSION=$(make -s version) -t camserve .
FROM debian:bookworm-slim AS build
WORKDIR /src

# From what changes least to what changes most: packages, the weights (fetched by hash), the program and the model.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make ca-certificates >/dev/null
COPY Makefile ./
COPY docker/install-packages docker/fetch-model docker/
RUN make deps
COPY config/models config/models
RUN make weights
COPY . .
ARG COMMIT=unknown
RUN make -j"$(nproc)" build COMMIT="$COMMIT" && strip build/camserve


FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libcjson1 libgnutls30 libinih1 libdeflate0 libjpeg62-turbo liblbfgs0 liblcms2-2 libmicrohttpd12 libnettle8 libopenblas0-pthread libpng16-16 libprotobuf-c1 libseccomp2 libwebp7 libzip4 >/dev/null \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=build /src/build/camserve /usr/local/bin/
COPY --from=build /src/models/efficientnet-lite0.safetensors /usr/local/share/camserve/
COPY LICENSE /usr/local/share/doc/camserve/

# After SIGTERM it serves on for leave_ms while /readyz says 503, so that balancers turn away: give it 30 s before it is killed.
ENV CAMSERVE_HOST=0.0.0.0 CAMSERVE_LEAVE_MS=8000 CAMSERVE_MODEL=/usr/local/share/camserve/efficientnet-lite0.safetensors
EXPOSE 8080
USER 65532:65532
# Every library is there and the model is readable and whole, as that user: else the image is not built.
RUN ["camserve", "info"]

HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["camserve", "health"]
ENTRYPOINT ["camserve"]
CMD ["serve"]

ARG COMMIT=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="camserve" \
      org.opencontainers.image.description="HTTP microservice: ImageNet labels for photos, and class activation maps of where the network saw them" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
