/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * RDMAP: the opcode table, checks of received segments, headers to send and
 * atomic arithmetic (RFC 5040, RFC 7306).
 *
 * Order in which a receiver checks a segment, so that the fault reported is
 * the one of highest rank:
 *
 *	MPA CRC
 *	rdmap_decode()		lengths, versions, opcode, T bit, QN
 *	rdmap_rx_check()	MSN, MO, constancy within a message
 *	the caller		is there a buffer, a free IRD slot
 *	rdmap_check_size()	fixed sizes, size of the buffer
 *	the caller		STag, stream, rights, wrap, bounds
 *	rdmap_rx_commit()	after placement
 */
#ifndef SIW_PROTO_RDMAP_H
#define SIW_PROTO_RDMAP_H

#include <iwarp/rdmap.h>
#include "ddp.h"
#include "err.h"
#include "mpa.h"
#include "port.h"

/* Properties of an opcode. */
enum rdmap_op_flags {
	RDMAP_OP_VALID		= 1 << 0,	/* assigned */
	RDMAP_OP_TAGGED		= 1 << 1,
	RDMAP_OP_PAYLOAD	= 1 << 2,	/* carries the ULP's octets */
	RDMAP_OP_INV		= 1 << 3,	/* names an STag to invalidate */
	RDMAP_OP_SE		= 1 << 4,	/* solicited event */
	RDMAP_OP_RECV		= 1 << 5,	/* consumes a posted receive */
	RDMAP_OP_IMM		= 1 << 6,	/* Immediate Data */
	RDMAP_OP_REQ		= 1 << 7,	/* takes up an IRD slot */
};

/**
 * struct rdmap_op - one row of the opcode table
 * @name: as the RFCs call it
 * @flags: enum rdmap_op_flags
 * @qn: queue of an untagged message
 * @min_len: octets that must follow the DDP header
 * @max_len: octets that may follow it at most; 0 where there is no such limit
 * @size_err: enum iw_err when @max_len is exceeded or the L bit is missing
 */
struct rdmap_op {
	const char	*name;
	u16		flags;
	u8		qn;
	u8		min_len;
	u8		max_len;
	u8		size_err;
};

extern const struct rdmap_op rdmap_ops[RDMAP_OPCODES];

/**
 * rdmap_op() - properties of an opcode
 * @opcode: four bits
 *
 * Context: any.
 * Return: row of the opcode table; without RDMAP_OP_VALID for unassigned ones.
 */
static inline const struct rdmap_op *rdmap_op(u8 opcode)
{
	return &rdmap_ops[opcode & RDMAP_OPCODE_MASK];
}

/* Sets of opcodes a stream accepts; RDMAP_ACK only if it was agreed on. */
#define RDMAP_OPS_5040		0x00ff
#define RDMAP_OPS_IMM		(BIT(RDMAP_IMM) | BIT(RDMAP_IMM_SE))
#define RDMAP_OPS_ATOMIC	(BIT(RDMAP_ATOMIC_REQ) | BIT(RDMAP_ATOMIC_RESP))
#define RDMAP_OPS_ALL		(RDMAP_OPS_5040 | RDMAP_OPS_IMM | \
				 RDMAP_OPS_ATOMIC)

/* ------------------------------------------------------------ receive --- */

/**
 * rdmap_decode() - read the headers of a segment and check what needs no state
 * @ulpdu: first octets of the ULPDU: min(@ulpdu_len, DDP_UNTAGGED_LEN) of them
 *	are read, no more
 * @ulpdu_len: octets of the ULPDU as ULPDU_Length says
 * @ops: set of accepted opcodes, bit n for opcode n
 * @seg: filled in as far as possible, see below
 *
 * Checks in this order: too short, DDP version, RDMAP version, opcode, T bit,
 * queue (RFC 5041 7.1, RFC 5040 7.2). Needs no message context, so that a bad
 * first FPDU is handled like any other (T-34).
 *
 * Context: any.
 * Return: IW_OK or IW_ERR_FPDU_LEN (@seg is undefined then), IW_ERR_TAG_VERSION,
 * IW_ERR_UNTAG_VERSION, IW_ERR_RDMAP_VERSION, IW_ERR_OPCODE, IW_ERR_OPCODE_TAG,
 * IW_ERR_QN (@seg is complete).
 */
