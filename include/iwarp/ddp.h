/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DDP on the wire: the headers of tagged and untagged segments
 * (RFC 5041 section 4). Structures are packed.
 */
#ifndef IWARP_DDP_H
#define IWARP_DDP_H

#include <iwarp/wire.h>

/* DDP control octet, the first of every ULPDU */
#define DDP_TAGGED		0x80
#define DDP_LAST		0x40
#define DDP_RSVD		0x3c
#define DDP_DV_MASK		0x03
#define DDP_VERSION		1

#define DDP_CTRL_LEN		2	/* DDP and RDMAP control octets */

/**
 * struct ddp_tagged_hdr - header of a tagged segment
 * @ddp_ctrl: DDP_TAGGED, DDP_LAST and the DDP version
 * @ulp_ctrl: RsvdULP, which RDMAP uses as its control octet
 * @stag: buffer the payload goes to
 * @to: tagged offset of the first payload octet
 */
struct ddp_tagged_hdr {
	__u8	ddp_ctrl;
	__u8	ulp_ctrl;
	__be32	stag;
	__be64	to;
} __packed;

static_assert(sizeof(struct ddp_tagged_hdr) == 14, "DDP tagged header");
static_assert(offsetof(struct ddp_tagged_hdr, stag) == 2, "DDP STag");
static_assert(offsetof(struct ddp_tagged_hdr, to) == 6, "DDP TO");

/**
 * struct ddp_untagged_hdr - header of an untagged segment
 * @ddp_ctrl: DDP_LAST and the DDP version
 * @ulp_ctrl: first octet of RsvdULP, the control octet of RDMAP
 * @ulp_word: rest of RsvdULP, the STag to invalidate in some messages
 * @qn: queue number
 * @msn: message sequence number
 * @mo: offset of the first payload octet in its message
 */
struct ddp_untagged_hdr {
	__u8	ddp_ctrl;
	__u8	ulp_ctrl;
	__be32	ulp_word;
	__be32	qn;
	__be32	msn;
	__be32	mo;
} __packed;

static_assert(sizeof(struct ddp_untagged_hdr) == 18, "DDP untagged header");
static_assert(offsetof(struct ddp_untagged_hdr, ulp_word) == 2, "DDP RsvdULP");
static_assert(offsetof(struct ddp_untagged_hdr, qn) == 6, "DDP QN");
static_assert(offsetof(struct ddp_untagged_hdr, msn) == 10, "DDP MSN");
static_assert(offsetof(struct ddp_untagged_hdr, mo) == 14, "DDP MO");

#define DDP_TAGGED_LEN		((int)sizeof(struct ddp_tagged_hdr))
#define DDP_UNTAGGED_LEN	((int)sizeof(struct ddp_untagged_hdr))

#endif /* IWARP_DDP_H */
