/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Extension of the siw user ABI, on top of version 1 in <rdma/siw-abi.h>.
 *
 * Negotiation. The kernel advertises SIW_FEAT_* bits in
 * siw_uresp_alloc_ctx.pad, which is zero with a kernel that only knows
 * version 1 and which a version 1 provider never reads. Only after it has
 * seen a bit does a provider send the longer requests below. A kernel
 * decides per request: no driver request bytes means version 1, so that one
 * module serves old and new providers side by side, down to single objects.
 *
 * What every kernel does with a request of this file: driver request bytes
 * shorter than the structure, an unknown "layout" or a non-zero reserved
 * word is EINVAL; bytes beyond the structure must be zero. A response is
 * never longer than the caller's buffer.
 *
 * A bit may be advertised only when everything its comment demands works.
 * The order in which bits appear is free, except that IMM, ATOMIC, MW and
 * LOCAL_INV need EXT_QP and EXT_CQ.
 */
#ifndef SIW_EXT_ABI_H
#define SIW_EXT_ABI_H

#include <linux/types.h>
#include <rdma/siw-abi.h>

/**
 * enum siw_features - bits of siw_uresp_alloc_ctx.pad
 * @SIW_FEAT_EXT_QP: create_qp takes struct siw_ureq_create_qp_ext. The queue
 *	pair has rings of the extended layout and a struct siw_qp_ctrl, and a
 *	doorbell in state ERROR flushes both queues (see struct siw_qp_ctrl).
 * @SIW_FEAT_EXT_CQ: create_cq takes struct siw_ureq_create_cq_ext; the ring
 *	then holds struct siw_cqe_ext. Extended and version 1 queue pairs may
 *	complete to either kind of CQ; see struct siw_cqe_ext.
 * @SIW_FEAT_IMM: SIW_OP_SEND_WITH_IMM and SIW_OP_EXT_WRITE_WITH_IMM are
 *	accepted on extended SQs.
 * @SIW_FEAT_ATOMIC: SIW_OP_FETCH_AND_ADD and SIW_OP_COMP_AND_SWAP are
 *	accepted on extended SQs. Results and operands are in host order.
 * @SIW_FEAT_MW: the core's alloc_mw and dealloc_mw work for type 1 and 2,
 *	SIW_OP_EXT_BIND_MW is accepted on extended SQs.
 * @SIW_FEAT_LOCAL_INV: SIW_OP_INVAL_STAG is accepted on extended SQs, for
 *	type 2 memory windows (a user's memory region cannot be bound again,
 *	so invalidating one completes with SIW_WC_LOC_QP_OP_ERR).
 * @SIW_FEAT_CQ_TS: create_cq accepts the core's timestamp flag
 *	(IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION); such an extended CQ has
 *	siw_cqe_ext.timestamp filled in.
 * @SIW_FEAT_CQ_RESIZE: resize_cq works for user CQs and answers with
 *	struct siw_uresp_create_cq; see there.
 * @SIW_FEAT_NULL_MR: SIW_NULL_STAG may be used as lkey: bytes written to it
 *	are dropped, bytes read from it are zero. Never valid from the wire.
 * @SIW_FEAT_DM: alloc_dm works and carries SIW_ATTR_ALLOC_DM_KEY.
 * @SIW_FEAT_IGN_OVERRUN: create_cq accepts the core's flag
 *	IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN: a completion that finds the ring
 *	full is dropped without an event.
 * @SIW_FEAT_IOVA: remote and local access to an MR uses the hca_va of its
 *	registration. Without the bit the address is the buffer's, and a
 *	provider refuses a registration where the two differ.
 * @SIW_FEAT_SQ_POLL: siw_ureq_create_qp_ext.sq_poll is looked at, and so
 *	SIW_QP_CTRL_TX_ACTIVE may be set.
 */
enum siw_features {
	SIW_FEAT_EXT_QP = 1U << 0,
	SIW_FEAT_EXT_CQ = 1U << 1,
	SIW_FEAT_IMM = 1U << 2,
	SIW_FEAT_ATOMIC = 1U << 3,
	SIW_FEAT_MW = 1U << 4,
	SIW_FEAT_LOCAL_INV = 1U << 5,
	SIW_FEAT_CQ_TS = 1U << 6,
	SIW_FEAT_CQ_RESIZE = 1U << 7,
	SIW_FEAT_NULL_MR = 1U << 8,
	SIW_FEAT_DM = 1U << 9,
	SIW_FEAT_IGN_OVERRUN = 1U << 10,
	SIW_FEAT_IOVA = 1U << 11,
	SIW_FEAT_SQ_POLL = 1U << 12,
};

