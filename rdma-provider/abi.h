/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requests and responses of the siw driver: the library's part followed by
 * ours, as the private ABI wants them in memory.
 *
 * A request with an extended driver part is sent as sizeof(.cmd) bytes to a
 * kernel that has not advertised the extension: that is version 1 exactly.
 */
#ifndef SIW_PROVIDER_ABI_H
#define SIW_PROVIDER_ABI_H

#include <rdma/siw-abi.h>

#include "../include/uapi/siw_ext_abi.h"
#include "pabi.h"

struct siw_get_context_resp {
	struct ib_uverbs_get_context_resp core;
	struct siw_uresp_alloc_ctx drv;
};

struct siw_create_cq_req {
	struct ibv_create_cq_ex cmd;
	struct siw_ureq_create_cq_ext drv;
};

struct siw_create_cq_resp {
	struct ib_uverbs_ex_create_cq_resp core;
	struct siw_uresp_create_cq drv;
};

struct siw_resize_cq_resp {
	struct ib_uverbs_resize_cq_resp core;
	struct siw_uresp_create_cq drv;
};

struct siw_create_srq_resp {
	struct ib_uverbs_create_srq_resp core;
	struct siw_uresp_create_srq drv;
};

struct siw_create_qp_req {
	struct ibv_create_qp cmd;
	struct siw_ureq_create_qp_ext drv;
};

struct siw_create_qp_resp {
	struct ib_uverbs_create_qp_resp core;
	struct siw_uresp_create_qp_ext drv;
};

struct siw_reg_mr_req {
	struct ibv_reg_mr cmd;
	struct siw_ureq_reg_mr drv;
};

struct siw_reg_mr_resp {
	struct ib_uverbs_reg_mr_resp core;
	struct siw_uresp_reg_mr drv;
};

/* The doorbell: an empty POST_SEND, written to the command file as it is */
struct siw_doorbell {
	struct ibv_post_send cmd;
};

/* The smallest wqe_size the core takes; it allocates as much per call */
#define SIW_DOORBELL_WQE_SIZE 56

#define SIW_REQ_IS(type, total, drv_off) \
	_Static_assert(sizeof(struct type) == (total) && \
		       offsetof(struct type, drv) == (drv_off), #type)

SIW_REQ_IS(siw_get_context_resp, 16, 8);
SIW_REQ_IS(siw_create_cq_req, 64, 56);
SIW_REQ_IS(siw_create_cq_resp, 32, 16);
SIW_REQ_IS(siw_resize_cq_resp, 24, 8);
SIW_REQ_IS(siw_create_srq_resp, 32, 16);
SIW_REQ_IS(siw_create_qp_req, 72, 64);
SIW_REQ_IS(siw_create_qp_resp, 80, 32);
SIW_REQ_IS(siw_reg_mr_req, 56, 48);
SIW_REQ_IS(siw_reg_mr_resp, 20, 12);
_Static_assert(sizeof(struct siw_doorbell) == 32, "siw_doorbell");
_Static_assert(sizeof(struct ib_uverbs_send_wr) == SIW_DOORBELL_WQE_SIZE,
	       "wqe_size of the doorbell");

/* Both SQE layouts share their first 24 bytes, see siw_put_head() */
_Static_assert(offsetof(struct siw_sqe, id) ==
	       offsetof(struct siw_sqe_ext, id), "id");
_Static_assert(offsetof(struct siw_sqe, flags) ==
	       offsetof(struct siw_sqe_ext, flags), "flags");
_Static_assert(offsetof(struct siw_sqe, num_sge) ==
	       offsetof(struct siw_sqe_ext, num_sge), "num_sge");
_Static_assert(offsetof(struct siw_sqe, opcode) ==
	       offsetof(struct siw_sqe_ext, opcode), "opcode");
_Static_assert(offsetof(struct siw_sqe, rkey) ==
	       offsetof(struct siw_sqe_ext, rkey), "rkey");
_Static_assert(offsetof(struct siw_sqe, raddr) ==
	       offsetof(struct siw_sqe_ext, raddr), "raddr");
_Static_assert(sizeof(struct siw_sqe) == 120, "siw_sqe");
_Static_assert(sizeof(struct siw_rqe) == 112, "siw_rqe");
_Static_assert(sizeof(struct siw_cqe) == 32, "siw_cqe");
_Static_assert(sizeof(struct siw_cq_ctrl) == 8, "siw_cq_ctrl");
_Static_assert(sizeof(struct siw_sge) == sizeof(struct ibv_sge) &&
	       offsetof(struct siw_sge, laddr) ==
	       offsetof(struct ibv_sge, addr) &&
	       offsetof(struct siw_sge, length) ==
	       offsetof(struct ibv_sge, length) &&
	       offsetof(struct siw_sge, lkey) ==
	       offsetof(struct ibv_sge, lkey), "SGEs are copied as they are");

#endif
