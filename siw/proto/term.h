/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Terminate: from a fault to the message that reports it, and from a received
 * one to something that can be shown (RFC 5040 4.8 and 7.1).
 */
#ifndef SIW_PROTO_TERM_H
#define SIW_PROTO_TERM_H

#include <iwarp/rdmap.h>
#include "err.h"
#include "port.h"
#include "rdmap.h"

#define TERM_QUOTE_MAX	(DDP_UNTAGGED_LEN + RDMAP_READ_LEN)

/**
 * struct term_quote - headers of the segment a Terminate complains about
 * @ulpdu_len: its ULPDU_Length
 * @len: octets of @hdr in use, 0 if there is nothing to quote
 * @hdr: DDP header and, of a Read Request, the RDMAP header, as received
 */
struct term_quote {
	u16	ulpdu_len;
	u8	len;
	u8	hdr[TERM_QUOTE_MAX];
};

/**
 * term_quote_segment() - keep the headers of a segment for quoting
 * @q: filled in
 * @ulpdu: first octets of the ULPDU
 * @avail: octets at @ulpdu
 * @ulpdu_len: ULPDU_Length of the FPDU
 *
 * Headers that are not there in full are left out.
 *
 * Context: any.
 */
void term_quote_segment(struct term_quote *q, const void *ulpdu, u32 avail,
			u16 ulpdu_len);

/**
 * term_quote_read() - quote a Read Request that was taken apart before
 * @q: filled in
 * @msn: its MSN
 * @r: request; of one that failed part-way, as rdmap_read_advance() left it
 *
 * Context: any.
 */
void term_quote_read(struct term_quote *q, u32 msn,
		     const struct rdmap_read_req *r);

/**
 * term_quote_atomic() - quote an Atomic Request that was taken apart before
 * @q: filled in
 * @msn: its MSN
 *
 * Context: any.
 */
void term_quote_atomic(struct term_quote *q, u32 msn);

/**
 * term_encode() - write a Terminate header
 * @buf: RDMAP_TERM_MAX octets
 * @err: fault to report
 * @q: offending segment, may be NULL
 *
 * What is quoted depends on @err (RFC 5040 Figure 10). Reserved bits are zero.
 *
 * Context: any.
 * Return: octets written, 4 to 52; 0 if @err may not be reported to the peer.
 */
u8 term_encode(void *buf, enum iw_err err, const struct term_quote *q);

/**
 * struct term_info - a Terminate header in host order
 * @raw: its first four octets as received
 * @layer: layer
 * @etype: error type
 * @code: error code
 * @hdrct: RDMAP_TERM_M, RDMAP_TERM_D and RDMAP_TERM_R, as of the message
 * @swapped: fields had exchanged nibbles (trap T-20); the members are as meant
 * @truncated: the message ends before what @hdrct announces, or before the
 *	fixed part does
 * @seg_len: DDP Segment Length or 0; peers disagree on what it counts (T-21)
 * @ddp: quoted DDP header inside the message or NULL
 * @ddp_len: its length
 * @read: quoted Read Request header inside the message or NULL
 */
struct term_info {
	u8		raw[4];
	u8		layer;
	u8		etype;
	u8		code;
	u8		hdrct;
	bool		swapped;
	bool		truncated;
	u16		seg_len;
	const u8	*ddp;
	u8		ddp_len;
	const u8	*read;
};

/**
 * term_decode() - read a Terminate header
 * @buf: octets behind the DDP header
 * @len: number of octets, may be 0
 * @t: filled in with what could be found
 *
 * Never fails: a Terminate ends the stream whatever it says. Reserved bits are
 * ignored. MPA errors of type 3 (T-22) are given as type 0.
 *
 * Context: any.
 */
void term_decode(const void *buf, u32 len, struct term_info *t);

/**
 * term_error_name() - name of a Terminate triple
 * @layer: layer
 * @etype: error type
 * @code: error code
 *
 * Context: any.
 * Return: constant string; "unassigned" for triples no RFC defines.
 */
const char *term_error_name(u8 layer, u8 etype, u8 code);

/**
 * term_describe() - describe a Terminate in one line
 * @buf: destination
 * @size: octets at @buf
 * @t: Terminate from term_decode()
 *
 * Context: any.
 * Return: octets written without the final zero.
 */
int term_describe(char *buf, size_t size, const struct term_info *t);

#endif /* SIW_PROTO_TERM_H */
