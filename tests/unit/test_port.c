// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The user space side of proto/port.h, and the test library itself: what the
 * other tests stand on.
 */
#include "testlib.h"

static void test_crc_reference(void **state)
{
	(void)state;
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
	assert_int_equal(~crc32c(~0u, "", 0), 0);
}

static void test_crc_in_pieces(void **state)
{
	const char *text = "a CRC may be taken in as many pieces as one likes";
	u32 whole = crc32c(~0u, text, strlen(text)), crc;
	size_t cut;

	(void)state;
	for (cut = 0; cut <= strlen(text); cut++) {
		crc = crc32c(~0u, text, cut);
		crc = crc32c(crc, text + cut, strlen(text) - cut);
		assert_int_equal(crc, whole);
	}
}

static void test_scnprintf(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(scnprintf(buf, sizeof(buf), "%s", "abcdef"), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(scnprintf(buf, sizeof(buf), "%d", 12), 2);
	assert_int_equal(scnprintf(buf, 0, "x"), 0);
	assert_string_equal(buf, "12");
}

static void test_min_max(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(min_t(u16, 3, 4), 3);
	assert_int_equal(max_t(u16, 3, 4), 4);
	assert_int_equal(min_t(u32, ++n, 9), 1);
	assert_int_equal(n, 1);
}

static void test_byte_order(void **state)
{
	__be16 a = cpu_to_be16(0x0102);
	__be32 b = cpu_to_be32(0x01020304);
	__be64 c = cpu_to_be64(0x0102030405060708);
	__le32 d = cpu_to_le32(0x01020304);

	(void)state;
	assert_memory_equal(&a, "\1\2", 2);
	assert_memory_equal(&b, "\1\2\3\4", 4);
	assert_memory_equal(&c, "\1\2\3\4\5\6\7\10", 8);
	assert_memory_equal(&d, "\4\3\2\1", 4);
	assert_int_equal(be16_to_cpu(a), 0x0102);
	assert_int_equal(be32_to_cpu(b), 0x01020304);
	assert_true(be64_to_cpu(c) == 0x0102030405060708);
	assert_int_equal(le32_to_cpu(d), 0x01020304);
}

static void test_sha256(void **state)
{
	const char *want =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	char hex[65];

	(void)state;
	sha256_hex("abc", 3, hex);
	assert_string_equal(hex, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc_reference),
		cmocka_unit_test(test_crc_in_pieces),
		cmocka_unit_test(test_scnprintf),
		cmocka_unit_test(test_min_max),
		cmocka_unit_test(test_byte_order),
		cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
