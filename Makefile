# SPDX-License-Identifier: BSD-2-Clause
# Every command a person types.  `make help` lists them.

BOARD ?= qemu-virt
BUILD ?= release
MEM ?= 256M
SMP ?= 4
IMAGE := $(if $(filter visionfive2,$(BOARD)),build/card.img,build/disk.img)
DISK ?= $(IMAGE)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
export PATH := $(PATH):/usr/sbin:/sbin
# Debian's own Python, which has Debian's pytest and pexpect
PYTHON := /usr/bin/python3

# These reach scripts/run.py through the environment, as typed: no character of
# them is special to make or to the shell.
override APPEND := $(value APPEND)
override AUTORUN := $(value AUTORUN)
override QEMU_ARGS := $(value QEMU_ARGS)
export BOARD MEM SMP DISK BOOT APPEND AUTORUN QEMU_ARGS

ifneq ($(filter-out release debug ubsan,$(BUILD)),)
$(error BUILD is release, debug or ubsan, not $(BUILD))
endif

# ---- packages ------------------------------------------------------------------

ifeq ($(MAKELEVEL)$(filter help clean,$(MAKECMDGOALS)),0)
ifneq ($(shell scripts/deps.sh </dev/null >&2 && echo ok),ok)
$(error packages are missing: see above, and scripts/packages.txt)
endif
endif

# ---- kernel --------------------------------------------------------------------

CROSS ?= riscv64-unknown-elf-
CC := $(CROSS)gcc
O := build/obj-$(BUILD)

KERNEL_DIRS := $(wildcard sbi kernel drivers fs)
KERNEL_SRC := $(if $(KERNEL_DIRS),$(sort $(shell find $(KERNEL_DIRS) -name '*.[cS]')))
KERNEL_OBJ := $(KERNEL_SRC:%=$(O)/%.o)
KERNEL_LD := kernel/boot/kernel.ld

WARN := -Wall -Wextra -Wstrict-prototypes -Wvla -Werror=implicit-function-declaration \
	-Werror=implicit-int -Werror=incompatible-pointer-types -Werror=int-conversion \
	-Werror=return-type
DEFS_debug := -DDEBUG=1
DEFS_release := -DDEBUG=0
# the debug build with every check of the compiler for undefined behaviour
DEFS_ubsan := -DDEBUG=1 -DUBSAN=1
OPT_debug := -Og
OPT_release := -O2
OPT_ubsan := -O1 -fsanitize=undefined
ARCH := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
LANG_C := -std=gnu17 -ffreestanding -fno-strict-aliasing -fno-common -fwrapv
CPPFLAGS := -I. -D__KERNEL__=1 $(DEFS_$(BUILD)) -nostdinc -isystem $(shell $(CC) -print-file-name=include)
CFLAGS := $(LANG_C) $(ARCH) $(OPT_$(BUILD)) -g -fno-pic -fno-pie -fno-omit-frame-pointer \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
	$(WARN) $(EXTRA_CFLAGS)
# without the z extensions in the name, gcc finds its soft-float libgcc
LDFLAGS = -nostdlib -static -no-pie -march=rv64imac -mabi=lp64 -Wl,--build-id=none -Wl,-z,noexecstack \
	-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,--fatal-warnings $(LINK_$(BUILD))
# with so much data relaxing depends on where the data lies, so that text would move
LINK_ubsan := -Wl,--no-relax

.PHONY: all kernel image board-qemu run test check check-locks debug help clean FORCE
all: kernel image
kernel: build/gnomon.elf build/gnomon.bin

# the warnings of a file stay beside its object, so that `make test` can ask
# whether there are any without compiling again
compile = mkdir -p $(@D) && { $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $< 2>$@.warn; \
	s=$$?; cat $@.warn >&2; [ $$s = 0 ] || { rm -f $@; exit $$s; }; }

$(O)/%.c.o: %.c $(O)/flags
	@echo "  CC    $<"
	@$(compile)

$(O)/%.S.o: %.S $(O)/flags
	@echo "  AS    $<"
	@$(compile)

# changes when the flags do
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# changes when a source file comes or goes
$(O)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(KERNEL_SRC)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# The symbol table for backtraces goes into a section after all text, so adding
# it moves no text: link with an empty one, read the symbols, link again, and
# make sure that they did not move.
# by its multilib: the driver finds none for an -march with _zicsr in it
LIBGCC := $(shell $(CC) -march=rv64imac -mabi=lp64 -print-libgcc-file-name)
link = $(CC) $(LDFLAGS) -T $(KERNEL_LD) -o $(1) $(KERNEL_OBJ) $(2) $(LIBGCC)

$(O)/gnomon.elf: $(KERNEL_OBJ) $(KERNEL_LD) $(O)/sources scripts/ksyms.py
	@echo "  LINK  $@"
	@$(PYTHON) scripts/ksyms.py </dev/null >$(O)/ksyms0.S
	@$(CC) $(ARCH) -c -o $(O)/ksyms0.o $(O)/ksyms0.S
	@$(call link,$(O)/pass1.elf,$(O)/ksyms0.o)
	@$(CROSS)nm -n $(O)/pass1.elf | $(PYTHON) scripts/ksyms.py >$(O)/ksyms.S
	@$(CC) $(ARCH) -c -o $(O)/ksyms.o $(O)/ksyms.S
	@$(call link,$@,$(O)/ksyms.o)
	@$(CROSS)nm -n $@ | $(PYTHON) scripts/ksyms.py | cmp - $(O)/ksyms.S || \
		{ echo "text moved between the two links: is .ksyms placed after all text?" >&2; exit 1; }

$(O)/gnomon.bin: $(O)/gnomon.elf
	@echo "  BIN   $@"
	@$(CROSS)objcopy -O binary $< $@

