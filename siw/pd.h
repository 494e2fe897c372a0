/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains.
 */
#ifndef _SIW_PD_H
#define _SIW_PD_H

#include <rdma/ib_verbs.h>

/**
 * struct siw_pd - a protection domain
 * @base: verbs object
 * @conns: connected queue pairs in it, see siw_mem_invalidate()
 */
struct siw_pd {
	struct ib_pd base;
	atomic_t conns;
};

static inline struct siw_pd *to_siw_pd(const struct ib_pd *pd)
{
	return container_of(pd, struct siw_pd, base);
}

static inline int siw_pd_conns(const struct ib_pd *pd)
{
	return atomic_read(&to_siw_pd(pd)->conns);
}

int siw_alloc_pd(struct ib_pd *pd, struct ib_udata *udata);
int siw_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata);

#endif
