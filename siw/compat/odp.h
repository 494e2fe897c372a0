/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looking at the pages of another process: an argument that nobody used went
 * away. Only odp.c includes this.
 */
#ifndef _SIW_COMPAT_ODP_H
#define _SIW_COMPAT_ODP_H

#include <linux/mm.h>
#include <linux/version.h>

static inline long compat_get_pages(struct mm_struct *mm, unsigned long start,
				    unsigned long num, unsigned int flags,
				    struct page **pages, int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, num, flags, pages, NULL,
				     locked);
#else
	return get_user_pages_remote(mm, start, num, flags, pages, locked);
#endif
}

#endif
