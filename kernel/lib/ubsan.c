// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the compiler calls when it finds undefined behaviour (BUILD=ubsan; the names are the compiler's): each is a panic that
 * names the place.  The data of every call starts with the place in the source.
 */
#include "kernel/lib/print.h"
#include "kernel/lib/types.h"

#ifdef UBSAN

struct place {
	const char *file;
	u32 line, column;
};

struct type {
	u16 kind, info;
	char name[];
};

struct mismatch {
	struct place place;
	const struct type *type;
	u8 log_alignment;
	u8 check;
};

struct bounds {
	struct place place;
	const struct type *array, *index;
};

struct shift {
	struct place place;
	const struct type *left, *right;
};

#define AT_PLACE(p) (p)->file, (p)->line, (p)->column

#define HANDLER(name, what)                                    \
	void __ubsan_handle_##name(struct place *at);          \
	void __ubsan_handle_##name(struct place *at)           \
	{                                                      \
		panic("UBSan: %s:%u:%u: " what, AT_PLACE(at)); \
	}

HANDLER(add_overflow, "addition overflows")
HANDLER(sub_overflow, "subtraction overflows")
HANDLER(mul_overflow, "multiplication overflows")
HANDLER(negate_overflow, "negation overflows")
HANDLER(divrem_overflow, "division by zero, or overflows")
HANDLER(pointer_overflow, "pointer arithmetic overflows")
HANDLER(builtin_unreachable, "reached what is unreachable")
HANDLER(missing_return, "a function ends without its value")
HANDLER(vla_bound_not_positive, "array of no or negative size")
HANDLER(load_invalid_value, "a bool or enum holds none of its values")
HANDLER(nonnull_arg, "null for an argument that must not be")
HANDLER(invalid_builtin, "builtin called with a value it must not have")
HANDLER(float_cast_overflow, "conversion overflows")

void __ubsan_handle_nonnull_return_v1(void *data, struct place *at);
void __ubsan_handle_nonnull_return_v1(void *data __unused, struct place *at)
{
	panic("UBSan: %s:%u:%u: returns null where it must not", AT_PLACE(at));
}

void __ubsan_handle_type_mismatch_v1(struct mismatch *m, u64 address);
void __ubsan_handle_type_mismatch_v1(struct mismatch *m, u64 address)
{
	panic("UBSan: %s:%u:%u: %s at %#lx, which is %s, as %s", AT_PLACE(&m->place),
	      m->check == 0   ? "load"
	      : m->check == 1 ? "store"
			      : "access",
	      address, address ? "misaligned or too small" : "null", m->type->name);
}

void __ubsan_handle_out_of_bounds(struct bounds *b, u64 index);
void __ubsan_handle_out_of_bounds(struct bounds *b, u64 index)
{
	panic("UBSan: %s:%u:%u: index %ld of %s", AT_PLACE(&b->place), (s64)index, b->array->name);
}

void __ubsan_handle_shift_out_of_bounds(struct shift *s, u64 left, u64 right);
void __ubsan_handle_shift_out_of_bounds(struct shift *s, u64 left, u64 right)
{
	panic("UBSan: %s:%u:%u: shift of %ld (%s) by %ld", AT_PLACE(&s->place), (s64)left,
	      s->left->name, (s64)right);
}

#endif
