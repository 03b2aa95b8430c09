# weir's build. `make help` lists the targets.
#
# Sources are found by wildcard: a new file needs no line here. Every object but cli/main.o goes into libweir.a, which the
# program and all test programs link. Flags of the libraries come from pkg-config, once, into $(DEPS)/flags.mk;
# making that file is also what checks the packages and builds librdkafka where the system's is too old.
#
#   make BUILD=build/x            another tree, same dependencies (asan and tsan do this)
#   make PARTS=processor unit     only some of the folders, and those unit tests that they suffice for: see ONLY
#   make test ONLY=queue          only the test programs whose path contains a word

BUILD   ?= build
DEPS    ?= build/deps
PARTS   ?= processor config stages connectors admin scenario cli
PREFIX  ?= /usr/local
RECORDS ?= 1000000
ONLY    ?=
SAN     ?=

CFLAGS  ?= -O2 -g
HARDEN  ?= $(if $(SAN),,-fstack-protector-strong -D_FORTIFY_SOURCE=2)
WARN    ?= -Wall -Wextra -Wshadow -Wconversion -Werror
SANITIZE = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all)

# What every compilation has, whatever CFLAGS says. Frame pointers: a profile of a running service must be readable.
COMMON   = -D_GNU_SOURCE -I. -I$(BUILD) -pthread -fno-omit-frame-pointer $(SANITIZE) $(HARDEN) $(WARN) $(LIB_CFLAGS) -MMD -MP
CSTD     = -std=gnu17 -Wstrict-prototypes
CXXSTD   = -std=c++17 -fno-rtti
ALL_LIBS = $(LDFLAGS) -pthread -Wl,-z,relro,-z,now $(SANITIZE) $(LIB_LIBS) $(LDLIBS) -lm

