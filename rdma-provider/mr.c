// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Memory regions and memory windows.
 */

#include <stdlib.h>

#include "siw.h"

/*
 * The low byte of an STag is ours to choose. Taking another one each time
 * makes a peer's or an application's stale STag fail.
 */
static uint8_t next_stag_key(struct siw_context *ctx)
{
	return __atomic_fetch_add(&ctx->stag_key, 1, __ATOMIC_RELAXED);
}

struct ibv_mr *siw_reg_mr(struct ibv_pd *pd, void *addr, size_t length,
			  uint64_t hca_va, int access)
{
	struct siw_reg_mr_resp resp = {};
	struct siw_reg_mr_req req = {};
	struct verbs_mr *mr;

	if (hca_va != (uintptr_t)addr &&
	    !siw_has(pd->context, SIW_FEAT_IOVA)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;
	req.drv.stag_key = next_stag_key(to_siw_ctx(pd->context));
	if (ibv_cmd_reg_mr(pd, addr, length, hca_va, access, mr, &req.cmd,
			   sizeof(req), &resp.core, sizeof(resp))) {
		free(mr);
		return NULL;
	}
	return &mr->ibv_mr;
}

struct ibv_mr *siw_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset,
				 size_t length, uint64_t iova, int fd,
				 int access)
{
	struct verbs_mr *mr;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;
	if (ibv_cmd_reg_dmabuf_mr(pd, offset, length, iova, fd, access, mr,
				  NULL)) {
		free(mr);
		return NULL;
	}
	return &mr->ibv_mr;
}

int siw_rereg_mr(struct verbs_mr *mr, int flags, struct ibv_pd *pd, void *addr,
		 size_t length, int access)
{
	struct ib_uverbs_rereg_mr_resp resp;
	struct ibv_rereg_mr cmd;

	return ibv_cmd_rereg_mr(mr, flags, addr, length, (uintptr_t)addr,
				access, pd, &cmd, sizeof(cmd), &resp,
				sizeof(resp));
}

int siw_dereg_mr(struct verbs_mr *mr)
{
	int ret;

	if (mr->mr_type != IBV_MR_TYPE_NULL_MR) {
		ret = ibv_cmd_dereg_mr(mr);
		if (ret)
			return ret;
	}
	free(mr);
	return 0;
}

/* The null MR is a constant of the ABI: there is no object in the kernel */
struct ibv_mr *siw_alloc_null_mr(struct ibv_pd *pd)
{
	struct verbs_mr *mr;

	if (!siw_has(pd->context, SIW_FEAT_NULL_MR)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;
	mr->mr_type = IBV_MR_TYPE_NULL_MR;
	mr->ibv_mr.context = pd->context;
	mr->ibv_mr.pd = pd;
	mr->ibv_mr.lkey = SIW_NULL_STAG;
	return &mr->ibv_mr;
}

struct ibv_mr *siw_import_mr(struct ibv_pd *pd, uint32_t handle)
{
	struct verbs_mr *mr;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;
	if (ibv_cmd_query_mr(pd, mr, handle)) {
		free(mr);
		return NULL;
	}
	return &mr->ibv_mr;
}

void siw_unimport_mr(struct ibv_mr *ibmr)
{
	free(siw_container(ibmr, struct verbs_mr, ibv_mr));
}

int siw_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		  uint32_t flags, struct ibv_sge *sg_list, uint32_t num_sge)
{
	return ibv_cmd_advise_mr(pd, advice, flags, sg_list, num_sge);
}

struct ibv_mw *siw_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct ib_uverbs_alloc_mw_resp resp = {};
	struct ibv_alloc_mw cmd;
	struct ibv_mw *mw;

	if (!siw_has(pd->context, SIW_FEAT_MW)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	mw = calloc(1, sizeof(*mw));
	if (!mw)
		return NULL;
	if (ibv_cmd_alloc_mw(pd, type, mw, &cmd, sizeof(cmd), &resp,
			     sizeof(resp))) {
		free(mw);
		return NULL;
	}
	return mw;
}

int siw_dealloc_mw(struct ibv_mw *mw)
{
	int ret;

	ret = ibv_cmd_dealloc_mw(mw);
	if (ret)
		return ret;
	free(mw);
	return 0;
}