/*
 * Octets of device memory a device has, with SIW_FEAT_DM. The kernel's
 * query_device says none, because a version 1 provider has no way to get any.
 */
#define SIW_EXT_MAX_DM (16U << 20)

/* Index 0 is never a region, so that this value cannot collide with one */
#define SIW_NULL_STAG 0x000000ffU

/* The only value of the "layout" words below; a later layout gets another */
#define SIW_EXT_LAYOUT 1

/*
 * Opcodes beyond enum siw_opcode. They exist in extended SQEs and CQEs only:
 * a CQE of a version 1 ring carries opcodes below SIW_NUM_OPCODES, because
 * its reader may use them as a table index.
 *
 * SIW_OP_EXT_RECV_WRITE_IMM is seen in CQEs: a receive that was consumed by
 * the Immediate Data message of an RDMA Write with immediate (RFC 7306
 * section 6). A version 1 CQ shows SIW_OP_RECEIVE with length 0 instead.
 */
enum siw_ext_opcode {
	SIW_OP_EXT_WRITE_WITH_IMM = 16,
	SIW_OP_EXT_BIND_MW = 17,
	SIW_OP_EXT_RECV_WRITE_IMM = 18,
	SIW_NUM_EXT_OPCODES
};

/*
 * Status values beyond enum siw_wc_status. They exist in extended CQEs only; a
 * version 1 ring shows SIW_WC_GENERAL_ERR instead.
 */
enum siw_ext_wc_status {
	SIW_WC_EXT_MW_BIND_ERR = 16,
	SIW_WC_EXT_REM_OP_ERR = 17,	/* the peer could not place a Send */
	SIW_WC_EXT_RNR_ERR = 18,	/* the peer had no receive for it */
	SIW_NUM_EXT_WC_STATUS
};

/*
 * Extended SQE: a head of 32 bytes (the first 24 as in version 1), then SGEs,
 * inline data or the operands of an atomic or a bind. The distance of two
 * elements is siw_uresp_create_qp_ext.sqe_stride, a multiple of 64, so that a
 * small request is one cache line and never shares one. Hand-over by the
 * flags word is as in version 1.
 *
 * flags       bits of enum siw_wqe_flags
 * num_sge     SGEs used; 0 with SIW_WQE_INLINE, atomics (one implied), bind
 * rkey        remote STag of Write, Read and atomics;
 *             SEND_REMOTE_INV: STag the peer shall invalidate (as in v1);
 *             SIW_OP_EXT_BIND_MW: the STag the window gets: its 24 bit index
 *             names the window, the low 8 bits are the new key;
 *             SIW_OP_INVAL_STAG: the local STag
 * raddr       remote tagged offset; SIW_OP_EXT_BIND_MW: start of the window
 * imm_data    SEND_WITH_IMM, WRITE_WITH_IMM: as the application gave it
 *             (network order), to be passed through unchanged
 * inline_len  with SIW_WQE_INLINE: number of bytes at sge[], at most
 *             siw_uresp_create_qp_ext.max_inline; allowed for all Sends and
 *             Writes
 *
 * A Read takes one SGE. Fence on a Read is allowed. An SQE that breaks these
 * rules completes with SIW_WC_LOC_QP_OP_ERR and moves the QP to ERROR; it
 * must not leave the SQ blocked.
 */
struct siw_sqe_ext {
	__aligned_u64 id;
	__u16 flags;
	__u8 num_sge;
	__u8 opcode;
	__u32 rkey;
	__aligned_u64 raddr;
	__u32 imm_data;
	__u32 inline_len;
	struct siw_sge sge[];
};

/* At siw_sqe_ext.sge of an atomic: where the old value goes, operands */
struct siw_sqe_atomic {
	struct siw_sge result;
	__aligned_u64 compare_add;
	__aligned_u64 swap;
};

/*
 * At siw_sqe_ext.sge of a bind. access holds IBV_ACCESS_* (IB_ACCESS_*) bits
 * including ZERO_BASED; LOCAL_WRITE means nothing to a window. Length 0 unbinds
 * a type 1 window. A type 1 window may be bound again and again, each time
 * with another key; one of type 2 only while it is not bound, and then for
 * the queue pair that binds it alone. A bind that is refused completes with
 * SIW_WC_EXT_MW_BIND_ERR.
 */
