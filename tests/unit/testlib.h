/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the unit tests share: cmocka, test vectors, SHA-256.
 */
#ifndef TESTS_UNIT_TESTLIB_H
#define TESTS_UNIT_TESTLIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/port.h"

#define FRAME_MAX	70000

/**
 * struct frame - octets of a test vector
 * @pos: stream position of the first octet
 * @len: number of octets
 * @data: the octets
 */
struct frame {
	u32	pos;
	size_t	len;
	u8	data[FRAME_MAX];
};

/**
 * vector_get() - look up a test vector of vectors.txt; fails the test if absent
 * @name: such as "F01"
 *
 * Return: frame, to be freed by the caller.
 */
struct frame *vector_get(const char *name);

/**
 * unhex() - turn hex digits into octets; fails the test on anything else
 * @hex: digits
 * @dst: octets
 *
 * Return: number of octets.
 */
size_t unhex(const char *hex, u8 *dst);

/**
 * assert_octets() - fail the test unless both are the same, name and show both
 * @name: what is compared
 * @have: result
 * @have_len: its octets
 * @want: expected
 * @want_len: its octets
 */
void assert_octets(const char *name, const void *have, size_t have_len,
		   const void *want, size_t want_len);

/**
 * sha256_hex() - SHA-256 of a buffer
 * @data: octets
 * @len: number of octets
 * @hex: 65 octets for 64 hex digits and a zero
 */
void sha256_hex(const void *data, size_t len, char *hex);

#endif /* TESTS_UNIT_TESTLIB_H */
