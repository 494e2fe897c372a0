/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * RDMAP on the wire: control octet, opcodes, queues (RFC 5040 section 4,
 * RFC 7306 sections 4 to 6) and the headers that follow an untagged DDP
 * header. Structures are packed.
 */
#ifndef IWARP_RDMAP_H
#define IWARP_RDMAP_H

#include <iwarp/ddp.h>
#include <iwarp/mpa.h>
#include <iwarp/wire.h>

/* RDMAP control octet, the second of every ULPDU */
#define RDMAP_RV_MASK		0xc0
#define RDMAP_RV_SHIFT		6
#define RDMAP_VERSION		1
#define RDMAP_RSV		0x30
#define RDMAP_OPCODE_MASK	0x0f

enum rdmap_opcode {
	RDMAP_WRITE		= 0x0,
	RDMAP_READ_REQ		= 0x1,
	RDMAP_READ_RESP		= 0x2,
	RDMAP_SEND		= 0x3,
	RDMAP_SEND_INV		= 0x4,
	RDMAP_SEND_SE		= 0x5,
	RDMAP_SEND_SE_INV	= 0x6,
	RDMAP_TERMINATE		= 0x7,
	RDMAP_IMM		= 0x8,
	RDMAP_IMM_SE		= 0x9,
	RDMAP_ATOMIC_REQ	= 0xa,
	RDMAP_ATOMIC_RESP	= 0xb,
	RDMAP_ACK		= 0xf,	/* ours, in RFC 6580's experimental value */
	RDMAP_OPCODES		= 0x10,	/* values the field can have */
};

enum rdmap_qn {
	RDMAP_QN_SEND		= 0,	/* Send family, Immediate Data */
	RDMAP_QN_REQUEST	= 1,	/* Read Request, Atomic Request */
	RDMAP_QN_TERMINATE	= 2,
	RDMAP_QN_ATOMIC_RESP	= 3,
	RDMAP_QNS
};

#define RDMAP_FIRST_MSN		1	/* of each queue and direction */

/**
 * struct rdmap_read_hdr - RDMA Read Request header (RFC 5040 4.4)
 * @sink_stag: echoed as the STag of the response
 * @sink_to: echoed as the start TO of the response
 * @size: octets to read
 * @src_stag: buffer to read
 * @src_to: tagged offset of the first octet to read
 */
struct rdmap_read_hdr {
	__be32	sink_stag;
	__be64	sink_to;
	__be32	size;
	__be32	src_stag;
	__be64	src_to;
} __packed;

static_assert(sizeof(struct rdmap_read_hdr) == 28, "Read Request header");
static_assert(offsetof(struct rdmap_read_hdr, sink_to) == 4,
	      "Read Request SinkTO");
static_assert(offsetof(struct rdmap_read_hdr, size) == 12, "Read Request size");
static_assert(offsetof(struct rdmap_read_hdr, src_stag) == 16,
	      "Read Request SrcSTag");
static_assert(offsetof(struct rdmap_read_hdr, src_to) == 20,
	      "Read Request SrcTO");

/**
 * struct rdmap_imm_hdr - Immediate Data (RFC 7306 6.2)
 * @data: immediate data of verbs, which is 32 bits wide
 * @kind: rest of the eight octets, 0 or %RDMAP_IMM_OF_SEND
 */
struct rdmap_imm_hdr {
	__be32	data;
	__be32	kind;
} __packed;

static_assert(sizeof(struct rdmap_imm_hdr) == 8, "Immediate Data");

/*
 * Verbs have a Send with immediate data, RFC 7306 has none. Ours is an
 * Immediate Data message with this in its second word, and the Send right behind
 * it: "SwIm". Who does not know it takes two receives.
 */
#define RDMAP_IMM_OF_SEND	0x5377496d

/*
 * Between two of ours that agreed on it (RDV_CAP_ACK): a tagged message of no
 * octets whose TO is the position in the stream up to which FPDUs have been
 * handled. Its STag is 0 and means nothing. It may come between the segments of
 * any message.
 */
#define RDMAP_ACK_STAG		0

/* low four bits of the first word of an Atomic Request */
#define RDMAP_AOP_MASK		0x0000000f

enum rdmap_atomic_opcode {
	RDMAP_AOP_FETCH_ADD	= 0,
	RDMAP_AOP_CMP_SWAP	= 2,
};

/**
 * struct rdmap_atomic_hdr - Atomic Request header (RFC 7306 5.2.1)
 * @aop: reserved bits and the atomic opcode
 * @req_id: chosen by the sender, echoed in the response
 * @stag: target buffer
 * @to: tagged offset of the target, a multiple of 8 in memory
 * @data: Add Data or Swap Data
 * @mask: Add Mask or Swap Mask
 * @compare: Compare Data
 * @compare_mask: Compare Mask
 */
struct rdmap_atomic_hdr {
	__be32	aop;
	__be32	req_id;
	__be32	stag;
	__be64	to;
	__be64	data;
	__be64	mask;
	__be64	compare;
	__be64	compare_mask;
} __packed;

static_assert(sizeof(struct rdmap_atomic_hdr) == 52, "Atomic Request");
static_assert(offsetof(struct rdmap_atomic_hdr, req_id) == 4,
	      "Atomic Request identifier");
