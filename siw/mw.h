/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory windows.
 */
#ifndef _SIW_MW_H
#define _SIW_MW_H

#include <rdma/ib_verbs.h>
#include "mem.h"

struct siw_qp;

struct siw_mw {
	struct ib_mw base;
	struct siw_mem *mem;
};

/**
 * struct siw_bind - a bind, as posted
 * @stag: names the window by its index; its key is the new one
 * @mr_stag: region to bind to
 * @access: IB_ACCESS_* rights wanted
 * @addr: first octet, a tagged offset of the region
 * @len: octets; 0 unbinds
 */
struct siw_bind {
	u32 stag;
	u32 mr_stag;
	u32 access;
	u64 addr;
	u64 len;
};

static inline struct siw_mw *to_siw_mw(struct ib_mw *mw)
{
	return container_of(mw, struct siw_mw, base);
}

int siw_alloc_mw(struct ib_mw *mw, struct ib_udata *udata);
int siw_dealloc_mw(struct ib_mw *mw);
int siw_mw_bind(struct siw_qp *qp, const struct siw_bind *bind);
bool siw_mw_invalidate(struct siw_mem *mem, u32 stag);
void siw_mw_forget_qp(struct siw_qp *qp);

#endif
