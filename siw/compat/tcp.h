/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP from the kernel: what differs between versions. Only llp_tcp.c
 * includes this.
 */
#ifndef _SIW_COMPAT_TCP_H
#define _SIW_COMPAT_TCP_H

#include <linux/version.h>
#include <net/sock.h>
#include <net/tcp.h>
#include "../llp.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)

/*
 * Hands runs of pages to TCP by reference; the socket is locked, or bottom
 * halves own it. Returns octets taken or a negative errno.
 */
static inline int compat_tcp_send_pages(struct sock *sk,
					const struct bio_vec *frags,
					int nfrags, int flags)
{
	struct msghdr msg = { .msg_flags = flags | MSG_SPLICE_PAGES };
	size_t len = 0;
	int i;

	for (i = 0; i < nfrags; i++)
		len += frags[i].bv_len;
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, frags, nfrags, len);
	return tcp_sendmsg_locked(sk, &msg, len);
}

static inline void compat_sk_hold_net(struct sock *sk)
{
	sk_net_refcnt_upgrade(sk);
}

#else

static inline int compat_tcp_send_pages(struct sock *sk,
					const struct bio_vec *frags,
					int nfrags, int flags)
{
	int i, n, sent = 0;

	for (i = 0; i < nfrags; i++) {
		int fl = flags & ~MSG_EOR;

		if (i < nfrags - 1)
			fl |= MSG_MORE | MSG_SENDPAGE_NOTLAST;
		n = tcp_sendpage_locked(sk, frags[i].bv_page,
					frags[i].bv_offset,
					frags[i].bv_len, fl);
		if (n < 0)
			return sent ? sent : n;
		sent += n;
		if (n < (int)frags[i].bv_len)
			return sent;
	}
	/* no MSG_EOR for pages here: close the segment by hand */
	if (flags & MSG_EOR) {
		struct sk_buff *skb = tcp_write_queue_tail(sk);

		if (skb)
			TCP_SKB_CB(skb)->eor = 1;
	}
	return sent;
}

static inline void compat_sk_hold_net(struct sock *sk)
{
	struct net *net = sock_net(sk);

	sk->sk_net_refcnt = 1;
	get_net_track(net, &sk->ns_tracker, GFP_KERNEL);
	sock_inuse_add(net, 1);
}

#endif
#endif
