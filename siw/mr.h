/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory regions.
 */
#ifndef _SIW_MR_H
#define _SIW_MR_H

#include <rdma/ib_verbs.h>
#include "mem.h"

struct ib_umem;

struct siw_mr {
	struct ib_mr base;
	struct siw_mem *mem;
	struct ib_umem *umem;
};

static inline struct siw_mr *to_siw_mr(struct ib_mr *mr)
{
	return container_of(mr, struct siw_mr, base);
}

struct ib_mr *siw_get_dma_mr(struct ib_pd *pd, int access);
struct ib_mr *siw_reg_user_mr(struct ib_pd *pd, u64 start, u64 len,
			      u64 iova, int access, struct ib_udata *udata);
struct ib_mr *siw_rereg_user_mr(struct ib_mr *mr, int flags, u64 start,
				u64 len, u64 iova, int access,
				struct ib_pd *pd, struct ib_udata *udata);
int siw_advise_mr(struct ib_pd *pd, enum ib_uverbs_advise_mr_advice advice,
		  u32 flags, struct ib_sge *sg_list, u32 num_sge,
		  struct uverbs_attr_bundle *attrs);
struct ib_mr *siw_alloc_mr(struct ib_pd *pd, enum ib_mr_type type,
			   u32 max_sg);
int siw_map_mr_sg(struct ib_mr *mr, struct scatterlist *sg, int nents,
		  unsigned int *offset);
int siw_dereg_mr(struct ib_mr *mr, struct ib_udata *udata);
int siw_mr_fast_reg(struct siw_mr *mr, u32 key, u32 access);

#endif
