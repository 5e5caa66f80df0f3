# SPDX-License-Identifier: MIT
#
# The one Makefile of holt. It is not recursive: every object is a target of this file, so make sees all of the
# tree at once. Sources are found by wildcard, a new file needs no line here. Nothing is written outside $(BUILD).
#
# It promises that a change of flags, of a header or of the list of files rebuilds what depends on it, and that
# "make deps check" works on a machine that has nothing but make: no tool is asked for anything while this file is
# read (pkg-config is called when the first recipe needs its answer), and all else waits for deps.
#
#   make CC=clang CFLAGS=-O3 WERROR=1 V=1 SAN=address,undefined|thread CONTEXT=ucontext BUILD=folder JOBS=n
#   make ONLY="task queue" RUNNER="valgrind -q" check-unit

VERSION := 0.1.0
SONAME  := libholt.so.0
NODE    := HOLT_0

PREFIX ?= /usr
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
CFLAGS ?= -O2 -g
ifeq ($(origin CC),default)
CC := cc
endif
CXX        ?= c++
PKG_CONFIG ?= pkg-config
JOBS       ?= $(shell nproc)

# ---- what is built, and where

comma := ,
empty :=
variant := $(filter ucontext,$(CONTEXT))$(if $(SAN),$(if $(CONTEXT),-)san-$(subst $(comma),-,$(SAN)))
BUILD ?= build$(addprefix /,$(variant))

# The machine is that of a cross compiler's name, else ours. Where there is no switch of our own, the ucontext way.
MACHINE ?= $(firstword $(subst -, ,$(if $(findstring -linux-,$(CC)),$(notdir $(CC)),$(shell uname -m))))
SWITCH  := $(if $(filter ucontext,$(CONTEXT)),,$(wildcard $(patsubst %,lib/task/context-%.S,$(filter x86_64 aarch64,$(MACHINE)))))

