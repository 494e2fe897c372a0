/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A TCP socket that listens, and its connections that are not started up yet.
 * Its users: rdma_cm's listeners (listen.c), the rendezvous (rdv_listen.c).
 */
#ifndef _SIW_ACCEPTOR_H
#define _SIW_ACCEPTOR_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/socket.h>
#include <linux/workqueue.h>

struct net;
struct siw_acceptor;
struct siw_ep;
struct siw_llp;

/**
 * struct siw_acceptor_ops - what differs between the users
 * @endpoint: new endpoint for a connection, its lock held, or an ERR_PTR to
 *	have the connection reset; called with siw_acceptor.lock held
 * @free: the last reference is gone
 */
struct siw_acceptor_ops {
	struct siw_ep *(*endpoint)(struct siw_acceptor *acc,
				   struct siw_llp *llp);
	void (*free)(struct siw_acceptor *acc);
};

/**
 * struct siw_acceptor_params - how to listen
 * @mtu: of the netdev, octets
 * @tos: type of service of accepted connections, if @tos_set
 * @tos_set: whether there is one
 * @v6only: an IPv6 socket takes no IPv4 connections
 * @mapped: the port comes from the port mapper, which holds it already
 * @backlog: length of TCP's own queue
 */
struct siw_acceptor_params {
	u32 mtu;
	u8 tos;
	bool tos_set;
	bool v6only;
	bool mapped;
	int backlog;
};

/**
 * struct siw_acceptor - one TCP socket that listens
 * @refs: references: one of the user, one of the queued work, one of each
 *	half-open endpoint, one of the list it may be on
 * @ops: the user's part; constant
 * @net: namespace of the socket; valid while the socket is
 * @addr: local address; constant
 * @lock: guards @llp; held while connections are accepted
 * @llp: socket; NULL once closed
 * @limit: half-open connections that are allowed
 * @half_open: connections not yet accepted or rejected
 * @starved: waits for others' startups to end; on the list it has a reference
 * @work: accepts connections
 */
struct siw_acceptor {
	refcount_t refs;
	const struct siw_acceptor_ops *ops;
	struct net *net;
	struct sockaddr_storage addr;
	struct mutex lock;	/* llp */
	struct siw_llp *llp;
	int limit;
	atomic_t half_open;
	struct list_head starved;
	struct work_struct work;
};

void siw_acceptor_init(struct siw_acceptor *acc,
		       const struct siw_acceptor_ops *ops, struct net *net,
		       const struct sockaddr_storage *addr);
int siw_acceptor_open(struct siw_acceptor *acc,
		      const struct siw_acceptor_params *params);
void siw_acceptor_close(struct siw_acceptor *acc);
void siw_acceptor_put(struct siw_acceptor *acc);
void siw_acceptor_kick(struct siw_acceptor *acc);
void siw_acceptor_leave(struct siw_ep *ep);

#endif
