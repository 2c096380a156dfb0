# SPDX-License-Identifier: BSD-2-Clause
# Fuzzed readers of foreign data: kernel sources on the host under libFuzzer, ASan and UBSan.
#
# Each tests/fuzz/fuzz_NAME.c names at its top what to link, as host tests do (tests/host/host.mk).
#	make fuzz				every target, RUNS inputs each
#	make fuzz TARGET=ext2 RUNS=100000 FUZZ_SEED=7
# Inputs that failed are kept as build/fuzz/NAME-*; build/fuzz/fuzz_NAME FILE runs one again.

FUZZ_CC ?= clang
FUZZ_CFLAGS := -std=gnu17 -g -O1 -Wall -Wextra -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-sanitize=function \
	-Wno-unknown-warning-option -Wno-unused-command-line-argument \
	-Itests/host/include -Itests/host -I. -DHOST_TEST=1 -DDEBUG=1
FO := build/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
TARGET ?= $(FUZZ_TARGETS)
RUNS ?= 100000
FUZZ_SEED ?= 1

fuzz_says = $(shell sed -n 's|^// $(2): *||p' tests/fuzz/fuzz_$(1).c)

define fuzz_rule
fuzz_$(1)_OBJ := $$(patsubst %,$(FO)/$(1).d/%.o,tests/fuzz/fuzz_$(1).c $$(call fuzz_says,$(1),SOURCES))
fuzz_$(1)_CFLAGS := $$(call fuzz_says,$(1),CFLAGS)
$(FO)/$(1).d/%.c.o: %.c tests/fuzz/fuzz_$(1).c tests/fuzz/fuzz.mk
	@mkdir -p $$(@D)
	@$(FUZZ_CC) $(FUZZ_CFLAGS) $$(fuzz_$(1)_CFLAGS) -MMD -MP -c -o $$@ $$<
$(FO)/fuzz_$(1): $$(fuzz_$(1)_OBJ)
	@echo "  FUZZ  $(1)"
	@$(FUZZ_CC) $(FUZZ_CFLAGS) -o $$@ $$(fuzz_$(1)_OBJ)
-include $$(fuzz_$(1)_OBJ:.o=.d)
endef
ifneq ($(filter fuzz%,$(MAKECMDGOALS)),)
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(t))))
endif

.PHONY: fuzz fuzz-build fuzz-bases
fuzz-build: $(TARGET:%=$(FO)/fuzz_%) fuzz-bases

# the sound images that inputs are changes of
fuzz-bases: $(FO)/base1024.img
$(FO)/base1024.img: tests/fuzz/bases.sh
	@bash tests/fuzz/bases.sh $(FO)

# leaks are looked for too
fuzz: fuzz-build
	@s=0; for t in $(TARGET); do echo "$$t: $(RUNS) inputs from seed $(FUZZ_SEED)"; mkdir -p $(FO)/corpus-$$t; \
		FUZZ_BASES=$(FO) $(FO)/fuzz_$$t -runs=$(RUNS) -seed=$(FUZZ_SEED) -timeout=60 -rss_limit_mb=2048 \
		-max_len=8192 -close_fd_mask=1 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=$(FO)/$$t- $(FO)/corpus-$$t || s=1; done; exit $$s
