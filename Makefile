# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# make                 siw.ko for the running kernel, in build/<KVER>/
# make KVER=<release>  siw.ko for any kernel whose headers are installed
# make help            every target

KVER	?= $(shell uname -r)
# Debug kernels, KVER=debug, kcsan and gcov, are not installed: they are below build/.
ifeq ($(KVER),gcov)
export SIW_GCOV = y
endif
ifneq ($(filter debug kcsan gcov,$(KVER)),)
override KVER := $(shell tests/vm/build-debug --release $(KVER))
endif
KDIR	?= $(firstword $(wildcard build/*-kernel/lib/modules/$(KVER)/build) \
		/lib/modules/$(KVER)/build)
OUT	?= build/$(KVER)
KVERS	= $(shell tests/vm/kvers)
TOP	:= $(CURDIR)
MODSRC	= Kbuild siw include
KTESTSRC = tests/kselftest/kmod

# What users may hand through to the kernel's build: W= C= CF= V= SIW_DEBUG=
SUBMAKE	= $(MAKE) --no-print-directory
DEPS	= $(if $(SIW_NO_DEPS),,deps)
SOAK	?= 1800

.PHONY: default help module modules-all ktest provider unit fuzz style check \
	check-guest check-long check-debug debug-kernel coverage soak check-install demo \
	bench interop shell install uninstall clean deps

default: module

help:
	@sed -n 's/^## //p' Makefile

## module        siw.ko for KVER (the default target)
# Kbuild writes objects beside sources, so it is shown a tree of links.
module:
	@test -e $(KDIR)/Makefile || { \
		echo "no kernel headers for $(KVER): install them, or choose another kernel with make KVER=<release>$(if $(KVERS), (here: $(KVERS)))" >&2; \
		exit 1; }
	@mkdir -p $(OUT)
	@flock $(OUT)/.lock sh -e -c ' \
		for i in $(MODSRC); do \
			if [ -e $$i ]; then cp -rsfT $(TOP)/$$i $(OUT)/$$i; fi; \
		done; \
		find $(OUT) -xtype l -delete; \
		$(MAKE) --no-print-directory -C $(KDIR) M=$(abspath $(OUT)) modules'

## modules-all   siw.ko for Debian 12's 6.1 and 6.12 kernels
modules-all: $(DEPS)
	@for v in $(KVERS); do \
		$(SUBMAKE) module KVER=$$v || exit; \
	done

## ktest         the kernel's own user of the verbs that kernel.sh loads, for KVER
ktest: $(DEPS)
	@mkdir -p $(OUT)/ktest
	@flock $(OUT)/ktest/.lock sh -e -c ' \
		cp -rsfT $(TOP)/$(KTESTSRC) $(OUT)/ktest; \
		find $(OUT)/ktest -xtype l -delete; \
		$(MAKE) --no-print-directory -C $(KDIR) M=$(abspath $(OUT)/ktest) modules'

## provider      the libibverbs provider, in build/provider/
provider: $(DEPS)
	@$(SUBMAKE) -C rdma-provider

## unit          unit tests of the protocol core, in user space
unit: $(DEPS)
	@$(SUBMAKE) -C tests/unit check

## fuzz          fuzzers of the protocol core, FUZZ_TIME seconds each
fuzz: $(DEPS)
	@$(SUBMAKE) -C tests/fuzz fuzz

## style         checkpatch, sparse, W=1, kernel-doc, function lengths
style: $(DEPS)
	@tests/style/style

## check         everything that must be green: style, unit, fuzz, guests
check: $(DEPS)
	@tests/check

## check-guest   the suites that run in a guest, with both providers on each kernel
check-guest: $(DEPS)
	@SIW_PROVIDERS="stock $(CURDIR)/build/provider/libsiw" \
		tests/check --guest-only

## check-long    what is too long for make check: 500 kills, 4096 connections, 10000 silent peers, perftest
check-long: $(DEPS)
	@tests/check-long

## debug-kernel  a small kernel with KASAN, lockdep, kmemleak; FLAVOUR=kcsan, FLAVOUR=gcov
debug-kernel: $(DEPS)
	@tests/vm/build-debug $(FLAVOUR)

## check-debug   the guest suites on the debug kernel (or FLAVOUR=kcsan)
check-debug: $(DEPS)
	@tests/vm/build-debug $(FLAVOUR)
	@tests/check --$(or $(FLAVOUR),debug)

## coverage      the guest suites on a kernel that counts, and the lines none reached
coverage: $(DEPS)
	@tests/vm/build-debug gcov
	@rm -rf build/vm/*/share/gcov
	@status=0; \
	SIW_VM_SLOW=2 tests/check --gcov || status=$$?; \
	tests/coverage --least 80 $(if $(PUBLISH),--publish) || status=$$?; \
	exit $$status

## soak          30 minutes (SOAK=<seconds>) of comings and goings on the debug kernel
soak: $(DEPS)
	@tests/vm/build-debug
	@$(SUBMAKE) module KVER=debug
	@$(SUBMAKE) provider
	@$(SUBMAKE) -s -C tests/kselftest OUTPUT=$(CURDIR)/build/soak/siw all
	@SIW_PROVIDER=$(CURDIR)/build/provider/libsiw tests/vm/run \
		--kver debug --name soak$(SEED) --time-limit $$((($(SOAK) + 1200) / 5)) \
		--env LIFE_SECONDS=$(SOAK) $(if $(SEED),--env LIFE_SEED=$(SEED)) \
		-- build/soak/siw/lifecycle.sh

## check-install try "make install" and "make uninstall" in a copy of /
check-install: $(DEPS)
	@tests/vm/check-install

## demo          rping and perftest between two hosts (HOSTS=2: two guests)
demo: $(DEPS)
	@tests/demo/demo $(if $(HOSTS),--hosts $(HOSTS))

## bench         instructions and speed beside mainline siw and TCP, goals (QUICK=1, PUBLISH=1)
bench: $(DEPS)
	@tests/bench/cost $(if $(QUICK),--quick) $(if $(PUBLISH),--publish)
	@tests/bench/bench $(if $(QUICK),--quick) $(if $(PUBLISH),--publish)
	@tests/bench/calls $(if $(QUICK),--times 1) $(if $(PUBLISH),--publish)
	@tests/bench/kernel $(if $(QUICK),--rounds 3)

## interop       our module against mainline siw of both kernels (QUICK=1)
interop: $(DEPS)
	@tests/interop/interop $(if $(QUICK),--quick)

## shell         an interactive shell in a guest (KVER=<release>)
shell: $(DEPS)
	@tests/vm/run --shell $(if $(filter command line,$(origin KVER)),--kver $(KVER))

## install       install module (DKMS) and provider on this machine
install:
	@packaging/install

## uninstall     undo install
uninstall:
	@packaging/uninstall

## deps          install the Debian packages all this needs
deps:
	@tools/install-deps

## clean         remove build/
clean:
	rm -rf build