# ---- what there is ----------------------------------------------------------------------------------------------------
C_SRCS   := $(wildcard $(foreach part,$(PARTS),$(part)/*.c $(part)/*/*.c))
CXX_SRCS := $(wildcard $(foreach part,$(PARTS),$(part)/*.cpp))
LIB_OBJS := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(filter-out cli/main.c,$(C_SRCS)) $(CXX_SRCS)))
MAIN_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter cli/main.c,$(C_SRCS)))
PROGRAM  := $(if $(MAIN_OBJ),$(BUILD)/weir)
LIBRARY  := $(BUILD)/libweir.a

programs  = $(foreach src,$(wildcard tests/$(1)),$(if $(if $(ONLY),$(findstring $(ONLY),$(src)),all),$(src:%.c=$(BUILD)/%)))
SUPPORT_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c) \
                  $(filter-out tests/conformance/test_%,$(wildcard tests/conformance/*.c)))
SUPPORT  := $(BUILD)/libsupport.a
# Named to the linker: nothing of ours asks for it, but librdkafka is to find it before the C library's.
INTERPOSED := $(if $(filter thread,$(SAN)),$(BUILD)/obj/tests/support/c11_threads.o)
UNIT     := $(call programs,unit/test_*.c)
PIPELINE := $(call programs,pipeline/test_*.c)
INTEGRATION := $(call programs,integration/test_*.c)
CONFORMANCE := $(call programs,conformance/test_*.c)
# What the scripts of bench and chaos start: all of it, whatever ONLY says.
TOOLS    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c tests/chaos/*.c))
TESTS    := $(UNIT) $(PIPELINE) $(CONFORMANCE) $(INTEGRATION) $(TOOLS)
TEST_OBJS := $(TESTS:$(BUILD)/%=$(BUILD)/obj/%.o) $(SUPPORT_OBJS)

.PHONY: all demo test unit scenario pipeline integration bench gate soak asan tsan lint fmt docs install uninstall clean distclean help deps \
        deps-test FORCE
.DELETE_ON_ERROR:
.SECONDARY:
all: $(PROGRAM) $(LIBRARY)

# ---- dependencies ------------------------------------------------------------------------------------------------------
# Included, so make makes it first and starts over with it. Plain `make` only names the packages that are missing; the targets
# that promise to run from a bare machine install them.
INSTALLS := deps demo test unit scenario pipeline integration bench gate soak asan tsan lint
ifneq ($(filter-out clean distclean help fmt uninstall,$(or $(MAKECMDGOALS),all)),)
include $(DEPS)/flags.mk
endif

$(DEPS)/flags.mk: scripts/packages.txt scripts/librdkafka.sh scripts/flags.sh
	@scripts/deps.sh $(if $(filter $(INSTALLS),$(MAKECMDGOALS)),,--check) build
	@DEPS=$(DEPS) scripts/librdkafka.sh
	@DEPS=$(DEPS) scripts/flags.sh >$@.new && mv $@.new $@

deps:
	@scripts/deps.sh build test
deps-test:
	@scripts/deps.sh build test

# ---- program -----------------------------------------------------------------------------------------------------------
$(BUILD)/weir: $(MAIN_OBJ) $(LIBRARY)
	@echo "  LINK $@"
	@$(CXX) -o $@ $^ $(ALL_LIBS)

$(LIBRARY): $(LIB_OBJS) $(BUILD)/objects.txt
	@echo "  AR   $@"
	@rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)

$(BUILD)/obj/%.o: %.c $(BUILD)/compile.txt | $(BUILD)/version.h
	@mkdir -p $(@D) && echo "  CC   $<"
	@$(CC) $(CSTD) $(COMMON) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: %.cpp $(BUILD)/compile.txt | $(BUILD)/version.h
	@mkdir -p $(@D) && echo "  CXX  $<"
	@$(CXX) $(CXXSTD) $(COMMON) $(CFLAGS) -c -o $@ $<

# Written only when their text changes: what has been compiled by other flags or for another version is made again, and the
# archive loses the objects of sources that went away.
replace = mkdir -p $(@D); cat >$@.new; if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/objects.txt: FORCE
	@echo '$(LIB_OBJS)' | { $(replace); }
$(BUILD)/compile.txt: FORCE
	@echo '$(CC) $(CXX) $(CSTD) $(CXXSTD) $(COMMON) $(CFLAGS)' | { $(replace); }
$(BUILD)/version.h: FORCE
	@printf '#define WEIR_VERSION "%s"\n#define WEIR_REVISION "%s"\n' "$$(cat VERSION)" \
	    "$$(git describe --always --tags --abbrev=10 2>/dev/null || echo "$${REVISION:-unknown}")" | { $(replace); }

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(MAIN_OBJ) $(TEST_OBJS))

# ---- tests -------------------------------------------------------------------------------------------------------------
$(TEST_OBJS): | deps-test
$(TEST_OBJS): WARN += -Wno-conversion

$(TESTS): $(BUILD)/%: $(BUILD)/obj/%.o $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D) && echo "  LINK $@"
	@$(CXX) -o $@ $< $(INTERPOSED) $(SUPPORT) $(LIBRARY) $(ALL_LIBS) $$(pkg-config --libs cmocka)

# An archive, so that a test links only what it uses of it.
$(SUPPORT): $(SUPPORT_OBJS)
	@rm -f $@ && $(AR) rcs $@ $^

# Absolute: tests change their folder.
ENV = WEIR_BIN=$(abspath $(BUILD))/weir WEIR_BUILD=$(abspath $(BUILD)) WEIR_ROOT=$(CURDIR) DEPS=$(abspath $(DEPS))

# Pipelines as files: see docs/testing.md.
SCENARIOS := $(if $(if $(ONLY),$(findstring $(ONLY),tests/scenario),all),tests/scenario)

test: all $(UNIT) $(PIPELINE) $(CONFORMANCE) $(INTEGRATION) $(TOOLS)
	@$(ENV) scripts/run-tests.sh $(UNIT) $(SCENARIOS) $(PIPELINE) --servers $(CONFORMANCE) $(INTEGRATION)
unit: $(UNIT)
	@$(ENV) scripts/run-tests.sh $^
scenario: all
	@$(ENV) scripts/run-tests.sh tests/scenario
pipeline: $(PIPELINE)
	@$(ENV) scripts/run-tests.sh $^
integration: all $(CONFORMANCE) $(INTEGRATION) $(TOOLS)
	@$(ENV) scripts/run-tests.sh --servers $(CONFORMANCE) $(INTEGRATION)

bench: all $(TOOLS) | deps-test
	@$(ENV) tests/bench/run.sh
gate: all $(TOOLS) | deps-test
	@$(ENV) tests/bench/gate.sh
soak: all $(TOOLS) | deps-test
	@$(ENV) tests/chaos/soak.sh

# The same tree, compiled once more with a sanitizer; unit and pipeline tests, as those are the ones in process.
asan:
	@$(MAKE) BUILD=$(BUILD)/asan SAN=address,undefined CFLAGS='-O1 -g' unit-and-pipeline
tsan:
	@$(MAKE) BUILD=$(BUILD)/tsan SAN=thread CFLAGS='-O1 -g' unit-and-pipeline
.PHONY: unit-and-pipeline
unit-and-pipeline: $(UNIT) $(PIPELINE)
	@$(ENV) SAN=$(SAN) scripts/run-tests.sh $^

lint:
	@scripts/deps.sh build lint
	@CPPFLAGS='-D_GNU_SOURCE -I. -I$(BUILD) $(LIB_CFLAGS)' scripts/lint.sh
fmt:
	@scripts/deps.sh lint
	@scripts/lint.sh --fix

# The reference of all keys, out of the tables that config is parsed by.
docs: all
	@$(BUILD)/weir schema | scripts/reference.py docs/configuration.md

# ---- the rest ----------------------------------------------------------------------------------------------------------
demo: all
	@$(BUILD)/weir demo --records $(RECORDS)

# Where man(1) and the shells look, of what the program says of itself.
SHARED := man/man1/weir.1 bash-completion/completions/weir zsh/site-functions/_weir fish/vendor_completions.d/weir.fish

$(BUILD)/share/man/man1/weir.1: PRINT = help --man
$(BUILD)/share/bash-completion/completions/weir: PRINT = completion bash
$(BUILD)/share/zsh/site-functions/_weir: PRINT = completion zsh
$(BUILD)/share/fish/vendor_completions.d/weir.fish: PRINT = completion fish
$(SHARED:%=$(BUILD)/share/%): $(BUILD)/weir
	@mkdir -p $(@D) && $(BUILD)/weir $(PRINT) >$@

install: all $(SHARED:%=$(BUILD)/share/%)
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	for file in $(SHARED); do install -D -m 644 $(BUILD)/share/$$file $(DESTDIR)$(PREFIX)/share/$$file || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/doc/weir/examples
	install -m 644 LICENSE $(wildcard README.md) $(DESTDIR)$(PREFIX)/share/doc/weir
	$(if $(wildcard config/examples/*),cp -R config/examples/. $(DESTDIR)$(PREFIX)/share/doc/weir/examples)
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/weir $(SHARED:%=$(DESTDIR)$(PREFIX)/share/%)
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/weir

# What took minutes to get (librdkafka, the broker's jars) survives clean.
clean:
	@[ ! -d $(BUILD) ] || find $(abspath $(BUILD)) -mindepth 1 -maxdepth 1 ! -path '$(abspath $(DEPS))' -exec rm -rf {} +
distclean: clean
	rm -rf $(DEPS)
	@rmdir $(BUILD) 2>/dev/null || true

help:
	@echo 'make             build $(BUILD)/weir (make deps installs the packages it needs)'
	@echo 'make demo        install what is missing, build, and run it all on an embedded broker (RECORDS=1000000)'
	@echo 'make test        install what is missing, build, run all tests (parts: unit scenario pipeline integration; ONLY=word)'
	@echo 'make asan tsan   unit and pipeline tests under the sanitizers'
	@echo 'make bench       CPU per record on a real broker; make gate: instructions per record against the baseline'
	@echo 'make soak        the long tests: kills, blocked store, rebalances'
	@echo 'make lint fmt    check, or repair, layout; lint also runs static analysis and the rules on folders and sizes'
	@echo 'make docs        write the reference in docs/configuration.md anew'
	@echo 'make install     to DESTDIR and PREFIX ($(PREFIX)); uninstall takes it away'
	@echo 'make clean       remove what was compiled; distclean also the dependencies in $(DEPS)'