static_assert(offsetof(struct rdmap_atomic_hdr, stag) == 8,
	      "Atomic Request STag");
static_assert(offsetof(struct rdmap_atomic_hdr, to) == 12, "Atomic Request TO");
static_assert(offsetof(struct rdmap_atomic_hdr, data) == 20,
	      "Atomic Request data");
static_assert(offsetof(struct rdmap_atomic_hdr, mask) == 28,
	      "Atomic Request mask");
static_assert(offsetof(struct rdmap_atomic_hdr, compare) == 36,
	      "Atomic Request compare");
static_assert(offsetof(struct rdmap_atomic_hdr, compare_mask) == 44,
	      "Atomic Request compare mask");

/**
 * struct rdmap_atomic_resp_hdr - Atomic Response header (RFC 7306 5.2.2)
 * @req_id: identifier of the request
 * @value: what the target held before the operation
 */
struct rdmap_atomic_resp_hdr {
	__be32	req_id;
	__be64	value;
} __packed;

static_assert(sizeof(struct rdmap_atomic_resp_hdr) == 12, "Atomic Response");
static_assert(offsetof(struct rdmap_atomic_resp_hdr, value) == 4,
	      "Atomic Response value");

/* first octet of a Terminate header */
#define RDMAP_TERM_LAYER	0xf0
#define RDMAP_TERM_LAYER_SHIFT	4
#define RDMAP_TERM_ETYPE	0x0f

/* third octet: what follows the first four */
#define RDMAP_TERM_M		0x80	/* DDP Segment Length */
#define RDMAP_TERM_D		0x40	/* DDP header */
#define RDMAP_TERM_R		0x20	/* Read Request header */
#define RDMAP_TERM_HDRCT	(RDMAP_TERM_M | RDMAP_TERM_D | RDMAP_TERM_R)

/* Terminate layers and error types (RFC 5040 4.8, RFC 6580 3.1 to 3.3) */
enum rdmap_term_layer {
	RDMAP_LAYER_RDMAP	= 0,
	RDMAP_LAYER_DDP		= 1,
	RDMAP_LAYER_LLP		= 2,
};

enum rdmap_term_etype {
	RDMAP_ETYPE_LOCAL	= 0,	/* layer RDMAP */
	RDMAP_ETYPE_PROTECTION	= 1,
	RDMAP_ETYPE_OPERATION	= 2,
	DDP_ETYPE_LOCAL		= 0,	/* layer DDP */
	DDP_ETYPE_TAGGED	= 1,
	DDP_ETYPE_UNTAGGED	= 2,
	DDP_ETYPE_LLP		= 3,
	MPA_ETYPE_ERROR		= 0,	/* layer LLP */
};

/**
 * struct rdmap_term_hdr - fixed part of a Terminate header (RFC 5040 4.8)
 * @ctrl: layer and error type
 * @code: error code
 * @hdrct: RDMAP_TERM_M, RDMAP_TERM_D, RDMAP_TERM_R
 * @reserved: zero when sent
 */
struct rdmap_term_hdr {
	__u8	ctrl;
	__u8	code;
	__u8	hdrct;
	__u8	reserved;
} __packed;

static_assert(sizeof(struct rdmap_term_hdr) == 4, "Terminate header");

#define RDMAP_READ_LEN		((int)sizeof(struct rdmap_read_hdr))
#define RDMAP_IMM_LEN		((int)sizeof(struct rdmap_imm_hdr))
#define RDMAP_ATOMIC_LEN	((int)sizeof(struct rdmap_atomic_hdr))
#define RDMAP_ATOMIC_RESP_LEN	((int)sizeof(struct rdmap_atomic_resp_hdr))
#define RDMAP_TERM_MIN		((int)sizeof(struct rdmap_term_hdr))
#define RDMAP_TERM_MAX		(RDMAP_TERM_MIN + 2 + DDP_UNTAGGED_LEN + \
				 RDMAP_READ_LEN)

/* longest DDP header plus fixed RDMAP header of any message */
#define RDMAP_HDRS_MAX		(DDP_UNTAGGED_LEN + RDMAP_ATOMIC_LEN)

/**
 * struct rdmap_tagged_fpdu - what precedes the payload of a tagged FPDU
 * @ulpdu_len: octets of header and payload
 * @ddp: DDP header, which holds RDMAP's control octet
 */
struct rdmap_tagged_fpdu {
	__be16			ulpdu_len;
	struct ddp_tagged_hdr	ddp;
} __packed;

/**
 * struct rdmap_untagged_fpdu - what precedes the payload of an untagged FPDU
 * @ulpdu_len: octets of header and payload
 * @ddp: DDP header, which holds RDMAP's control octet
 */
struct rdmap_untagged_fpdu {
	__be16			ulpdu_len;
	struct ddp_untagged_hdr	ddp;
} __packed;

static_assert(sizeof(struct rdmap_tagged_fpdu) == 16, "tagged FPDU");
static_assert(sizeof(struct rdmap_untagged_fpdu) == 20, "untagged FPDU");

#define RDMAP_TAGGED_FPDU_LEN	((int)sizeof(struct rdmap_tagged_fpdu))
#define RDMAP_UNTAGGED_FPDU_LEN	((int)sizeof(struct rdmap_untagged_fpdu))

#endif /* IWARP_RDMAP_H */
