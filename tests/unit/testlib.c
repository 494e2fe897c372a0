// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the unit tests share: test vectors, comparing octets, SHA-256.
 */
#include "testlib.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t unhex(const char *hex, u8 *dst)
{
	size_t n;

	for (n = 0; hex[2 * n]; n++) {
		int high = digit(hex[2 * n]), low = digit(hex[2 * n + 1]);

		if (high < 0 || low < 0)
			fail_msg("bad hex digits at %zu of %s", 2 * n, hex);
		dst[n] = high << 4 | low;
	}
	return n;
}

struct frame *vector_get(const char *name)
{
	static char line[4096], id[16], hex[4000];
	struct frame *f = calloc(1, sizeof(*f));
	FILE *in = fopen(VECTORS, "r");

	if (!in || !f)
		fail_msg("cannot read %s", VECTORS);
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%15s %u %3999s", id, &f->pos, hex) == 3 &&
		    id[0] != '#' && !strcmp(id, name)) {
			fclose(in);
			f->len = unhex(hex, f->data);
			return f;
		}
	}
	fail_msg("no vector %s", name);
	return NULL;
}

static void show(const char *title, const u8 *p, size_t len)
{
	size_t i;

	fprintf(stderr, "# %s (%zu): ", title, len);
	for (i = 0; i < len && i < 128; i++)
		fprintf(stderr, "%02x", p[i]);
	fprintf(stderr, "\n");
}

void assert_octets(const char *name, const void *have, size_t have_len,
		   const void *want, size_t want_len)
{
	if (have_len == want_len && !memcmp(have, want, want_len))
		return;
	show("have", have, have_len);
	show("want", want, want_len);
	fail_msg("%s differs", name);
}

/* ------------------------------------------------- SHA-256 (FIPS 180-4) --- */

static const u32 sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static u32 ror(u32 x, int n)
{
	return x >> n | x << (32 - n);
}

static void sha_block(u32 *h, const u8 *p)
{
	u32 w[64], s[8], t1, t2;
	int i;

	for (i = 0; i < 16; i++)
		w[i] = (u32)p[4 * i] << 24 | p[4 * i + 1] << 16 |
		       p[4 * i + 2] << 8 | p[4 * i + 3];
	for (; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^
			w[i - 15] >> 3) +
		       (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^
			w[i - 2] >> 10);
	memcpy(s, h, sizeof(s));
	for (i = 0; i < 64; i++) {
		t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
		     ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
		t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
		     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
		memmove(s + 1, s, 7 * sizeof(*s));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (i = 0; i < 8; i++)
		h[i] += s[i];
}

void sha256_hex(const void *data, size_t len, char *hex)
{
	u32 h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	size_t padded = (len + 9 + 63) & ~(size_t)63, i;
	u8 *p = calloc(1, padded);

	memcpy(p, data, len);
	p[len] = 0x80;
	for (i = 0; i < 8; i++)
		p[padded - 1 - i] = (u64)len * 8 >> 8 * i;
	for (i = 0; i < padded; i += 64)
		sha_block(h, p + i);
	free(p);
	for (i = 0; i < 8; i++)
		sprintf(hex + 8 * i, "%08x", h[i]);
}
