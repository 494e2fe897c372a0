/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Lower layer protocol: one TCP connection. llp_tcp.c is the only file that
 * knows struct sock; everybody else holds a struct siw_llp.
 */
#ifndef _SIW_LLP_H
#define _SIW_LLP_H

#include <linux/bvec.h>
#include <linux/socket.h>
#include <linux/types.h>

struct net;
struct sk_buff;
struct siw_llp;

/**
 * struct siw_llp_ops - events of a connection, for its present owner
 * @data_ready: bytes (or the end of the stream) wait to be read; called in
 *	softirq, or in the process context that releases the socket. The
 *	socket is locked for the caller: only siw_llp_read_locked() may read.
 * @write_space: room in the send buffer, after octets were refused; context as
 *	above. Must not send: it marks and kicks somebody.
 * @state_change: connected, peer closed or connection lost: look at
 *	siw_llp_status(). Context as above.
 * @acked: the peer's TCP has so many octets of those given to siw_llp_send();
 *	on each acknowledgment until it has those that were asked for.
 *	Context as above. Needed by who asks.
 *
 * None of these is called any more once siw_llp_set_owner() has returned with
 * another owner.
 */
struct siw_llp_ops {
	void (*data_ready)(void *ctx);
	void (*write_space)(void *ctx);
	void (*state_change)(void *ctx);
	void (*acked)(void *ctx, u64 pos);
};

enum siw_llp_status {
	SIW_LLP_CONNECTING,
	SIW_LLP_UP,
	SIW_LLP_PEER_CLOSED,	/* FIN received, we may still send */
	SIW_LLP_DOWN,		/* both directions are gone, or reset */
};

/* Runs that one call can hand over: as many as a packet buffer has room for. */
#define SIW_LLP_MAX_FRAGS	17

/* Returns bytes taken (<= len), or a negative errno to stop. */
typedef int (*siw_llp_actor)(void *ctx, struct sk_buff *skb, u32 off, u32 len);

/* set-up and tear-down: process context, may sleep */
struct siw_llp *siw_llp_open(struct net *net, int family, u32 mtu, u8 tos,
			     bool tos_set);
int siw_llp_bind(struct siw_llp *llp, const struct sockaddr_storage *addr,
		 bool mapped);
int siw_llp_connect(struct siw_llp *llp, const struct sockaddr_storage *addr);
int siw_llp_set_v6only(struct siw_llp *llp, bool v6only);
int siw_llp_listen(struct siw_llp *llp, int backlog);
struct siw_llp *siw_llp_accept(struct siw_llp *llp);
void siw_llp_set_patience(struct siw_llp *llp, unsigned int seconds);
void siw_llp_set_owner(struct siw_llp *llp, const struct siw_llp_ops *ops,
		       void *ctx);
struct siw_llp *siw_llp_get(struct siw_llp *llp);
void siw_llp_put(struct siw_llp *llp);
void siw_llp_close(struct siw_llp *llp);
void siw_llp_abort(struct siw_llp *llp);
void siw_llp_reset(struct siw_llp *llp);
void siw_llp_shutdown_write(struct siw_llp *llp);

/* process context */
void siw_llp_busy_poll(unsigned int napi);

/* startup frames and draining: process context */
int siw_llp_recv(struct siw_llp *llp, void *buf, u32 len);
int siw_llp_send_buf(struct siw_llp *llp, const void *buf, u32 len);
int siw_llp_drain(struct siw_llp *llp);

/* any context */
enum siw_llp_status siw_llp_status(struct siw_llp *llp);
int siw_llp_error(struct siw_llp *llp);
void siw_llp_local_addr(struct siw_llp *llp, struct sockaddr_storage *addr);
void siw_llp_remote_addr(struct siw_llp *llp, struct sockaddr_storage *addr);
u32 siw_llp_emss(struct siw_llp *llp);
bool siw_llp_leaves_host(struct siw_llp *llp);
u32 siw_llp_readable(struct siw_llp *llp);
int siw_llp_cpu(struct siw_llp *llp);
unsigned int siw_llp_napi(struct siw_llp *llp);

/* data path */
void siw_llp_lock(struct siw_llp *llp);
void siw_llp_unlock(struct siw_llp *llp);
int siw_llp_send(struct siw_llp *llp, const struct bio_vec *frags,
		 int nfrags, bool eor, bool more, u64 watch);
int siw_llp_send_bh(struct siw_llp *llp, const struct bio_vec *frags,
		    int nfrags, bool eor, bool more, u64 watch);
u64 siw_llp_acked(struct siw_llp *llp);
int siw_llp_read(struct siw_llp *llp, siw_llp_actor actor, void *ctx,
		 u32 budget);
int siw_llp_read_locked(struct siw_llp *llp, siw_llp_actor actor, void *ctx,
			u32 budget);

#endif
