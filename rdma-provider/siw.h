/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Objects of the provider, and the verbs each file implements.
 *
 * Verbs return 0 or a positive errno; those that return an object return NULL
 * and set errno. Each SQ, RQ, SRQ and CQ has a lock of its own; no two of them
 * are ever held at once. A CQ has one more, for arming it, taken inside.
 */
#ifndef SIW_PROVIDER_H
#define SIW_PROVIDER_H

#include <string.h>

#include "abi.h"
#include "ring.h"

#define fallthrough __attribute__((__fallthrough__))

#define siw_container(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

/**
 * struct siw_context - an open device
 * @vctx: what the library knows
 * @features: SIW_FEAT_* bits the kernel advertised
 * @stag_key: low byte of the next memory region's STag
 * @no_write: doorbells must not use write(), because the process has changed
 *	its credentials since it opened the device
 */
struct siw_context {
	struct verbs_context vctx;
	uint32_t features;
	uint8_t stag_key;
	bool no_write;
};

/* A promise to use some objects from one thread only */
struct siw_td {
	struct ibv_td td;
	uint32_t users;
};

/**
 * struct siw_pd - a protection domain or a parent domain
 * @pd: what the library knows; a parent domain has its base's handle
 * @base: the protection domain behind a parent domain, else NULL
 * @td: the thread domain of a parent domain, or NULL
 * @users: objects that must be gone before this one
 * @alloc: the application's allocator for objects, or NULL
 * @free: its counterpart
 * @alloc_ctx: passed to both
 */
struct siw_pd {
	struct ibv_pd pd;
	struct siw_pd *base;
	struct siw_td *td;
	uint32_t users;
	void *(*alloc)(struct ibv_pd *pd, void *ctx, size_t size,
		       size_t alignment, uint64_t resource_type);
	void (*free)(struct ibv_pd *pd, void *ctx, void *ptr,
		     uint64_t resource_type);
	void *alloc_ctx;
};

/* The lower half of an application's allocator's resource_type */
enum siw_resource {
	SIW_RESOURCE_QP = 1,
	SIW_RESOURCE_CQ,
	SIW_RESOURCE_SRQ,
};

/**
 * struct siw_home - where an object's memory came from
 * @domain: parent domain the object counts as a user of, or NULL
 * @custom: the memory came from the domain's allocator
 */
struct siw_home {
	struct siw_pd *domain;
	bool custom;
};

/**
 * struct siw_cq - a completion queue
 * @vcq: what the library knows
 * @lock: guards @ring and @cur; held from start_poll to end_poll
 * @arm: guards @ctrl, so that a queue can be armed between those two
 * @ring: CQEs
 * @ctrl: notify word behind the ring
 * @ext: the ring holds struct siw_cqe_ext
 * @cur: the completion the extended poll functions read
 */
struct siw_cq {
	struct verbs_cq vcq;
	struct siw_home home;
	struct siw_lock lock;
	struct siw_lock arm;
	struct siw_ring ring;
	struct siw_cq_ctrl *ctrl;
	bool ext;
	struct siw_cqe_ext cur;
};

struct siw_srq {
	struct verbs_srq vsrq;
	struct siw_home home;
	struct siw_lock lock;
	struct siw_ring ring;
	uint32_t max_sge;
};

/**
 * struct siw_sq - a send queue
 * @lock: guards @ring and the members below it
 * @ring: SQEs
 * @flags: by ring index, flags of elements not published yet
 * @batch: first element of the batch under construction (wr_start)
 * @cur: its last element, NULL before the first and after an error
 * @cur_op: row of the operation table for @cur
 * @err: first error of the batch
 * @ops: bit per enum ibv_wr_opcode: what may be posted
 * @max_sge: SGEs per request
 * @max_inline: bytes of inline data per request
 * @data_off: offset of the SGEs in an element
 * @inline_off: offset of inline data in an element
 */
struct siw_sq {
	struct siw_lock lock;
	struct siw_ring ring;
	uint16_t *flags;
	uint32_t batch;
	struct siw_sqe *cur;
	const struct siw_send_op *cur_op;
	int err;
	uint32_t ops;
	uint32_t max_sge;
	uint32_t max_inline;
	uint16_t data_off;
	uint16_t inline_off;
};

struct siw_rq {
	struct siw_lock lock;
	struct siw_ring ring;
	uint32_t max_sge;
};

/**
 * struct siw_qp - a queue pair
 * @vqp: what the library knows
 * @sq: send queue
 * @rq: receive queue, without a ring if there is an SRQ or nothing to hold
 * @ctrl: control words behind the SQ, NULL in version 1
 * @ext: both rings have the extended layout
 * @sig_all: every send request produces a completion
 * @db: ready-made doorbell command
 * @db_resp: what the kernel answers to it; of no interest
 */
struct siw_qp {
	struct verbs_qp vqp;
	struct siw_home home;
	struct siw_sq sq;
	struct siw_rq rq;
	struct siw_qp_ctrl *ctrl;
	bool ext;
	bool sig_all;
	struct siw_doorbell db;
	struct ib_uverbs_post_send_resp db_resp;
};

static inline struct siw_context *to_siw_ctx(struct ibv_context *context)
{
	return siw_container(context, struct siw_context, vctx.context);
}

static inline struct siw_pd *to_siw_pd(struct ibv_pd *pd)
{
	return siw_container(pd, struct siw_pd, pd);
}

static inline struct siw_cq *to_siw_cq(struct ibv_cq *cq)
{
	return siw_container(cq, struct siw_cq, vcq.cq);
}

static inline struct siw_srq *to_siw_srq(struct ibv_srq *srq)
{
	return siw_container(srq, struct siw_srq, vsrq.srq);
}