enum iw_err rdmap_decode(const void *ulpdu, u16 ulpdu_len, u16 ops,
			 struct ddp_seg *seg);

/**
 * struct rdmap_rx - what a receiver remembers between segments of a stream
 * @ops: set of accepted opcodes
 * @msn: MSN of the message expected next, or in progress, by queue
 * @mo: octets of the QN 0 message in progress that have arrived
 * @ulp_word: its RsvdULP word
 * @opcode: its opcode
 * @open: a QN 0 message is in progress
 * @terminated: a Terminate has been accepted
 * @tag: tagged messages in progress, [0] RDMA Write, [1] Read Response
 *
 * Owned by the receive path of a stream, which serialises access.
 *
 * Segments of different messages may interleave only where they can't be
 * mixed up: tagged ones, and requests and Terminates on their own queues, may
 * come between the segments of a Send. RFC 5041 5.3 does not expect that,
 * hardware with several transmit queues does it.
 */
struct rdmap_rx {
	u16	ops;
	u8	opcode;
	bool	open;
	bool	terminated;
	u32	msn[RDMAP_QNS];
	u32	mo;
	u32	ulp_word;
	struct {
		bool	open;
		u32	stag;
		u64	to;	/* where a Read Response goes on */
	} tag[2];
};

/**
 * rdmap_rx_init() - state at the start of a stream
 * @rx: state
 * @ops: set of accepted opcodes, see RDMAP_OPS_ALL
 *
 * The MSN counters may be set to other values afterwards (test hook).
 *
 * Context: any.
 */
void rdmap_rx_init(struct rdmap_rx *rx, u16 ops);

/**
 * rdmap_rx_check() - check a segment against what came before
 * @rx: state, not changed
 * @seg: segment that passed rdmap_decode()
 *
 * Untagged: the MSN must be the next one, MO the octets received so far,
 * opcode and RsvdULP those of the first segment. Tagged: STag as in the first
 * segment; a Read Response must go on where the last segment ended. Whether it
 * fits the oldest Read outstanding is checked by the caller (Q14).
 *
 * Context: the stream's receive path.
 * Return: IW_OK or IW_ERR_MSN, IW_ERR_TERM_TWICE, IW_ERR_MO,
 * IW_ERR_OPCODE_CHANGED, IW_ERR_ULP_WORD_CHANGED, IW_ERR_TAG_CHANGED,
 * IW_ERR_RESP_STAG, IW_ERR_RESP_BOUNDS.
 */
enum iw_err rdmap_rx_check(const struct rdmap_rx *rx,
			   const struct ddp_seg *seg);

/**
 * rdmap_check_size() - check the size of an untagged message
 * @seg: segment that passed rdmap_rx_check()
 * @room: octets of the posted receive; used for Sends only
 *
 * Immediate Data fits any receive (Q15). Tagged segments always pass.
 *
 * Context: any.
 * Return: IW_OK or IW_ERR_TOO_LONG, IW_ERR_FIXED_LEN, IW_ERR_IMM_LEN.
 */
enum iw_err rdmap_check_size(const struct ddp_seg *seg, u32 room);

/**
 * rdmap_rx_commit() - account for a segment that was accepted and placed
 * @rx: state
 * @seg: segment that passed all checks
 *
 * Context: the stream's receive path.
 */
void rdmap_rx_commit(struct rdmap_rx *rx, const struct ddp_seg *seg);

/**
 * rdmap_rx_advance() - account for segments that went on with a message
 * @rx: state
 * @seg: a segment of the message, not the last, given to rdmap_rx_commit()
 * @len: octets of payload of those behind it, none of which was the last
 *
 * Context: the stream's receive path.
 */
void rdmap_rx_advance(struct rdmap_rx *rx, const struct ddp_seg *seg, u32 len);

/**
 * struct rdmap_read_req - RDMA Read Request in host order
 * @sink_stag: to echo as STag of the response
 * @sink_to: to echo as TO of the response
 * @size: octets to read
 * @src_stag: buffer to read, not to be looked at when @size is 0
 * @src_to: first octet to read
 */
struct rdmap_read_req {
	u32	sink_stag;
	u32	size;
	u64	sink_to;
	u32	src_stag;
	u64	src_to;
};