struct siw_sqe_bind {
	__aligned_u64 length;
	__u32 mr_stag;
	__u32 access;
};

/*
 * The RQE keeps its version 1 layout; rqe_stride is a multiple of 64 and makes
 * room for more or fewer SGEs. SRQs are version 1 always.
 */
#define SIW_EXT_STRIDE_UNIT 64U
#define SIW_EXT_MAX_STRIDE 512U
#define SIW_EXT_MAX_SEND_SGE 30U
#define SIW_EXT_MAX_RECV_SGE 31U
#define SIW_EXT_MAX_INLINE 480U

/**
 * struct siw_ureq_create_qp_ext - driver request of create_qp
 * @layout: SIW_EXT_LAYOUT
 * @sq_poll: 0, or with SIW_FEAT_SQ_POLL: have a thread of the kernel look at the
 *	SQ, and let it look in vain for so many microseconds before it sleeps
 *	and needs a doorbell (see SIW_QP_CTRL_TX_ACTIVE). More than the
 *	administrator allows is cut to that, and where nothing is allowed or no
 *	thread is to be had the queue pair is created without.
 *
 * Sizes come from the core's capabilities. With this request max_send_sge up
 * to SIW_EXT_MAX_SEND_SGE, max_recv_sge up to SIW_EXT_MAX_RECV_SGE and
 * max_inline_data up to SIW_EXT_MAX_INLINE are possible; the kernel may set
 * lower limits and answers EINVAL beyond them. Without it the limits are
 * those of version 1 (6, 6, 80), whatever query_device says.
 */
struct siw_ureq_create_qp_ext {
	__u32 layout;
	__u32 sq_poll;
};

/**
 * struct siw_uresp_create_qp_ext - driver response of an extended create_qp
 * @v1: as in version 1; @v1.pad stays 0. The SQ mapping is
 *	num_sqe * @sqe_stride bytes, directly followed by one struct
 *	siw_qp_ctrl; the RQ mapping num_rqe * @rqe_stride bytes.
 * @sqe_stride: bytes from one SQE to the next
 * @rqe_stride: bytes from one RQE to the next, 0 without an RQ
 * @max_inline: bytes of inline data an SQE takes
 * @sq_poll: microseconds granted, 0: the SQ is not polled
 */
struct siw_uresp_create_qp_ext {
	struct siw_uresp_create_qp v1;
	__u32 sqe_stride;
	__u32 rqe_stride;
	__u32 max_inline;
	__u32 sq_poll;
};

/*
 * struct siw_qp_ctrl.flags, written by the kernel, read by the provider.
 *
 * SIW_QP_CTRL_ERROR: the QP is in state ERROR, nobody looks at its rings. The
 * kernel sets it, then a full barrier, then flushes what is in SQ and RQ. The
 * provider publishes an SQE or RQE, then a full barrier, then reads the word:
 * one of the two sees the other. When the provider finds the bit, it rings
 * the doorbell (the empty POST_SEND of version 1), after an RQ post as well
 * as after an SQ post. The kernel's answer to a doorbell in ERROR is to
 * complete all valid elements of SQ and RQ with SIW_WC_WR_FLUSH_ERR, also for
 * version 1 queue pairs. The bit goes away when the QP leaves ERROR.
 *
 * SIW_QP_CTRL_TX_ACTIVE: optional, a hint that saves doorbells. While it is
 * set the kernel's sender is running or certain to run, and it looks at the
 * SQ again after clearing it and a full barrier. The provider skips the
 * doorbell when it finds the bit (and not ERROR) after publishing. A kernel
 * that never sets it loses nothing: the doorbell rule of version 1 still
 * holds (no doorbell while the slot before the first new one is VALID). It is
 * set while the thread that siw_ureq_create_qp_ext.sq_poll asks for is awake.
 *
 * A doorbell before the QP has reached RTS is no error: it returns success,
 * and the kernel looks at the SQ when it enters RTS.
 */
enum siw_qp_ctrl_flags {
	SIW_QP_CTRL_ERROR = 1U << 0,
	SIW_QP_CTRL_TX_ACTIVE = 1U << 1,
};

struct siw_qp_ctrl {
	__u32 flags;
	__u32 reserved;
};