static inline struct siw_qp *to_siw_qp(struct ibv_qp *qp)
{
	return siw_container(qp, struct siw_qp, vqp.qp);
}

static inline bool siw_has(struct ibv_context *context, uint32_t features)
{
	return (to_siw_ctx(context)->features & features) == features;
}

/* Mostly one or two, which a call of memcpy() costs more than */
static inline void siw_put_sge_list(void *to, const struct ibv_sge *from,
				    size_t num)
{
	size_t i;

	for (i = 0; i < num; i++)
		memcpy((struct ibv_sge *)to + i, from + i, sizeof(*from));
}

/* pd.c */
struct ibv_pd *siw_alloc_pd(struct ibv_context *context);
struct ibv_pd *siw_alloc_parent_domain(struct ibv_context *context,
				       struct ibv_parent_domain_init_attr *a);
int siw_dealloc_pd(struct ibv_pd *pd);
struct ibv_pd *siw_import_pd(struct ibv_context *context, uint32_t handle);
void siw_unimport_pd(struct ibv_pd *pd);
struct ibv_td *siw_alloc_td(struct ibv_context *context,
			    struct ibv_td_init_attr *attr);
int siw_dealloc_td(struct ibv_td *td);
void *siw_obj_alloc(struct ibv_pd *pd, size_t size, enum siw_resource type,
		    struct siw_home *home);
void siw_obj_free(struct siw_home home, void *obj, enum siw_resource type);
bool siw_single_threaded(const struct siw_home *home);

/* mr.c */
struct ibv_mr *siw_reg_mr(struct ibv_pd *pd, void *addr, size_t length,
			  uint64_t hca_va, int access);
struct ibv_mr *siw_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset,
				 size_t length, uint64_t iova, int fd,
				 int access);
int siw_rereg_mr(struct verbs_mr *mr, int flags, struct ibv_pd *pd, void *addr,
		 size_t length, int access);
int siw_dereg_mr(struct verbs_mr *mr);
struct ibv_mr *siw_alloc_null_mr(struct ibv_pd *pd);
struct ibv_mr *siw_import_mr(struct ibv_pd *pd, uint32_t handle);
void siw_unimport_mr(struct ibv_mr *mr);
int siw_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		  uint32_t flags, struct ibv_sge *sg_list, uint32_t num_sge);
struct ibv_mw *siw_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type);
int siw_dealloc_mw(struct ibv_mw *mw);

/* dm.c */
struct ibv_dm *siw_import_dm(struct ibv_context *context, uint32_t handle);
void siw_unimport_dm(struct ibv_dm *dm);
struct ibv_dm *siw_alloc_dm(struct ibv_context *context,
			    struct ibv_alloc_dm_attr *attr);
int siw_free_dm(struct ibv_dm *dm);
struct ibv_mr *siw_reg_dm_mr(struct ibv_pd *pd, struct ibv_dm *dm,
			     uint64_t offset, size_t length,
			     unsigned int access);

/* cq.c */
struct ibv_cq *siw_create_cq(struct ibv_context *context, int cqe,
			     struct ibv_comp_channel *channel, int vector);
struct ibv_cq_ex *siw_create_cq_ex(struct ibv_context *context,
				   struct ibv_cq_init_attr_ex *attr);
int siw_resize_cq(struct ibv_cq *cq, int cqe);
int siw_modify_cq(struct ibv_cq *cq, struct ibv_modify_cq_attr *attr);
int siw_destroy_cq(struct ibv_cq *cq);
int siw_poll_cq(struct ibv_cq *cq, int num, struct ibv_wc *wc);
int siw_req_notify_cq(struct ibv_cq *cq, int solicited_only);
void siw_cq_forget(struct ibv_cq *cq, uint32_t qp_num);

/* srq.c */
struct ibv_srq *siw_create_srq(struct ibv_pd *pd,
			       struct ibv_srq_init_attr *attr);
struct ibv_srq *siw_create_srq_ex(struct ibv_context *context,
				  struct ibv_srq_init_attr_ex *attr);
int siw_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int mask);
int siw_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr);
int siw_destroy_srq(struct ibv_srq *srq);
int siw_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr,
		      struct ibv_recv_wr **bad_wr);

/* qp.c */
struct ibv_qp *siw_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
struct ibv_qp *siw_create_qp_ex(struct ibv_context *context,
				struct ibv_qp_init_attr_ex *attr);
int siw_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
int siw_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
		 struct ibv_qp_init_attr *init_attr);
int siw_destroy_qp(struct ibv_qp *qp);

/* recv.c */
int siw_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr,
		  struct ibv_recv_wr **bad_wr);
int siw_put_rqe(struct siw_ring *ring, uint32_t max_sge,
		const struct ibv_recv_wr *wr);

/* send.c */
int siw_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
		  struct ibv_send_wr **bad_wr);
int siw_bind_mw(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind);
uint32_t siw_send_ops(const struct siw_qp *qp);
int siw_sq_kick(struct siw_qp *qp, uint32_t first);

/* doorbell.c */
int siw_ring_doorbell(struct siw_qp *qp);

/*
 * Has the QP failed, so that posts need a doorbell? To be asked after publishing:
 * the fence pairs with the one between the kernel's setting of the bit and its
 * flush. Never true in version 1, where the kernel cannot tell.
 */
static inline bool siw_qp_needs_flush(const struct siw_qp *qp)
{
	if (!qp->ctrl)
		return false;
	siw_ring_fence();
	return __atomic_load_n(&qp->ctrl->flags, __ATOMIC_RELAXED) &
	       SIW_QP_CTRL_ERROR;
}

/* wr.c */
int siw_set_wr_functions(struct siw_qp *qp, uint64_t send_ops);

#endif