/**
 * struct rdmap_atomic_req - Atomic Request in host order
 * @aop: enum rdmap_atomic_opcode
 * @req_id: to echo
 * @stag: target buffer
 * @to: target octet
 * @data: Add Data or Swap Data
 * @mask: Add Mask or Swap Mask
 * @compare: Compare Data
 * @compare_mask: Compare Mask
 */
struct rdmap_atomic_req {
	u8	aop;
	u32	req_id;
	u32	stag;
	u64	to;
	u64	data;
	u64	mask;
	u64	compare;
	u64	compare_mask;
};

/**
 * struct rdmap_atomic_resp - Atomic Response in host order
 * @req_id: identifier of the request
 * @value: target before the operation
 */
struct rdmap_atomic_resp {
	u32	req_id;
	u64	value;
};

/**
 * rdmap_get_read_req() - read a Read Request header
 * @hdr: RDMAP_READ_LEN octets behind the DDP header
 * @r: filled in
 *
 * Context: any.
 */
void rdmap_get_read_req(const void *hdr, struct rdmap_read_req *r);

/**
 * rdmap_read_advance() - account for octets of a Read already answered
 * @r: request
 * @done: octets sent in responses, at most @r->size
 *
 * Context: any.
 */
void rdmap_read_advance(struct rdmap_read_req *r, u32 done);

/**
 * rdmap_get_atomic_req() - read an Atomic Request header
 * @hdr: RDMAP_ATOMIC_LEN octets behind the DDP header
 * @r: filled in
 *
 * Context: any.
 * Return: IW_OK; IW_ERR_ATOMIC_OPCODE for an operation RFC 7306 does not
 * define, with @r complete.
 */
enum iw_err rdmap_get_atomic_req(const void *hdr, struct rdmap_atomic_req *r);

/**
 * rdmap_get_atomic_resp() - read an Atomic Response header
 * @hdr: RDMAP_ATOMIC_RESP_LEN octets behind the DDP header
 * @r: filled in
 *
 * Context: any.
 */
void rdmap_get_atomic_resp(const void *hdr, struct rdmap_atomic_resp *r);

/**
 * rdmap_get_imm() - read Immediate Data
 * @hdr: RDMAP_IMM_LEN octets behind the DDP header
 *
 * Context: any.
 * Return: the first four octets, as verbs know them (wire order).
 */
static inline __be32 rdmap_get_imm(const void *hdr)
{
	const struct rdmap_imm_hdr *h = hdr;

	return h->data;
}

/**
 * rdmap_imm_of_send() - does the Send behind it carry the Immediate Data?
 * @hdr: RDMAP_IMM_LEN octets behind the DDP header
 *
 * Context: any.
 */
static inline bool rdmap_imm_of_send(const void *hdr)
{
	const struct rdmap_imm_hdr *h = hdr;

	return h->kind == cpu_to_be32(RDMAP_IMM_OF_SEND);
}

/**
 * rdmap_is_acked() - does a message end a request that waits for an ack?
 * @seg: last segment of a message
 *
 * Reads and atomics have answers. Immediate Data that announce a Send are no
 * request, but to acknowledge them does no harm.
 *
 * Context: any.
 */
static inline bool rdmap_is_acked(const struct ddp_seg *seg)
{
	return seg->opcode == RDMAP_WRITE ||
	       rdmap_op(seg->opcode)->flags & RDMAP_OP_RECV;
}

/**
 * rdmap_rtr_type() - recognise a ready-to-receive message (RFC 6581 9.2)
 * @seg: decoded segment
 * @r: its Read Request header when @seg->opcode is RDMAP_READ_REQ, else unused
 *
 * Context: any.
 * Return: the one enum mpa_rtr it is, 0 if it is none.
 */
u8 rdmap_rtr_type(const struct ddp_seg *seg, const struct rdmap_read_req *r);

/* --------------------------------------------------------------- send --- */

/**
 * rdmap_ctrl() - RDMAP control octet
 * @opcode: enum rdmap_opcode
 *
 * Context: any.
 * Return: octet with version and opcode.
 */
static inline u8 rdmap_ctrl(u8 opcode)
{
	return RDMAP_VERSION << RDMAP_RV_SHIFT | opcode;
}