# build/gnomon.* are those of the BUILD that was asked for last
build/gnomon.%: $(O)/gnomon.% FORCE
	@cmp -s $< $@ || cp $< $@

# ---- user programs and disk image --------------------------------------------------

# fills build/root; other rules wait for the target user-root
-include user/user.mk
ifeq ($(wildcard user/user.mk),)
.PHONY: user-root
user-root:
	@mkdir -p build/root
endif

# changes when a file under build/root does
build/root.list: user-root FORCE
	@(cd build/root && find . -printf '%P %m %l\n' | LC_ALL=C sort && \
		find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

image: $(IMAGE)
$(IMAGE): build/gnomon.bin build/root.list scripts/mkimage.sh $(wildcard boards/$(BOARD)/*)
	@echo "  DISK  $@"
	@scripts/mkimage.sh boards/$(BOARD) build/root build/gnomon.bin $@

# QEMU with the machine of boards/visionfive2, built once into the user's cache
board-qemu:
	@boards/visionfive2/qemu/build.sh

# ---- run -----------------------------------------------------------------------------

# a disk of one's own starts as a copy of the built one, and is kept
run: kernel image
	@[ -e '$(DISK)' ] || cp --sparse=always $(IMAGE) '$(DISK)'
	@exec $(PYTHON) scripts/run.py

debug: kernel image
	@exec scripts/debug.sh

# ---- test ----------------------------------------------------------------------------

include tests/host/host.mk
include tests/fuzz/fuzz.mk

test:
	@exec $(PYTHON) scripts/test.py $(SUITES)

# everything in a loop on a debug kernel with delay injection
SEED ?= 1
TIME ?= 3600
.PHONY: soak
soak:
	@$(MAKE) --no-print-directory BUILD=debug kernel
	@$(MAKE) --no-print-directory BUILD=ubsan kernel image
	@exec $(PYTHON) scripts/soak.py $(SEED) $(TIME) $(SMP) $(MEM)

# misses of the clock's policy, on the host: TRACE is a file or a generator, see tests/clocksim
CLOCKSIM_SRC := $(wildcard tests/clocksim/*.c) kernel/vm/clock_policy.c
.PHONY: clocksim
clocksim: build/clocksim
	@build/clocksim $(CLOCKSIM_FLAGS) $(TRACE)
build/clocksim: $(CLOCKSIM_SRC) $(wildcard tests/clocksim/*.h) kernel/vm/clock_policy.h
	@mkdir -p $(@D)
	@gcc -std=gnu17 -O2 -g -Wall -Wextra -I. -Itests/host/include -Itests/host -DHOST_TEST=1 -o $@ $(CLOCKSIM_SRC) -lm

CHECKS := check-format check-cppcheck check-locks check-includes check-lock-letters check-lock-order check-size
.PHONY: $(CHECKS) format docs
check: $(CHECKS)

STYLE_DIRS := $(wildcard sbi kernel drivers fs user tests)
C_FILES = $(sort $(shell find $(STYLE_DIRS) -name '*.[ch]'))

# Versions of clang-format disagree about a few macros and pointers; the tree is laid out by Debian 12's.
FORMAT_VERSION := 14
check-format:
	@if clang-format --version | grep -q 'version $(FORMAT_VERSION)\.'; then \
		echo "  CHECK clang-format"; \
		clang-format --dry-run --Werror $(C_FILES); \
	else \
		echo "  SKIP  clang-format: the layout is version $(FORMAT_VERSION)'s, this is" \
			"$$(clang-format --version | grep -o 'version [0-9.]*')"; \
	fi

# macros of a C library that cppcheck takes for known; the kernel's are enumerators
CPPCHECK_LIBC := SIGABRT SIGFPE SIGINT SIGKILL SIGSEGV SIGTERM

format:
	@clang-format -i $(C_FILES)

docs:
	@$(PYTHON) scripts/gen-locking.py >docs/locking.md

check-cppcheck:
	@echo "  CHECK cppcheck"
	@mkdir -p build/cppcheck
	@cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr \
		--suppressions-list=scripts/cppcheck.supp --std=c11 --platform=unix64 -j2 \
		--cppcheck-build-dir=build/cppcheck -I. -D__riscv=1 -D__riscv_xlen=64 -D__GNUC__=12 \
		-D__KERNEL__=1 -DDEBUG=1 \
		$(CPPCHECK_LIBC:%=-U%) $(KERNEL_DIRS)

# clang's thread-safety analysis over the kernel's C files
check-locks:
	@echo "  CHECK locks (clang -Wthread-safety)"
	@for f in $(filter %.c,$(KERNEL_SRC)); do echo $$f; done | \
		xargs -P2 -n8 clang --target=riscv64 -march=rv64imac -mabi=lp64 -mcmodel=medany -std=gnu17 -ffreestanding \
		-nostdinc -isystem $$(clang -print-resource-dir)/include -I. -D__KERNEL__=1 -DDEBUG=1 -DTHREAD_SAFETY_CHECK \
		-fsyntax-only -Wthread-safety -Werror=thread-safety -Wno-unknown-warning-option \
		-Wno-unknown-attributes

check-includes:
	@echo "  CHECK includes"
	@$(PYTHON) scripts/check-includes.py

check-lock-letters:
	@echo "  CHECK lock letters"
	@$(PYTHON) scripts/check-lock-letters.py

check-lock-order:
	@echo "  CHECK docs/locking.md"
	@$(PYTHON) scripts/gen-locking.py --check

check-size:
	@echo "  CHECK sizes"
	@$(PYTHON) scripts/check-size.py

# ---- help ----------------------------------------------------------------------------

help:
	@cat scripts/help.txt

clean:
	rm -rf build

-include $(KERNEL_OBJ:.o=.d)
