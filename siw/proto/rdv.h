/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rendezvous of queue pairs without rdma_cm: who connects to whom, and the
 * private data both send. Pure functions on buffers and values.
 */
#ifndef SIW_PROTO_RDV_H
#define SIW_PROTO_RDV_H

#include <iwarp/rdv.h>
#include "port.h"

/**
 * struct rdv_id - name of a queue pair
 * @gid: address, an IPv4-mapped or IPv6 GID
 * @qpn: its number there
 */
struct rdv_id {
	u8	gid[RDV_GID_LEN];
	u32	qpn;
};

/**
 * struct rdv_hello - what one end says of the pair
 * @src: the end that says it
 * @dst: the other one
 * @caps: RDV_CAP_* of @src
 */
struct rdv_hello {
	struct rdv_id	src;
	struct rdv_id	dst;
	u32		caps;
};

enum rdv_role {
	RDV_ACTIVE,		/* connects: the lower name */
	RDV_PASSIVE,		/* listens: the higher name */
	RDV_SELF,		/* the other end is this end */
};

/**
 * rdv_compare() - order of names
 * @a: a name
 * @b: another
 *
 * GIDs are compared as octet strings, then the numbers.
 *
 * Context: any.
 * Return: less than, equal to or greater than zero, as @a is to @b.
 */
int rdv_compare(const struct rdv_id *a, const struct rdv_id *b);

/**
 * rdv_role() - what an end does; the other end comes to the opposite
 * @own: its name
 * @peer: the other's
 *
 * Context: any.
 * Return: see enum rdv_role.
 */
enum rdv_role rdv_role(const struct rdv_id *own, const struct rdv_id *peer);

/**
 * rdv_encode() - write a rendezvous frame
 * @buf: RDV_FRAME_LEN octets
 * @hello: contents
 *
 * Context: any.
 */
void rdv_encode(void *buf, const struct rdv_hello *hello);

/**
 * rdv_decode() - read a rendezvous frame
 * @buf: private data of an MPA frame
 * @len: octets at @buf; those behind the frame are not looked at
 * @hello: filled in
 *
 * Context: any.
 * Return: false if this is no frame of a version known.
 */
bool rdv_decode(const void *buf, size_t len, struct rdv_hello *hello);

#endif
