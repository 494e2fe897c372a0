/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory regions.
 */
#ifndef _SIW_MR_H
#define _SIW_MR_H

#include <linux/iosys-map.h>
#include <rdma/ib_verbs.h>
#include "mem.h"

struct dma_buf;
struct ib_umem;

/* Rights a process may have; huge pages are taken as they come. */
#define SIW_MR_ACCESS	(IB_ACCESS_LOCAL_WRITE | SIW_ACCESS_REMOTE | \
			 IB_ACCESS_MW_BIND | IB_ZERO_BASED | \
			 IB_ACCESS_HUGETLB | IB_ACCESS_OPTIONAL)

/* Windows would need pages that stay. */
#define SIW_ODP_ACCESS	((SIW_MR_ACCESS & ~IB_ACCESS_MW_BIND) | \
			 IB_ACCESS_ON_DEMAND)

/**
 * struct siw_mr - a memory region
 * @base: verbs object
 * @mem: what its STag names
 * @umem: what pins pages of a process, or NULL
 * @dmabuf: referenced and mapped, or NULL
 * @map: mapping of @dmabuf
 */
struct siw_mr {
	struct ib_mr base;
	struct siw_mem *mem;
	struct ib_umem *umem;
	struct dma_buf *dmabuf;
	struct iosys_map map;
};

static inline struct siw_mr *to_siw_mr(struct ib_mr *mr)
{
	return container_of(mr, struct siw_mr, base);
}

/* Octets that end at the last tagged offset do not wrap. */
static inline bool siw_mr_iova_ok(u64 iova, u64 len)
{
	return iova + len >= iova || !(iova + len);
}

struct siw_mr *siw_mr_alloc(struct ib_pd *pd, enum siw_mem_kind kind,
			    u32 max_pages);
void siw_mr_free(struct siw_mr *mr);
void siw_mr_list_linear(struct siw_mr *mr, void *kva);
struct ib_mr *siw_mr_open(struct siw_mr *mr, int access, u64 iova);

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