/**
 * struct siw_ureq_create_cq_ext - driver request of create_cq
 * @layout: SIW_EXT_LAYOUT
 * @reserved: 0
 *
 * The response is struct siw_uresp_create_cq as in version 1; the mapping has
 * the same length and the same struct siw_cq_ctrl behind the last element.
 *
 * resize_cq (SIW_FEAT_CQ_RESIZE, both layouts) answers with struct
 * siw_uresp_create_cq, too: number of elements and key of a new mapping. The
 * provider keeps its pollers out while the command runs. The kernel finds the
 * elements not yet polled in the old ring (VALID, going back from the slot it
 * would write next), copies them to the start of the new ring in their order,
 * takes over the notify word, and goes on writing behind them. More of them
 * than the new size is EINVAL and nothing changes. The provider goes on
 * polling at element 0 of the new mapping and unmaps the old one.
 */
struct siw_ureq_create_cq_ext {
	__u32 layout;
	__u32 reserved;
};

/*
 * siw_cqe_ext.flags. VALID hands over as in version 1; the provider clears
 * the whole byte. CQEs of a version 1 ring have no other bit than VALID.
 */
enum siw_cqe_ext_flags {
	SIW_CQE_VALID = 1 << 0,
	SIW_CQE_WITH_IMM = 1 << 1,
	SIW_CQE_WITH_INV = 1 << 2,
};

/*
 * Extended CQE, as large as the version 1 CQE.
 *
 * opcode      of the SQE (extended numbers included), SIW_OP_RECEIVE, or
 *             SIW_OP_EXT_RECV_WRITE_IMM
 * bytes       on success: length of a receive, a Read or an atomic (8)
 * vendor_err  on error: 0, or 0x10000 | layer << 12 | etype << 8 | code of the
 *             Terminate sent or received, so that a user can find out why
 * imm_data    with SIW_CQE_WITH_IMM, network order
 * inval_stag  with SIW_CQE_WITH_INV: the STag the peer invalidated
 * timestamp   CLOCK_MONOTONIC in ns if asked for at creation, else 0
 */
struct siw_cqe_ext {
	__aligned_u64 id;
	__u8 flags;
	__u8 opcode;
	__u16 status;
	union {
		__u32 bytes;
		__u32 vendor_err;
	};
	union {
		__u32 imm_data;
		__u32 inval_stag;
	};
	__u32 qp_num;
	__aligned_u64 timestamp;
};

/*
 * Driver attributes of uverbs ioctl methods; the driver's name space starts
 * at 1 << UVERBS_ID_NS_SHIFT.
 *
 * SIW_ATTR_QUERY_CONTEXT_RESP  UVERBS_METHOD_QUERY_CONTEXT, output, struct
 *			siw_uresp_alloc_ctx: what get_context answered, for a
 *			process that imported the context
 * SIW_ATTR_ALLOC_DM_KEY	UVERBS_METHOD_DM_ALLOC, output, __u64: mmap key of
 *			the device memory; the mapping has the length of the
 *			allocation rounded up to pages
 * SIW_ATTR_QUERY_DM_HANDLE	SIW_METHOD_DM_QUERY, input: device memory of this
 *			context, for a process that imports it
 * SIW_ATTR_QUERY_DM_KEY	output, __u64: its mmap key
 * SIW_ATTR_QUERY_DM_LENGTH	output, __u64: octets asked for when it was allocated
 */
enum siw_query_context_attrs {
	SIW_ATTR_QUERY_CONTEXT_RESP = 1U << 12,
};

enum siw_alloc_dm_attrs {
	SIW_ATTR_ALLOC_DM_KEY = 1U << 12,
};

/* Methods of ours, on UVERBS_OBJECT_DM */
enum siw_dm_methods {
	SIW_METHOD_DM_QUERY = 1U << 12,
};

enum siw_query_dm_attrs {
	SIW_ATTR_QUERY_DM_HANDLE = 1U << 12,
	SIW_ATTR_QUERY_DM_KEY,
	SIW_ATTR_QUERY_DM_LENGTH,
};

