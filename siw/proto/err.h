/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Protocol errors: every fault an endpoint can tell apart, and the Terminate
 * it is reported with.
 */
#ifndef SIW_PROTO_ERR_H
#define SIW_PROTO_ERR_H

#include "port.h"

/*
 * enum iw_err - protocol faults
 *
 * Several values share one Terminate code: counters and traces keep apart
 * what the wire cannot. The values are internal and may be renumbered.
 */
enum iw_err {
	IW_OK = 0,

	/* RDMAP, local */
	IW_ERR_LOCAL,		/* internal failure, not the peer's doing */

	/* RDMAP, remote protection: source of a Read, target of an atomic */
	IW_ERR_SRC_STAG,	/* STag unknown or invalid */
	IW_ERR_SRC_BOUNDS,
	IW_ERR_SRC_ACCESS,
	IW_ERR_SRC_STREAM,	/* STag of another PD or stream */
	IW_ERR_SRC_WRAP,
	IW_ERR_SRC_REVOKED,	/* STag went away before all was sent */
	IW_ERR_INV_STREAM,	/* invalidate an STag of another PD or stream */

	/* RDMAP, remote operation */
	IW_ERR_RDMAP_VERSION,
	IW_ERR_OPCODE,		/* unknown or unsupported */
	IW_ERR_OPCODE_TAG,	/* T bit contradicts the opcode */
	IW_ERR_OPCODE_CHANGED,	/* within a message */
	IW_ERR_ATOMIC_OPCODE,
	IW_ERR_RESP_UNSOLICITED, /* Read Response without a Read */
	IW_ERR_ATOMIC_ALIGN,
	IW_ERR_INV_STAG,	/* STag cannot be invalidated */
	IW_ERR_IMM_LEN,		/* Immediate Data is not eight octets */
	IW_ERR_ATOMIC_RESP_ID,	/* identifier of no outstanding atomic */
	IW_ERR_ULP_WORD_CHANGED, /* RsvdULP differs within a message */

	/* DDP, local */
	IW_ERR_DDP_LOCAL,	/* posted receive buffer not accessible */

	/* DDP, tagged buffer */
	IW_ERR_TAG_STAG,	/* STag unknown or invalid */
	IW_ERR_TAG_ACCESS,	/* STag does not permit the write */
	IW_ERR_TAG_BOUNDS,
	IW_ERR_TAG_STREAM,	/* STag of another PD or stream */
	IW_ERR_TAG_WRAP,
	IW_ERR_TAG_VERSION,
	IW_ERR_TAG_CHANGED,	/* STag differs within a message */
	IW_ERR_RESP_STAG,	/* Read Response to another sink STag */
	IW_ERR_RESP_BOUNDS,	/* Read Response of wrong TO or length */

	/* DDP, untagged buffer */
	IW_ERR_QN,
	IW_ERR_NO_BUFFER,	/* no receive posted */
	IW_ERR_IRD,		/* more Reads and atomics than granted */
	IW_ERR_ATOMIC_UNSOLICITED, /* Atomic Response without an atomic */
	IW_ERR_TERM_TWICE,
	IW_ERR_MSN,
	IW_ERR_MO,
	IW_ERR_TOO_LONG,	/* message exceeds the posted receive */
	IW_ERR_FIXED_LEN,	/* message of fixed size is too long */
	IW_ERR_UNTAG_VERSION,

	/* MPA */
	IW_ERR_CLOSED,		/* TCP connection lost */
	IW_ERR_CRC,
	IW_ERR_MARKER,		/* FPDUPTR contradicts ULPDU_Length */
	IW_ERR_FPDU_LEN,	/* ULPDU too short for its headers */
	IW_ERR_MPA_KEY,		/* not a startup frame */
	IW_ERR_MPA_ROLE,	/* Request for a Reply or the reverse */
	IW_ERR_MPA_REV,		/* revision not supported */
	IW_ERR_MPA_PD_LEN,	/* PD_Length above 512 or frame cut short */
	IW_ERR_MPA_ENHANCED,	/* S bit where it may not be, or PD < 4 */
	IW_ERR_MPA_TRAILING,	/* octets after a Request */
	IW_ERR_MPA_TIMEOUT,	/* startup took too long */
	IW_ERR_MPA_LOCAL,	/* enhanced setup failed locally */
	IW_ERR_MPA_IRD,		/* Reply.ORD is more than we can serve */
	IW_ERR_MPA_RTR,		/* no RTR type in common */

	/* endings that are nobody's fault; never reported to the peer */
	IW_ERR_REJECTED,	/* Reply with the R bit */
	IW_ERR_TERMINATED,	/* the peer sent a Terminate */

	IW_ERR_COUNT
};

/* What a Terminate quotes of the offending segment (RFC 5040 Figure 10). */
enum iw_quote {
	IW_QUOTE_NONE,
	IW_QUOTE_DDP,		/* DDP Segment Length and DDP header */
	IW_QUOTE_READ,		/* and the header of a Read Request */
};

/**
 * struct iw_err_info - how one fault is named and reported
 * @name: short name in lower case with underscores, unique
 * @layer: enum rdmap_term_layer
 * @etype: enum rdmap_term_etype
 * @code: error code
 * @quote: enum iw_quote
 * @send: the fault may be reported with a Terminate; if false, TCP is closed
 */
struct iw_err_info {
	const char	*name;
	u8		layer;
	u8		etype;
	u8		code;
	u8		quote;
	bool		send;
};

/**
 * iw_err_info() - describe a fault
 * @err: fault; values out of range are described as IW_ERR_LOCAL
 *
 * Context: any.
 * Return: entry of a constant table, never NULL.
 */
const struct iw_err_info *iw_err_info(enum iw_err err);

/**
 * iw_err_name() - short name of a fault for counters and traces
 * @err: fault
 *
 * Context: any.
 * Return: constant string such as "no_buffer"; "ok" for IW_OK.
 */
static inline const char *iw_err_name(enum iw_err err)
{
	return iw_err_info(err)->name;
}

#endif /* SIW_PROTO_ERR_H */
