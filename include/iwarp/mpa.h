/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MPA on the wire: startup frames (RFC 5044 7.1.1, RFC 6581 6 and 9),
 * FPDUs (RFC 5044 4.1) and markers (RFC 5044 4.3).
 *
 * Structures are packed, so they may be laid over any octet of a stream.
 */
#ifndef IWARP_MPA_H
#define IWARP_MPA_H

#include <iwarp/wire.h>

#define MPA_KEY_LEN		16
#define MPA_KEY_REQ		"MPA ID Req Frame"
#define MPA_KEY_REP		"MPA ID Rep Frame"

/* flags octet of a startup frame; the low four bits are reserved */
#define MPA_FLAG_MARKERS	0x80
#define MPA_FLAG_CRC		0x40
#define MPA_FLAG_REJECT		0x20
#define MPA_FLAG_ENHANCED	0x10

#define MPA_REV_1		1	/* RFC 5044 */
#define MPA_REV_2		2	/* RFC 6581 */

#define MPA_PD_MAX		512	/* octets of Private Data in a frame */

/**
 * struct mpa_startup - fixed part of an MPA Request or Reply frame
 * @key: MPA_KEY_REQ or MPA_KEY_REP without the terminating zero
 * @flags: MPA_FLAG_*
 * @rev: MPA revision
 * @pd_len: octets of Private Data that follow, the enhanced header included
 */
struct mpa_startup {
	__u8	key[MPA_KEY_LEN];
	__u8	flags;
	__u8	rev;
	__be16	pd_len;
} __packed;

static_assert(sizeof(struct mpa_startup) == 20, "MPA startup frame");
static_assert(offsetof(struct mpa_startup, flags) == 16, "MPA flags");
static_assert(offsetof(struct mpa_startup, rev) == 17, "MPA revision");
static_assert(offsetof(struct mpa_startup, pd_len) == 18, "MPA PD_Length");

#define MPA_STARTUP_LEN		((int)sizeof(struct mpa_startup))

/* enhanced header: two 16-bit words of two flags and a 14-bit depth each */
#define MPA_ENH_IRD_P2P		0x8000	/* control flag A */
#define MPA_ENH_IRD_SEND	0x4000	/* control flag B */
#define MPA_ENH_ORD_WRITE	0x8000	/* control flag C */
#define MPA_ENH_ORD_READ	0x4000	/* control flag D */
#define MPA_ENH_DEPTH		0x3fff
#define MPA_DEPTH_NONE		0x3fff	/* "do not negotiate this depth" */

/**
 * struct mpa_enhanced - first octets of Private Data when the S bit is set
 * @ird: control flags A and B, and the IRD of the frame's sender
 * @ord: control flags C and D, and the ORD of the frame's sender
 */
struct mpa_enhanced {
	__be16	ird;
	__be16	ord;
} __packed;

static_assert(sizeof(struct mpa_enhanced) == 4, "MPA enhanced header");
static_assert(offsetof(struct mpa_enhanced, ord) == 2, "MPA enhanced ORD");

#define MPA_ENH_LEN		((int)sizeof(struct mpa_enhanced))
#define MPA_ULP_PD_MAX		(MPA_PD_MAX - MPA_ENH_LEN)
#define MPA_FRAME_MAX		(MPA_STARTUP_LEN + MPA_PD_MAX)

/* an FPDU is ULPDU_Length, ULPDU, 0..3 octets of zero pad, CRC */
#define MPA_LEN_SIZE		2	/* octets of ULPDU_Length */
#define MPA_CRC_SIZE		4
#define MPA_ULPDU_MAX		64768	/* a sender's limit (RFC 5044 3) */
#define MPA_MULPDU_MIN		128

/* no FPDU is longer: 65535 octets of ULPDU, padded, and a CRC */
#define MPA_FPDU_MAX		65544

#define MPA_MARKER_SPACE	512	/* from one marker to the next */
#define MPA_MARKER_SIZE		4
#define MPA_FPDUPTR_MASK	0xfffc	/* the low two bits are ignored */

/* markers a single FPDU can hold at worst, and its length with them */
#define MPA_MARKERS_MAX		130
#define MPA_MARKED_MAX		(MPA_FPDU_MAX + \
				 MPA_MARKERS_MAX * MPA_MARKER_SIZE)

/**
 * struct mpa_marker - one marker
 * @reserved: zero when sent, ignored when received
 * @fpduptr: stream octets back to the ULPDU_Length of the FPDU it is in
 */
struct mpa_marker {
	__be16	reserved;
	__be16	fpduptr;
} __packed;

static_assert(sizeof(struct mpa_marker) == MPA_MARKER_SIZE, "MPA marker");
static_assert(offsetof(struct mpa_marker, fpduptr) == 2, "MPA marker FPDUPTR");

#endif /* IWARP_MPA_H */