#define SIW_EXT_LAYS_OUT(type, member, off) \
	_Static_assert(__builtin_offsetof(struct type, member) == (off), \
		       #type "." #member)
#define SIW_EXT_IS_SIZED(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type)

SIW_EXT_IS_SIZED(siw_sqe_ext, 32);
SIW_EXT_LAYS_OUT(siw_sqe_ext, id, 0);
SIW_EXT_LAYS_OUT(siw_sqe_ext, flags, 8);
SIW_EXT_LAYS_OUT(siw_sqe_ext, num_sge, 10);
SIW_EXT_LAYS_OUT(siw_sqe_ext, opcode, 11);
SIW_EXT_LAYS_OUT(siw_sqe_ext, rkey, 12);
SIW_EXT_LAYS_OUT(siw_sqe_ext, raddr, 16);
SIW_EXT_LAYS_OUT(siw_sqe_ext, imm_data, 24);
SIW_EXT_LAYS_OUT(siw_sqe_ext, inline_len, 28);
SIW_EXT_LAYS_OUT(siw_sqe_ext, sge, 32);

SIW_EXT_IS_SIZED(siw_sqe_atomic, 32);
SIW_EXT_LAYS_OUT(siw_sqe_atomic, result, 0);
SIW_EXT_LAYS_OUT(siw_sqe_atomic, compare_add, 16);
SIW_EXT_LAYS_OUT(siw_sqe_atomic, swap, 24);

SIW_EXT_IS_SIZED(siw_sqe_bind, 16);
SIW_EXT_LAYS_OUT(siw_sqe_bind, length, 0);
SIW_EXT_LAYS_OUT(siw_sqe_bind, mr_stag, 8);
SIW_EXT_LAYS_OUT(siw_sqe_bind, access, 12);

SIW_EXT_IS_SIZED(siw_ureq_create_qp_ext, 8);
SIW_EXT_LAYS_OUT(siw_ureq_create_qp_ext, layout, 0);
SIW_EXT_LAYS_OUT(siw_ureq_create_qp_ext, sq_poll, 4);

SIW_EXT_IS_SIZED(siw_uresp_create_qp_ext, 48);
SIW_EXT_LAYS_OUT(siw_uresp_create_qp_ext, v1, 0);
SIW_EXT_LAYS_OUT(siw_uresp_create_qp_ext, sqe_stride, 32);
SIW_EXT_LAYS_OUT(siw_uresp_create_qp_ext, rqe_stride, 36);
SIW_EXT_LAYS_OUT(siw_uresp_create_qp_ext, max_inline, 40);
SIW_EXT_LAYS_OUT(siw_uresp_create_qp_ext, sq_poll, 44);

SIW_EXT_IS_SIZED(siw_qp_ctrl, 8);
SIW_EXT_LAYS_OUT(siw_qp_ctrl, flags, 0);
SIW_EXT_LAYS_OUT(siw_qp_ctrl, reserved, 4);

SIW_EXT_IS_SIZED(siw_ureq_create_cq_ext, 8);
SIW_EXT_LAYS_OUT(siw_ureq_create_cq_ext, layout, 0);
SIW_EXT_LAYS_OUT(siw_ureq_create_cq_ext, reserved, 4);

SIW_EXT_IS_SIZED(siw_cqe_ext, 32);
SIW_EXT_LAYS_OUT(siw_cqe_ext, id, 0);
SIW_EXT_LAYS_OUT(siw_cqe_ext, flags, 8);
SIW_EXT_LAYS_OUT(siw_cqe_ext, opcode, 9);
SIW_EXT_LAYS_OUT(siw_cqe_ext, status, 10);
SIW_EXT_LAYS_OUT(siw_cqe_ext, bytes, 12);
SIW_EXT_LAYS_OUT(siw_cqe_ext, vendor_err, 12);
SIW_EXT_LAYS_OUT(siw_cqe_ext, imm_data, 16);
SIW_EXT_LAYS_OUT(siw_cqe_ext, inval_stag, 16);
SIW_EXT_LAYS_OUT(siw_cqe_ext, qp_num, 20);
SIW_EXT_LAYS_OUT(siw_cqe_ext, timestamp, 24);

_Static_assert(sizeof(struct siw_sqe_ext) + sizeof(struct siw_sqe_atomic) <=
	       SIW_EXT_STRIDE_UNIT, "atomic operands fit the smallest SQE");
_Static_assert(sizeof(struct siw_sqe_ext) +
	       SIW_EXT_MAX_SEND_SGE * sizeof(struct siw_sge) ==
	       SIW_EXT_MAX_STRIDE, "SGEs fill the largest SQE");
_Static_assert(sizeof(struct siw_sqe_ext) + SIW_EXT_MAX_INLINE ==
	       SIW_EXT_MAX_STRIDE, "inline data fill the largest SQE");
_Static_assert(__builtin_offsetof(struct siw_rqe, sge) +
	       SIW_EXT_MAX_RECV_SGE * sizeof(struct siw_sge) ==
	       SIW_EXT_MAX_STRIDE, "SGEs fill the largest RQE");

#endif
