/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Device memory.
 */
#ifndef _SIW_DM_H
#define _SIW_DM_H

#include <rdma/ib_verbs.h>

struct siw_ring;

/**
 * struct siw_dm - a piece of device memory
 * @base: verbs object
 * @mem: whole pages, shared with its process
 * @size: octets at @mem
 * @length: octets asked for
 * @ring: owner of @mem
 */
struct siw_dm {
	struct ib_dm base;
	void *mem;
	size_t size;
	u64 length;
	struct siw_ring *ring;
};

static inline struct siw_dm *to_siw_dm(struct ib_dm *dm)
{
	return container_of(dm, struct siw_dm, base);
}

int siw_query_dm(struct uverbs_attr_bundle *attrs);
struct ib_dm *siw_alloc_dm(struct ib_device *ibdev, struct ib_ucontext *ctx,
			   struct ib_dm_alloc_attr *attr,
			   struct uverbs_attr_bundle *attrs);
int siw_dealloc_dm(struct ib_dm *dm, struct uverbs_attr_bundle *attrs);
struct ib_mr *siw_reg_dm_mr(struct ib_pd *pd, struct ib_dm *dm,
			    struct ib_dm_mr_attr *attr,
			    struct uverbs_attr_bundle *attrs);

#endif