FLOORS   := base sys loop task sync work io supervise varlink service inspect
SIM_SRC  := $(sort $(wildcard lib/sim/*.c))
LIB_SRC  := $(sort $(foreach f,$(FLOORS),$(wildcard lib/$f/*.c))) $(SWITCH)
PUBLIC   := $(sort $(wildcard lib/include/*.h lib/include/holt/*.h))
MAN      := $(sort $(wildcard lib/man/*.[37] daemon/man/*.[1578]))
LIB_OBJ  := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(LIB_SRC)))
SIM_OBJ  := $(SIM_SRC:%.c=$(BUILD)/obj/%.o)
DAEMON   := $(patsubst daemon/%.c,$(BUILD)/%,$(wildcard daemon/holtd.c daemon/holtctl.c))
DAEMON_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out daemon/holtd.c daemon/holtctl.c,$(sort $(wildcard daemon/*.c))))
TEST_AID := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out tests/test_%.c,$(sort $(wildcard tests/*.c))))

EXAMPLES := $(patsubst lib/examples/%.c,$(BUILD)/examples/%,$(sort $(wildcard lib/examples/*.c)))
TESTS    := $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(if $(ONLY),$(ONLY:%=tests/test_%.c),$(wildcard tests/test_*.c))))
BENCHES  := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
CHECKS   := $(filter-out %/tidy.sh,$(sort $(wildcard tests/checks/*.sh)))
PC       := $(BUILD)/holt.pc $(BUILD)/holt-sim.pc
LIBS     := $(BUILD)/$(SONAME) $(BUILD)/libholt.so $(BUILD)/libholt.a $(BUILD)/libholt-sim.a $(PC)

# ---- flags

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wformat=2 -Wpointer-arith \
	-Wwrite-strings $(if $(filter-out 0,$(WERROR)),-Werror)

# once NAME,COMMAND: the command's output, asked for when it is first needed, and then kept
once = $(eval $1 := $$(shell $2))$($1)
SYSTEMD_CFLAGS = $(call once,SYSTEMD_CFLAGS,$(PKG_CONFIG) --cflags libsystemd)
SYSTEMD_LIBS   = $(call once,SYSTEMD_LIBS,$(PKG_CONFIG) --libs libsystemd)
JANSSON_CFLAGS = $(call once,JANSSON_CFLAGS,$(PKG_CONFIG) --cflags jansson)
JANSSON_LIBS   = $(call once,JANSSON_LIBS,$(PKG_CONFIG) --libs jansson)
CHECK_CFLAGS   = $(call once,CHECK_CFLAGS,$(PKG_CONFIG) --cflags check)
CHECK_LIBS     = $(call once,CHECK_LIBS,$(PKG_CONFIG) --libs check)

SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined))
DEFINES   := -D_GNU_SOURCE= $(if $(SWITCH),,-DHOLT_CONTEXT_UCONTEXT)
INCLUDES  := -I. -Ilib -Ilib/include
COMPILE    = $(CC) -std=gnu11 $(WARN) -pthread -fPIC -fvisibility=hidden $(DEFINES) $(INCLUDES) $(SYSTEMD_CFLAGS) \
	$(JANSSON_CFLAGS) $(CPPFLAGS) $(SAN_FLAGS) $(CFLAGS)
LINK       = $(CC) -pthread $(SAN_FLAGS) $(CFLAGS) $(LDFLAGS)

# ---- small helpers: quiet output unless V=1, one shell word, a file that changes only with what it says

Q := $(if $(filter-out 0,$(V)),,@)
say = $(if $Q,$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,@printf '%-4s %s\n' $1 $2))
quote = '$(subst ','\'',$1)'
remember = @mkdir -p $(@D); printf '%s\n' $(call quote,$1) | cmp -s - $@ || printf '%s\n' $(call quote,$1) >$@

# ---- the targets one asks for

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all examples deps run check check-unit check-quick check-system check-arm64 bench lint tidy format deb rpm install uninstall clean help FORCE

all: $(LIBS) $(DAEMON) examples ## the library, shared and static, the daemon and the examples (the default)

examples: $(EXAMPLES) ## the example programs, in $(BUILD)/examples

deps: ## installs what building, running and testing need (apt or dnf)
	@packaging/deps.sh

run: $(BUILD)/holtd $(BUILD)/holtctl ## runs the demonstration tree in the foreground; ARGS=FILE for another one
	@echo "holtd: $(or $(ARGS),units/examples/demo.tree), until Ctrl-C; in another terminal: $(BUILD)/holtctl --tree $(BUILD)/run/control status"
	@exec $(BUILD)/holtd --state $(BUILD)/run $(or $(ARGS),units/examples/demo.tree)

# What tests and checks may ask of this build. SAN is there for tests that skip what a sanitizer cannot do.
ENV = BUILD=$(call quote,$(BUILD)) CC=$(call quote,$(CC)) CXX=$(call quote,$(CXX)) SAN=$(call quote,$(SAN)) \
	CONTEXT=$(call quote,$(CONTEXT)) MAKE=$(call quote,$(MAKE)) JOBS=$(call quote,$(JOBS)) RUNNER=$(call quote,$(RUNNER)) \
	VERSION=$(VERSION) BENCH_SMOKE=$(call quote,$(BENCH_SMOKE))
RUN_TESTS = @+$(ENV) tests/checks/run-tests

check: all $(TESTS) $(BUILD)/exports ## the quick checks and the unit tests of this build
	$(RUN_TESTS) --checks $(CHECKS) --suites $(TESTS)

check-unit: $(TESTS) ## the unit tests alone
	$(RUN_TESTS) --suites $(TESTS)

check-quick: all $(BUILD)/exports ## the quick checks alone: floors, headers, symbols, manual, format
	$(RUN_TESTS) --checks $(CHECKS)

check-system: all ## the tests under a booted systemd (root; skipped with a reason where that cannot be)
	@+$(ENV) tests/system/run

check-arm64: ## the unit tests for aarch64 under qemu (skipped with a reason where tools are missing)
	@+$(ENV) tests/checks/on-arm64

bench: $(BENCHES) ## builds and runs the benchmarks; BENCH_SMOKE=1 with tiny counts
	$(if $(filter-out 0,$(BENCH_SMOKE)),$(RUN_TESTS) --programs $(BENCHES),@$(ENV) tests/bench/run)

lint: check-quick tidy ## every check that reads the sources

tidy: $(BUILD)/flags ## clang-tidy: slow
	$(RUN_TESTS) --checks tests/checks/tidy.sh

format: ## formats every C file in place
	$Qfind lib daemon tests \( -name '*.c' -o -name '*.h' \) 2>/dev/null | xargs -r clang-format -i

deb: ## the Debian packages, in $(BUILD)/deb
	@$(ENV) packaging/build-deb

rpm: ## the RPM packages, in $(BUILD)/rpm
	@$(ENV) packaging/build-rpm

clean: ## removes the build folder
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## /\1	/p' $(firstword $(MAKEFILE_LIST)) | expand -t 15
	@sed -n 's/^#   make /with: make /p' $(firstword $(MAKEFILE_LIST))

# ---- install

CATALOG  := $(sort $(wildcard units/*.catalog))
COMPLETE := $(sort $(wildcard packaging/completion/*))
program   = $(DESTDIR)$(if $(filter %d,$1),$(SBINDIR),$(BINDIR))/$(notdir $1)

# "PAGE NAME" for each function that a page of another name describes, so that man(1) finds it
named_pages = for m in $(filter %.3,$(notdir $(MAN))); do \
	sed -n '/^\.Sh NAME/,/^\.Sh SYNOPSIS/s/^\.Nm \(holt_[a-z_]*\).*/\1/p' lib/man/$$m | sed "/^$${m%.3}$$/d; s/^/$$m /"; done |

install: $(LIBS) $(DAEMON) ## into DESTDIR= PREFIX=/usr LIBDIR= BINDIR= SBINDIR= UNITDIR= MANDIR=
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include/holt \
		$(foreach s,$(sort $(patsubst .%,%,$(suffix $(MAN)))),$(DESTDIR)$(MANDIR)/man$s)
	install -m 755 $(BUILD)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libholt.so
	install -m 644 $(BUILD)/libholt.a $(BUILD)/libholt-sim.a $(DESTDIR)$(LIBDIR)/
	install -m 644 $(PC) $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/catalog $(DESTDIR)$(UNITDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 $(CATALOG) $(DESTDIR)$(PREFIX)/lib/systemd/catalog/
	$(foreach p,$(DAEMON),install -m 755 $p $(call program,$p) &&) true
	$(foreach c,$(COMPLETE),install -m 644 $c $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ &&) true
	sed -e 's|/usr/sbin/|$(SBINDIR)/|' -e 's|/usr/bin/|$(BINDIR)/|' units/holt@.service >$(DESTDIR)$(UNITDIR)/holt@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/holt@.service
	install -m 644 $(filter-out lib/include/holt/%,$(PUBLIC)) $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(filter lib/include/holt/%,$(PUBLIC)) $(DESTDIR)$(PREFIX)/include/holt/
	$(foreach m,$(MAN),install -m 644 $m $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/ &&) true
	$(named_pages) while read -r page name; do echo ".so man3/$$page" >$(DESTDIR)$(MANDIR)/man3/$$name.3; done

uninstall: ## removes what install put there
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(SONAME) libholt.so libholt.a libholt-sim.a $(PC:$(BUILD)/%=pkgconfig/%)) \
		$(patsubst lib/include/%,$(DESTDIR)$(PREFIX)/include/%,$(PUBLIC)) \
		$(patsubst units/%,$(DESTDIR)$(PREFIX)/lib/systemd/catalog/%,$(CATALOG)) \
		$(foreach p,$(DAEMON),$(call program,$p)) $(DESTDIR)$(UNITDIR)/holt@.service \
		$(patsubst packaging/completion/%,$(DESTDIR)$(PREFIX)/share/bash-completion/completions/%,$(COMPLETE)) \
		$(foreach m,$(MAN),$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m))
	$(named_pages) while read -r page name; do rm -f $(DESTDIR)$(MANDIR)/man3/$$name.3; done
	-rmdir $(DESTDIR)$(PREFIX)/include/holt

$(PC): $(BUILD)/%: lib/%.in $(BUILD)/paths
	$(call say,GEN,$@)
	$Qsed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

# ---- what things are made of

$(BUILD)/flags: FORCE
	@$(PKG_CONFIG) --exists libsystemd jansson || { echo "libsystemd, jansson or pkg-config is missing; 'make deps' installs them" >&2; exit 1; }
	$(call remember,$(COMPILE) | $(LINK) | $(SYSTEMD_LIBS) $(JANSSON_LIBS))

$(BUILD)/sources: FORCE
	$(call remember,$(LIB_OBJ) $(SIM_OBJ) $(DAEMON_OBJ) $(PUBLIC))

$(BUILD)/paths: FORCE
	$(call remember,$(PREFIX) $(LIBDIR) $(VERSION))

# A task's argument is a void pointer, to which users, and tests, will pass a literal. Rows of a test's table may be short.
# (private: else the flags file, made on the way to a test, would be said to have changed)
$(BUILD)/obj/tests/%.o: private EXTRA = -Wno-write-strings -Wno-missing-field-initializers -Itests $(CHECK_CFLAGS)
$(BUILD)/obj/lib/examples/%.o: private EXTRA = -Wno-write-strings

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$Q$(COMPILE) $(EXTRA) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.S $(BUILD)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$Q$(COMPILE) -MMD -MP -c -o $@ $<

# What is exported is what the headers declare with default visibility, nothing else.
$(BUILD)/exports: $(PUBLIC) $(BUILD)/sources $(BUILD)/flags tests/checks/declared
	$(call say,GEN,$@)
	$QCC=$(call quote,$(CC)) tests/checks/declared exported $(PUBLIC) >$@

$(BUILD)/libholt.map: $(BUILD)/exports
	$Q{ echo '$(NODE) { global:'; sed 's/$$/;/' $<; echo 'local: *; };'; } >$@

$(BUILD)/$(SONAME): $(LIB_OBJ) $(BUILD)/libholt.map $(BUILD)/sources
	$(call say,LINK,$@)
	$Q$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/libholt.map $(if $(SAN),,-Wl,-z,defs) \
		-Wl,-z,relro -o $@ $(LIB_OBJ) $(SYSTEMD_LIBS)

$(BUILD)/libholt.so: $(BUILD)/$(SONAME)
	$Qln -sf $(SONAME) $@

$(BUILD)/libholt.a: $(LIB_OBJ) $(BUILD)/sources
	$(call say,AR,$@)
	$Qrm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

# All of the library, and the simulator, which needs its inside.
$(BUILD)/libholt-sim.a: $(LIB_OBJ) $(SIM_OBJ) $(BUILD)/sources
	$(call say,AR,$@)
	$Qrm -f $@ && $(AR) rcs $@ $(LIB_OBJ) $(SIM_OBJ)

# All of the daemon but its two mains: what they, and the tests, are linked from.
$(BUILD)/obj/daemon.a: $(DAEMON_OBJ) $(BUILD)/sources
	$(call say,AR,$@)
	$Qrm -f $@ && $(AR) rcs $@ $(DAEMON_OBJ)

$(DAEMON): $(BUILD)/%: $(BUILD)/obj/daemon/%.o $(BUILD)/obj/daemon.a $(BUILD)/libholt.a
	$(call say,LINK,$@)
	$Q$(LINK) -o $@ $^ $(SYSTEMD_LIBS) $(JANSSON_LIBS)

$(BUILD)/examples/%: $(BUILD)/obj/lib/examples/%.o $(BUILD)/libholt.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$Q$(LINK) -o $@ $^ $(SYSTEMD_LIBS)

# Here the linker puts tests/faults.h between the program and libc.
FAULTS := $(shell sed -n 's/^FAULT.\([a-z0-9_]*\),.*/\1/p' tests/faults.h)
$(BUILD)/tests/test_runner: private LDFLAGS += $(FAULTS:%=-Wl,--wrap=%)
$(BUILD)/tests/test_sim_runner $(BUILD)/tests/test_sim_process: private LDFLAGS += -Wl,--wrap=kill -Wl,--wrap=waitid

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(TEST_AID) $(BUILD)/obj/daemon.a $(BUILD)/libholt-sim.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$Q$(LINK) -o $@ $^ $(CHECK_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS)

# A benchmark is one file. peer_NAME.c measures another library: built when pkg-config knows NAME, else skipped aloud.
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libholt.a
	@mkdir -p $(@D)
	$Qpeer=$(patsubst peer_%,%,$(filter peer_%,$*)); rm -f $@; \
	if [ -n "$$peer" ] && ! $(PKG_CONFIG) --exists $$peer; then \
		printf '#!/bin/sh\necho "SKIP $*: $$peer is not installed"\nexit 77\n' >$@ && chmod +x $@; exit; fi; \
	$(if $Q,echo "CC   $<";) $(COMPILE) -O2 -Wno-write-strings -Itests/bench $${peer:+$$($(PKG_CONFIG) --cflags $$peer)} $(LDFLAGS) -MMD -MP -MF $@.d \
		-o $@ $< $(BUILD)/libholt.a $(SYSTEMD_LIBS) $${peer:+$$($(PKG_CONFIG) --libs $$peer)} -lm

# In one call with deps, everything else waits for it.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
$(BUILD)/flags $(filter-out deps,$(MAKECMDGOALS)): | deps
endif

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(SIM_OBJ) $(DAEMON_OBJ) $(TEST_AID)) $(patsubst $(BUILD)/%,$(BUILD)/obj/daemon/%.d,$(DAEMON)) $(patsubst $(BUILD)/%,$(BUILD)/obj/%.d,$(TESTS)) \
	$(patsubst $(BUILD)/%,$(BUILD)/obj/lib/%.d,$(EXAMPLES)) $(addsuffix .d,$(BENCHES))
