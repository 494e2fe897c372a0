/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rendezvous of queue pairs that are connected without rdma_cm: the private
 * data of the MPA frames. Documentation/qp-rendezvous.rst explains it.
 */
#ifndef IWARP_RDV_H
#define IWARP_RDV_H

#include <iwarp/wire.h>

#define RDV_MAGIC		0x73697772	/* "siwr" */
#define RDV_VERSION		1

#define RDV_GID_LEN		16
#define RDV_QPN_MAX		0xffffff

/* Capabilities of the sender of a frame; unknown bits mean nothing. */
#define RDV_CAP_SEND_IMM	0x00000001	/* takes a Send with Immediate */
#define RDV_CAP_ACK		0x00000002	/* acknowledges messages */

/**
 * struct rdv_frame - private data of a Request and of an accepting Reply
 * @magic: RDV_MAGIC
 * @version: RDV_VERSION
 * @flags: none is defined: a frame with one set is refused
 * @reserved: sent as zero, not looked at
 * @caps: RDV_CAP_*
 * @src_qpn: queue pair of the frame's sender
 * @dst_qpn: queue pair it wants
 * @reserved2: sent as zero, not looked at
 * @src_gid: address of @src_qpn
 * @dst_gid: address of @dst_qpn
 */
struct rdv_frame {
	__be32	magic;
	__u8	version;
	__u8	flags;
	__be16	reserved;
	__be32	caps;
	__be32	src_qpn;
	__be32	dst_qpn;
	__be32	reserved2;
	__u8	src_gid[RDV_GID_LEN];
	__u8	dst_gid[RDV_GID_LEN];
} __packed;

static_assert(sizeof(struct rdv_frame) == 56, "rendezvous frame");
static_assert(offsetof(struct rdv_frame, caps) == 8, "rendezvous caps");
static_assert(offsetof(struct rdv_frame, src_gid) == 24, "rendezvous GIDs");

#define RDV_FRAME_LEN		((int)sizeof(struct rdv_frame))

#endif