/**
 * rdmap_put_tagged() - write what precedes the payload of a tagged FPDU
 * @fpdu: RDMAP_TAGGED_FPDU_LEN octets
 * @opcode: RDMAP_WRITE or RDMAP_READ_RESP
 * @stag: sink buffer
 * @to: offset of this segment
 * @payload: octets of payload that follow
 * @last: last segment of its message
 *
 * A message of no octets should name STag 1 (trap T-01).
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_tagged(void *fpdu, u8 opcode, u32 stag, u64 to,
				   u16 payload, bool last)
{
	struct rdmap_tagged_fpdu *f = fpdu;

	f->ulpdu_len = cpu_to_be16(DDP_TAGGED_LEN + payload);
	ddp_put_tagged(&f->ddp, rdmap_ctrl(opcode), stag, to, last);
	return RDMAP_TAGGED_FPDU_LEN;
}

/**
 * rdmap_put_untagged() - write what precedes the payload of an untagged FPDU
 * @fpdu: RDMAP_UNTAGGED_FPDU_LEN octets
 * @opcode: untagged enum rdmap_opcode; the queue follows from it
 * @ulp_word: STag to invalidate, 0 for opcodes that don't
 * @msn: message sequence number
 * @mo: offset of this segment
 * @payload: octets that follow the DDP header
 * @last: last segment of its message
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_untagged(void *fpdu, u8 opcode, u32 ulp_word,
				     u32 msn, u32 mo, u16 payload, bool last)
{
	struct rdmap_untagged_fpdu *f = fpdu;

	f->ulpdu_len = cpu_to_be16(DDP_UNTAGGED_LEN + payload);
	ddp_put_untagged(&f->ddp, rdmap_ctrl(opcode), ulp_word,
			 rdmap_op(opcode)->qn, msn, mo, last);
	return RDMAP_UNTAGGED_FPDU_LEN;
}

/**
 * rdmap_put_write() - head of an RDMA Write segment
 * @fpdu: RDMAP_TAGGED_FPDU_LEN octets
 * @stag: sink buffer
 * @to: offset of this segment
 * @payload: octets of payload that follow
 * @last: last segment of its message
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_write(void *fpdu, u32 stag, u64 to, u16 payload,
				  bool last)
{
	return rdmap_put_tagged(fpdu, RDMAP_WRITE, stag, to, payload, last);
}

/**
 * rdmap_put_read_resp() - head of an RDMA Read Response segment
 * @fpdu: RDMAP_TAGGED_FPDU_LEN octets
 * @stag: sink STag of the request
 * @to: offset of this segment
 * @payload: octets of payload that follow
 * @last: last segment of its message
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_read_resp(void *fpdu, u32 stag, u64 to,
				      u16 payload, bool last)
{
	return rdmap_put_tagged(fpdu, RDMAP_READ_RESP, stag, to, payload,
				last);
}

/**
 * rdmap_put_send() - head of a segment of the Send family
 * @fpdu: RDMAP_UNTAGGED_FPDU_LEN octets
 * @opcode: RDMAP_SEND, RDMAP_SEND_SE, RDMAP_SEND_INV or RDMAP_SEND_SE_INV
 * @inv_stag: STag to invalidate, used by the last two
 * @msn: message sequence number
 * @mo: offset of this segment
 * @payload: octets of payload that follow
 * @last: last segment of its message
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_send(void *fpdu, u8 opcode, u32 inv_stag, u32 msn,
				 u32 mo, u16 payload, bool last)
{
	if (!(rdmap_op(opcode)->flags & RDMAP_OP_INV))
		inv_stag = 0;
	return rdmap_put_untagged(fpdu, opcode, inv_stag, msn, mo, payload,
				  last);
}

/**
 * rdmap_put_ack() - write an acknowledgment but for pad and CRC
 * @fpdu: RDMAP_TAGGED_FPDU_LEN octets
 * @pos: position in the stream behind the last FPDU handled
 *
 * Context: any.
 * Return: octets written.
 */
static inline u32 rdmap_put_ack(void *fpdu, u64 pos)
{
	return rdmap_put_tagged(fpdu, RDMAP_ACK, RDMAP_ACK_STAG, pos, 0, true);
}

/* Octets, pad and CRC excluded, that the next functions write. */
#define RDMAP_READ_FPDU_LEN	(RDMAP_UNTAGGED_FPDU_LEN + RDMAP_READ_LEN)
#define RDMAP_IMM_FPDU_LEN	(RDMAP_UNTAGGED_FPDU_LEN + RDMAP_IMM_LEN)
#define RDMAP_ATOMIC_FPDU_LEN	(RDMAP_UNTAGGED_FPDU_LEN + RDMAP_ATOMIC_LEN)
#define RDMAP_ATOMIC_RESP_FPDU_LEN \
	(RDMAP_UNTAGGED_FPDU_LEN + RDMAP_ATOMIC_RESP_LEN)
