/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Differences between kernel versions. Included before everything else in
 * every unit of the module (see Kbuild); the rest of the module is written for
 * the newest kernel and tests no version.
 *
 * verbs.h and tcp.h beside this file hold what needs more than the
 * preprocessor.
 */
#ifndef _SIW_COMPAT_H
#define _SIW_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) || \
	!defined(CONFIG_64BIT)
#error "siw needs a 64-bit kernel of version 6.1 to 6.12"
#endif

/* Who takes memory away waits for its users by spinning, in places with softirqs off. */
#ifdef CONFIG_PREEMPT_RT
#error "siw does not run on PREEMPT_RT"
#endif

/*
 * Up to 6.4 rdma_cm finds the GID of an iWARP port by the netdev's MAC
 * address; later it takes index 0 whatever it holds, and the GID cache can be
 * made to leave entries alone that have not changed.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define COMPAT_GID0_BY_MAC 1
#else
#define COMPAT_GID0_BY_MAC 0
#endif

/* From 6.10 on the source of a trace string is remembered by __string() */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define compat_assign_str(dst, src) __assign_str(dst, src)
#else
#define compat_assign_str(dst, src) __assign_str(dst)
#endif

#endif
