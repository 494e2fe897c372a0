/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * On-demand paging: regions whose pages come and go.
 */
#ifndef _SIW_ODP_H
#define _SIW_ODP_H

#include <linux/kconfig.h>
#include <linux/types.h>
#include "mem.h"

struct siw_device;
struct siw_odp;
struct siw_pager;
struct siw_ucontext;

#if IS_ENABLED(CONFIG_MMU_NOTIFIER)

#define SIW_ODP_OFFERED	1

int siw_odp_create(struct siw_ucontext *uctx, struct siw_mem *mem, u64 start,
		   u64 len, bool writable);
void siw_odp_put(struct siw_odp *odp);
bool siw_odp_present(const struct siw_mem *mem, u64 to, u32 len);
void *siw_odp_page(struct siw_odp *odp, u64 idx);
struct siw_odp *siw_odp_get(struct siw_device *sdev,
			    const struct siw_mem_want *want, u64 *first,
			    u64 *last);
int siw_odp_read(struct siw_odp *odp, u64 first, u64 last);
struct siw_pager *siw_odp_pager(const struct siw_odp *odp);
int siw_odp_fetch(struct siw_device *sdev, const struct siw_mem_want *want,
		  bool fault);

#else

#define SIW_ODP_OFFERED	0

static inline int siw_odp_create(struct siw_ucontext *uctx, struct siw_mem *mem,
				 u64 start, u64 len, bool writable)
{
	return -EOPNOTSUPP;
}

static inline void siw_odp_put(struct siw_odp *odp)
{
}

static inline bool siw_odp_present(const struct siw_mem *mem, u64 to, u32 len)
{
	return false;
}

static inline void *siw_odp_page(struct siw_odp *odp, u64 idx)
{
	return NULL;
}

static inline int siw_odp_fetch(struct siw_device *sdev,
				const struct siw_mem_want *want, bool fault)
{
	return -EFAULT;
}

#endif

/**
 * siw_mem_present() - can a range be copied at once
 * @mem: memory
 * @to: tagged offset of the first octet; the range was checked
 * @len: octets, not 0
 *
 * Context: between siw_mem_begin() and _end(), up to which the answer holds.
 * Return: false if pages must be fetched first, outside of them (pager.c).
 */
static inline bool siw_mem_present(const struct siw_mem *mem, u64 to, u32 len)
{
	return likely(mem->kind != SIW_MEM_ODP) ||
	       siw_odp_present(mem, to, len);
}

#endif