#define RDMAP_TERM_FPDU_MAX	(RDMAP_UNTAGGED_FPDU_LEN + RDMAP_TERM_MAX)

/**
 * rdmap_put_read_req() - write a Read Request but for pad and CRC
 * @fpdu: RDMAP_READ_FPDU_LEN octets
 * @msn: message sequence number on QN 1
 * @r: request; one of no octets should name STag 1 twice (trap T-01)
 *
 * Context: any.
 * Return: octets written.
 */
u32 rdmap_put_read_req(void *fpdu, u32 msn, const struct rdmap_read_req *r);

/**
 * rdmap_put_imm() - write Immediate Data but for pad and CRC
 * @fpdu: RDMAP_IMM_FPDU_LEN octets
 * @opcode: RDMAP_IMM or RDMAP_IMM_SE
 * @msn: message sequence number on QN 0
 * @data: immediate data as verbs hand it over
 * @kind: 0, or %RDMAP_IMM_OF_SEND if a Send follows that it belongs to
 *
 * Context: any.
 * Return: octets written.
 */
u32 rdmap_put_imm(void *fpdu, u8 opcode, u32 msn, __be32 data, u32 kind);

/**
 * rdmap_put_atomic_req() - write an Atomic Request but for pad and CRC
 * @fpdu: RDMAP_ATOMIC_FPDU_LEN octets
 * @msn: message sequence number on QN 1
 * @r: request; compare members of a FetchAdd are not used
 *
 * Context: any.
 * Return: octets written.
 */
u32 rdmap_put_atomic_req(void *fpdu, u32 msn,
			 const struct rdmap_atomic_req *r);

/**
 * rdmap_put_atomic_resp() - write an Atomic Response but for pad and CRC
 * @fpdu: RDMAP_ATOMIC_RESP_FPDU_LEN octets
 * @msn: message sequence number on QN 3
 * @r: response
 *
 * Context: any.
 * Return: octets written.
 */
u32 rdmap_put_atomic_resp(void *fpdu, u32 msn,
			  const struct rdmap_atomic_resp *r);

/**
 * rdmap_put_terminate() - write a Terminate but for pad and CRC
 * @fpdu: RDMAP_TERM_FPDU_MAX octets
 * @term: Terminate header from term_encode()
 * @len: its length in octets
 *
 * Context: any.
 * Return: octets written.
 */
u32 rdmap_put_terminate(void *fpdu, const void *term, u8 len);

/* ------------------------------------------------------------ atomics --- */

/**
 * rdmap_fetch_add() - masked addition (RFC 7306 5.1.1)
 * @orig: value of the target
 * @add: Add Data
 * @mask: a one stops the carry out of its bit; 0 is a plain 64-bit addition
 *
 * Context: any.
 * Return: new value of the target.
 */
static inline u64 rdmap_fetch_add(u64 orig, u64 add, u64 mask)
{
	return ((orig & ~mask) + (add & ~mask)) ^ ((orig ^ add) & mask);
}

/**
 * rdmap_cmp_swap() - masked compare and swap (RFC 7306 5.1.2)
 * @orig: value of the target
 * @compare: Compare Data
 * @compare_mask: bits of @compare that count
 * @swap: Swap Data
 * @swap_mask: bits of @swap that are written
 *
 * Context: any.
 * Return: new value of the target, @orig if the comparison fails.
 */
static inline u64 rdmap_cmp_swap(u64 orig, u64 compare, u64 compare_mask,
				 u64 swap, u64 swap_mask)
{
	if ((orig ^ compare) & compare_mask)
		return orig;
	return (orig & ~swap_mask) | (swap & swap_mask);
}

/**
 * rdmap_atomic_result() - what an Atomic Request makes of its target
 * @r: request that passed rdmap_get_atomic_req()
 * @orig: value of the target in host order
 *
 * Context: any.
 * Return: new value of the target.
 */
u64 rdmap_atomic_result(const struct rdmap_atomic_req *r, u64 orig);

#endif /* SIW_PROTO_RDMAP_H */
