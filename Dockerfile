# Two stages: everything is made in the first by the same `make build` that a developer runs; the second holds the program, its two models, the shared
# libraries that the program names, and nothing else: no shell, no package manager.
# docker build --build-arg COMMIT=$(git rev-parse --short HEAD) --build-arg VERSION=$(make -s version) -t camserve .
# For arm64 from another machine: docker buildx build --platform linux/arm64; the program is cross-compiled, nothing but its check is emulated.
FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS build
WORKDIR /src

# From what changes least to what changes most: packages, the weights (fetched by hash), the program and the models.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make ca-certificates >/dev/null
COPY Makefile ./
COPY docker/install-packages docker/fetch-model docker/install-sysroot docker/
RUN make deps
COPY config/models config/models
RUN make weights
COPY . .
ARG COMMIT=unknown
RUN make -j"$(nproc)" build COMMIT="$COMMIT"
# What the image holds, put together in /image, and tried there as the user that it will run as.
ARG TARGETARCH BUILDARCH
RUN docker/image /image "$COMMIT" "${TARGETARCH:-}" "${BUILDARCH:-}"


FROM scratch
COPY --from=build /image /

# After SIGTERM it serves on for leave_ms while /readyz says 503, so that balancers turn away: give it 30 s before it is killed.
ENV PATH=/usr/local/bin CAMSERVE_HOST=0.0.0.0 CAMSERVE_LEAVE_MS=8000 CAMSERVE_MODEL=/usr/local/share/camserve/efficientnet-lite0.safetensors
EXPOSE 8080
USER 65532:65532

# At the admin port, where there is one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/usr/local/bin/camserve", "health"]
ENTRYPOINT ["/usr/local/bin/camserve"]
CMD ["serve"]

ARG COMMIT=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="camserve" \
      org.opencontainers.image.description="HTTP microservice: ImageNet labels for photos, and class activation maps of where the network saw them" \
      org.opencontainers.image.licenses="MIT AND Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
