# SPDX-License-Identifier: BSD-2-Clause
# Host tests: real kernel sources, compiled for the host with ASan and UBSan.
#
# Each tests/host/test_*.c is a cmocka program.  Comment lines at its top say
# what to link and how:
#	// SOURCES: kernel/lib/rbtree.c kernel/lib/radix.c
#	// CFLAGS: -DSOMETHING=1
#	// LIBS: -lz
# A header under tests/host/include comes before the real one of the same path.

HOST_CC ?= gcc
HOST_CFLAGS := -std=gnu17 -g -O1 -Wall -Wextra -fno-omit-frame-pointer -fno-strict-aliasing -fwrapv \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-Itests/host/include -Itests/host -I. -DHOST_TEST=1 -DDEBUG=1
HO := build/host
HOST_TESTS := $(patsubst tests/host/%.c,%,$(sort $(wildcard tests/host/test_*.c)))

# what a test's comment line KEY says: $(call host_says,TEST,KEY)
host_says = $(shell sed -n 's|^// $(2): *||p' tests/host/$(1).c)

define host_rule
$(1)_OBJ := $$(patsubst %,$(HO)/$(1).d/%.o,tests/host/$(1).c $$(call host_says,$(1),SOURCES))
$(1)_CFLAGS := $$(call host_says,$(1),CFLAGS)
$(1)_LIBS := $$(call host_says,$(1),LIBS)
$(HO)/$(1).d/%.c.o: %.c tests/host/$(1).c tests/host/host.mk
	@mkdir -p $$(@D)
	@$(HOST_CC) $(HOST_CFLAGS) $$($(1)_CFLAGS) -MMD -MP -c -o $$@ $$< 2>$$@.warn; s=$$$$?; cat $$@.warn >&2; exit $$$$s
$(HO)/$(1): $$($(1)_OBJ)
	@echo "  HOST  $(1)"
	@$(HOST_CC) $(HOST_CFLAGS) -o $$@ $$($(1)_OBJ) -lcmocka $$($(1)_LIBS) -lm
-include $$($(1)_OBJ:.o=.d)
endef
ifneq ($(filter host-%,$(MAKECMDGOALS)),)
$(foreach t,$(HOST_TESTS),$(eval $(call host_rule,$(t))))
endif

.PHONY: host-build host-test host-list
host-build: $(HOST_TESTS:%=$(HO)/%)

host-list:
	@printf '%s\n' $(HOST_TESTS)

T ?= $(HOST_TESTS)
host-test: $(T:%=$(HO)/%)
	@s=0; for t in $(T); do echo "$$t:"; $(HO)/$$t || s=1; done; exit $$s
