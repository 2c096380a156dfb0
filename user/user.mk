# SPDX-License-Identifier: BSD-2-Clause
# user.mk - the user programs, and the tree of the root file system.
#
# Included by the top Makefile; works alone too: make -f user/user.mk user-root
#
#	USER_PROGS	every program, as build/user/bin/NAME
#	user-progs	builds them
#	user-root	builds them and fills build/root/
#
# A program is user/bin/NAME.c, or all of user/bin/NAME/*.c; and likewise under
# user/tests/ and user/vm/.  user/bin/tools/ is one program under many names:
# its main.c holds the list.

BUILD ?= debug
USER_CROSS ?= riscv64-unknown-elf-
USER_OUT := build/user
USER_ROOT := build/root

USER_CC := $(USER_CROSS)gcc
USER_AR := $(USER_CROSS)ar
USER_OBJCOPY := $(USER_CROSS)objcopy

USER_CFLAGS := --specs=picolibc.specs -march=rv64gc -mabi=lp64d -mcmodel=medany \
	-std=gnu17 -O2 -g -Wall -Wextra -D_GNU_SOURCE -fno-pie -fno-common \
	-ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)/= \
	-Iuser/lib/include -I.
ifeq ($(BUILD),release)
USER_CFLAGS += -DNDEBUG
endif
USER_LDFLAGS := --specs=picolibc.specs -march=rv64gc -mabi=lp64d -static -nostartfiles \
	-Tuser/lib/user.ld -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments

# ---- the library ---------------------------------------------------------------

USER_LIB := $(USER_OUT)/libuser.a
USER_LIB_OBJS := $(patsubst %,$(USER_OUT)/obj/%.o,$(sort $(wildcard user/lib/*.c user/lib/*.S)))
USER_COMMON_OBJS := $(patsubst %,$(USER_OUT)/obj/%.o,$(sort $(wildcard user/bin/common/*.c)))

$(USER_OUT)/obj/%.c.o: %.c $(USER_OUT)/flags
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(USER_OUT)/obj/%.S.o: %.S $(USER_OUT)/flags
	@mkdir -p $(@D)
	$(USER_CC) $(USER_CFLAGS) -MMD -MP -c -o $@ $<

$(USER_LIB): $(USER_LIB_OBJS)
	@rm -f $@
	$(USER_AR) rcs $@ $^

# changes exactly when the compiler or its flags do
$(USER_OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(USER_CC) $(USER_CFLAGS) $(USER_LDFLAGS)' | cmp -s - $@ || \
		echo '$(USER_CC) $(USER_CFLAGS) $(USER_LDFLAGS)' >$@

# ---- programs ------------------------------------------------------------------

USER_PROGS :=
USER_OBJS := $(USER_LIB_OBJS) $(USER_COMMON_OBJS)

# $(call user_prog,NAME,SOURCES,COMMON OBJECTS)
define user_prog
USER_PROGS += $(USER_OUT)/bin/$(1)
USER_OBJS += $(patsubst %,$(USER_OUT)/obj/%.o,$(2))
$(USER_OUT)/bin/$(1): $(patsubst %,$(USER_OUT)/obj/%.o,$(2)) $(3) $(USER_LIB) user/lib/user.ld
	@mkdir -p $$(@D)
	$$(USER_CC) $$(USER_LDFLAGS) -o $$@ $(patsubst %,$(USER_OUT)/obj/%.o,$(2)) $(3) \
		-Wl,--whole-archive $$(USER_LIB) -Wl,--no-whole-archive
endef

# $(call user_folder,FOLDER,COMMON OBJECTS): its .c files and its subfolders
user_folder = $(foreach c,$(sort $(wildcard $(1)/*.c)),\
	$(eval $(call user_prog,$(notdir $(c:.c=)),$(c),$(2))))\
	$(foreach d,$(filter-out $(1)/common/ $(1)/include/,$(sort $(wildcard $(1)/*/))),\
	$(if $(wildcard $(d)*.c),\
	$(eval $(call user_prog,$(notdir $(d:/=)),$(sort $(wildcard $(d)*.c)),$(2)))))

$(call user_folder,user/bin,$(USER_COMMON_OBJS))
$(call user_folder,user/tests,)
$(call user_folder,user/vm,)

# the host's test of the library: tests/user/run.sh runs it
$(USER_OUT)/check/lib: $(USER_OUT)/obj/tests/user/lib.c.o $(USER_LIB) user/lib/user.ld
	@mkdir -p $(@D)
	$(USER_CC) $(USER_LDFLAGS) -o $@ $< -Wl,--whole-archive $(USER_LIB) -Wl,--no-whole-archive

-include $(USER_OBJS:.o=.d)

# ---- the root file system ------------------------------------------------------

USER_TOOL_NAMES = $(shell sed -n 's/^\tTOOL.\([a-z0-9_]*\).*/\1/p' user/bin/tools/main.c)

.PHONY: user-progs user-root user-clean FORCE
user-progs: $(USER_PROGS)

user-root: $(USER_PROGS)
	@rm -rf $(USER_ROOT)
	@mkdir -p $(addprefix $(USER_ROOT)/,bin sbin etc dev proc sys tmp mnt root home)
	@chmod 1777 $(USER_ROOT)/tmp && chmod 700 $(USER_ROOT)/root
	@for p in $(USER_PROGS); do \
		$(USER_OBJCOPY) --strip-debug $$p $(USER_ROOT)/bin/$${p##*/} || exit 1; done
	@mv $(USER_ROOT)/bin/init $(USER_ROOT)/sbin/init
	@for t in $(USER_TOOL_NAMES); do ln -s tools $(USER_ROOT)/bin/$$t; done
	@ln -s tools '$(USER_ROOT)/bin/['
	@for t in mount umount poweroff reboot halt; do \
		ln -s ../bin/tools $(USER_ROOT)/sbin/$$t; done
	@install -m 644 user/etc/* $(USER_ROOT)/etc/

user-clean:
	rm -rf $(USER_OUT) $(USER_ROOT)
