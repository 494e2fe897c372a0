/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protection domains.
 */
#ifndef _SIW_PD_H
#define _SIW_PD_H

#include <rdma/ib_verbs.h>

struct siw_pd {
	struct ib_pd base;
};

int siw_alloc_pd(struct ib_pd *pd, struct ib_udata *udata);
int siw_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata);

#endif
