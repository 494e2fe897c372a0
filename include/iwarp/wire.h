/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Means to describe wire formats, the same in the kernel and in user space.
 */
#ifndef IWARP_WIRE_H
#define IWARP_WIRE_H

#include <linux/types.h>

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/stddef.h>

#else /* user space */

#include <assert.h>
#include <stddef.h>

#define IWARP_ATTRIBUTE(x)	__attribute__((x))
#ifndef __packed
#define __packed		IWARP_ATTRIBUTE(packed)
#endif

#endif /* user space */

#endif /* IWARP_WIRE_H */
