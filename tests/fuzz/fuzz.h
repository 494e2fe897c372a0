/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the fuzzers share. Each is one file with one LLVMFuzzerTestOneInput();
 * whatever must always hold is a MUST() that aborts.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdlib.h>

#include "proto/port.h"

#define MUST(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: %s\n", __FILE__,	\
				__LINE__, #cond);			\
			abort();					\
		}							\
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/**
 * struct input - octets of a test case not yet used
 * @p: next octet
 * @left: octets left
 */
struct input {
	const u8	*p;
	size_t		left;
};

/**
 * take() - consume octets of the input
 * @in: input
 * @dst: octets, zero beyond the end of the input
 * @len: number of octets
 */
static inline void take(struct input *in, void *dst, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(dst, 0, len);
	memcpy(dst, in->p, n);
	in->p += n;
	in->left -= n;
}

static inline u8 take_u8(struct input *in)
{
	u8 v;

	take(in, &v, sizeof(v));
	return v;
}

static inline u16 take_u16(struct input *in)
{
	u16 v;

	take(in, &v, sizeof(v));
	return v;
}

static inline u32 take_u32(struct input *in)
{
	u32 v;

	take(in, &v, sizeof(v));
	return v;
}

/**
 * exact() - copy octets to memory of just that size, so that ASan sees all
 * @data: octets
 * @len: number of octets
 *
 * Return: copy, to be freed.
 */
static inline void *exact(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	memcpy(copy, data, len);
	return copy;
}

#endif /* TESTS_FUZZ_FUZZ_H */
