/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the protocol code needs from its surroundings: fixed-size types, byte
 * order, CRC-32C. The kernel has it all; user space (unit tests, fuzzers)
 * gets the same names here. Wire structures are packed, so plain member
 * access is already safe at any alignment.
 */
#ifndef SIW_PROTO_PORT_H
#define SIW_PROTO_PORT_H

#ifdef __KERNEL__

#include <linux/bits.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#else /* user space */

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <iwarp/wire.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define cpu_to_be16(x)	((__be16)htobe16(x))
#define cpu_to_be32(x)	((__be32)htobe32(x))
#define cpu_to_be64(x)	((__be64)htobe64(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define be16_to_cpu(x)	((u16)be16toh(x))
#define be32_to_cpu(x)	((u32)be32toh(x))
#define be64_to_cpu(x)	((u64)be64toh(x))
#define le32_to_cpu(x)	((u32)le32toh(x))

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1ul << (n))
#define min_t(t, a, b)	({ t a_ = (a), b_ = (b); a_ < b_ ? a_ : b_; })
#define max_t(t, a, b)	({ t a_ = (a), b_ = (b); a_ > b_ ? a_ : b_; })
#define scnprintf	port_scnprintf
#define __printf(a, b)	IWARP_ATTRIBUTE(format(printf, a, b))

/* Like the kernel's: the octets really written, without the final zero. */
static inline __printf(3, 4)
int port_scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	if (!size)
		return 0;
	va_start(args, fmt);
	n = vsnprintf(buf, size, fmt, args);
	va_end(args);
	if (n < 0)
		return 0;
	return (size_t)n < size ? n : (int)size - 1;
}

/* CRC-32C of the kernel's convention: no inversion before or after. */
static inline u32 crc32c(u32 crc, const void *address, unsigned int length)
{
	static const u32 nibble[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const u8 *p = address;

	while (length--) {
		crc ^= *p++;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return crc;
}

#endif /* user space */

#endif /* SIW_PROTO_PORT_H */
