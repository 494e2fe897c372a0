// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP as lower layer protocol. Everything that knows struct sock is here, and
 * the socket callbacks are installed and removed here alone.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/busy_poll.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat/tcp.h"
#include "llp.h"

/* While a connection starts up; a device's setting takes over. */
#define LLP_PATIENCE_S		30
/* Of that time half is silence, then come the probes. */
#define LLP_KEEP_COUNT		3

/**
 * struct siw_llp - one TCP socket
 * @sock: the socket, NULL once closed; changed by the owner only
 * @ops: the owner's callbacks; guarded by sk_callback_lock
 * @ctx: the owner; likewise
 * @refs: references
 * @sent: octets that siw_llp_send() has given to TCP; under the socket's lock
 * @watch: of these, what the owner is told the acknowledgment of, 0: of none;
 *	likewise
 * @full: TCP has refused octets since it last told of room; likewise
 * @saved: callbacks the socket had before ours
 */
struct siw_llp {
	struct socket *sock;
	const struct siw_llp_ops *ops;
	void *ctx;
	refcount_t refs;
	u64 sent;
	u64 watch;
	bool full;
	struct {
		void (*data_ready)(struct sock *sk);
		void (*write_space)(struct sock *sk);
		void (*state_change)(struct sock *sk);
	} saved;
};

static struct siw_llp *llp_of(const struct sock *sk)
{
	return __locked_read_sk_user_data_with_flags(sk, SK_USER_DATA_NOCOPY);
}

/* The owner cannot change while a callback runs: read side of the lock. */
static void llp_data_ready(struct sock *sk)
{
	struct siw_llp *llp;

	read_lock_bh(&sk->sk_callback_lock);
	llp = llp_of(sk);
	if (llp && llp->ops)
		llp->ops->data_ready(llp->ctx);
	read_unlock_bh(&sk->sk_callback_lock);
}

/* What the peer has acknowledged of what siw_llp_send() was given. */
static u64 llp_acked(const struct siw_llp *llp, const struct sock *sk)
{
	u32 left = tcp_sk(sk)->write_seq - tcp_sk(sk)->snd_una;

	/* a startup frame of before may be among what is left */
	return llp->sent > left ? llp->sent - left : 0;
}

/* TCP calls back on each acknowledgment while SOCK_NOSPACE is set. */
static void llp_watch(struct siw_llp *llp, struct sock *sk, u64 pos)
{
	if (likely(pos <= llp_acked(llp, sk)))
		return;
	llp->watch = pos;
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
}

static void llp_tell_acked(struct siw_llp *llp, struct sock *sk)
{
	u64 acked = llp_acked(llp, sk);

	llp->ops->acked(llp->ctx, acked);
	if (acked >= llp->watch)
		llp->watch = 0;
}

static void llp_tell_room(struct siw_llp *llp, struct sock *sk)
{
	if (!llp->watch)
		clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (!llp->full)
		return;
	llp->full = false;
	llp->ops->write_space(llp->ctx);
}

static void llp_write_space(struct sock *sk)
{
	struct siw_llp *llp;

	read_lock_bh(&sk->sk_callback_lock);
	llp = llp_of(sk);
	if (llp && llp->ops) {
		if (unlikely(llp->watch))
			llp_tell_acked(llp, sk);
		if (sk_stream_is_writeable(sk))
			llp_tell_room(llp, sk);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void llp_state_change(struct sock *sk)
{
	struct siw_llp *llp;

	read_lock_bh(&sk->sk_callback_lock);
	llp = llp_of(sk);
	if (llp && llp->ops)
		llp->ops->state_change(llp->ctx);
	read_unlock_bh(&sk->sk_callback_lock);
}

/* @parent: the listener of an accepted socket, whose callbacks it inherited */
static void llp_install(struct siw_llp *llp, const struct siw_llp *parent)
{
	struct sock *sk = llp->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	if (parent) {
		llp->saved = parent->saved;
	} else {
		llp->saved.data_ready = sk->sk_data_ready;
		llp->saved.write_space = sk->sk_write_space;
		llp->saved.state_change = sk->sk_state_change;
	}
	/* children of a listener must not inherit the pointer */
	__rcu_assign_sk_user_data_with_flags(sk, llp, SK_USER_DATA_NOCOPY);
	sk->sk_data_ready = llp_data_ready;
	sk->sk_write_space = llp_write_space;
	sk->sk_state_change = llp_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void llp_uninstall(struct siw_llp *llp)
{
	struct sock *sk = llp->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	rcu_assign_sk_user_data(sk, NULL);
	sk->sk_data_ready = llp->saved.data_ready;
	sk->sk_write_space = llp->saved.write_space;
	sk->sk_state_change = llp->saved.state_change;
	llp->ops = NULL;
	llp->ctx = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

/*
 * Segment sizes that are no multiple of four would shift every FPDU against
 * the segments (FPDUs are multiples of four).
 */
static void llp_set_maxseg(struct socket *sock, int family, u32 mtu)
{
	u32 hdr = sizeof(struct tcphdr) + (family == AF_INET6 ?
		  sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	int mss;

	mtu = min_t(u32, mtu, U16_MAX);
	if (mtu < hdr + TCP_MIN_MSS)
		return;
	mss = min_t(u32, (mtu - hdr) & ~3, MAX_TCP_WINDOW);
	sock->ops->setsockopt(sock, SOL_TCP, TCP_MAXSEG, KERNEL_SOCKPTR(&mss),
			      sizeof(mss));
}

static void llp_set_patience(struct sock *sk, unsigned int seconds)
{
	tcp_sock_set_keepidle(sk, max(seconds / 2, 1U));
	tcp_sock_set_keepintvl(sk, max(seconds / 2 / LLP_KEEP_COUNT, 1U));
	tcp_sock_set_user_timeout(sk, seconds * MSEC_PER_SEC);
}

static void llp_set_options(struct socket *sock)
{
	struct sock *sk = sock->sk;

	tcp_sock_set_nodelay(sk);
	sock_set_keepalive(sk);
	tcp_sock_set_keepcnt(sk, LLP_KEEP_COUNT);
	llp_set_patience(sk, LLP_PATIENCE_S);
	/* the sender also runs in softirq */
	lock_sock(sk);
	sk->sk_allocation = GFP_ATOMIC;
	sk->sk_use_task_frag = false;
	release_sock(sk);
}

/* An IPv6 socket may carry IPv4 too: both. */
static void llp_set_tos(struct socket *sock, int family, u8 tos)
{
	int val = tos;

	ip_sock_set_tos(sock->sk, tos);
	if (family == AF_INET6)
		sock->ops->setsockopt(sock, SOL_IPV6, IPV6_TCLASS,
				      KERNEL_SOCKPTR(&val), sizeof(val));
}

static struct siw_llp *llp_alloc(struct socket *sock)
{
	struct siw_llp *llp = kzalloc(sizeof(*llp), GFP_KERNEL);

	if (llp) {
		llp->sock = sock;
		refcount_set(&llp->refs, 1);
	}
	return llp;
}

/**
 * siw_llp_open() - create a TCP socket
 * @net: namespace it lives in; not kept alive by the socket
 * @family: AF_INET or AF_INET6
 * @mtu: of the link in octets, 0 if not known
 * @tos: type of service
 * @tos_set: whether @tos counts
 *
 * Context: process. Return: the socket or an ERR_PTR.
 */
struct siw_llp *siw_llp_open(struct net *net, int family, u32 mtu, u8 tos,
			     bool tos_set)
{
	struct siw_llp *llp;
	struct socket *sock;
	int rv;

	rv = sock_create_kern(net, family, SOCK_STREAM, IPPROTO_TCP, &sock);
	if (rv)
		return ERR_PTR(rv);
	llp = llp_alloc(sock);
	if (!llp) {
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	llp_set_options(sock);
	llp_set_maxseg(sock, family, mtu);
	if (tos_set)
		llp_set_tos(sock, family, tos);
	llp_install(llp, NULL);
	return llp;
}

/**
 * siw_llp_bind() - bind to a local address
 * @llp: fresh socket
 * @addr: address and port; port 0 picks one
 * @mapped: the port mapper holds the port with a socket of its own
 *
 * Context: process. Return: 0 or a negative errno of bind().
 */
int siw_llp_bind(struct siw_llp *llp, const struct sockaddr_storage *addr,
		 bool mapped)
{
	struct sock *sk = llp->sock->sk;

	lock_sock(sk);
	sk->sk_reuse = mapped ? SK_FORCE_REUSE : SK_CAN_REUSE;
	release_sock(sk);
	return kernel_bind(llp->sock, (struct sockaddr *)addr,
			   addr->ss_family == AF_INET6 ?
			   sizeof(struct sockaddr_in6) :
			   sizeof(struct sockaddr_in));
}

/**
 * siw_llp_set_patience() - say when a peer without a sign of life is dead
 * @llp: a connection
 * @seconds: without an answer to what was sent, or to a probe while idle;
 *	at least 1
 *
 * Context: process, takes the socket lock.
 */
void siw_llp_set_patience(struct siw_llp *llp, unsigned int seconds)
{
	llp_set_patience(llp->sock->sk, seconds);
}

/**
 * siw_llp_connect() - begin to connect; state_change tells the outcome
 * @llp: socket
 * @addr: the peer
 *
 * Context: process. Return: 0 or a negative errno of connect().
 */
int siw_llp_connect(struct siw_llp *llp, const struct sockaddr_storage *addr)
{
	int rv = kernel_connect(llp->sock, (struct sockaddr *)addr,
				addr->ss_family == AF_INET6 ?
				sizeof(struct sockaddr_in6) :
				sizeof(struct sockaddr_in), O_NONBLOCK);

	return rv == -EINPROGRESS ? 0 : rv;
}

/**
 * siw_llp_listen() - accept connections; data_ready tells of each
 * @llp: bound socket
 * @backlog: connections that may wait
 *
 * Context: process. Return: 0 or a negative errno of listen().
 */
int siw_llp_listen(struct siw_llp *llp, int backlog)
{
	return kernel_listen(llp->sock, backlog);
}

/**
 * siw_llp_set_v6only() - keep IPv4 peers away from an IPv6 listener
 * @llp: socket, not bound yet
 * @v6only: the option
 *
 * Context: process. Return: 0 or a negative errno of setsockopt().
 */
int siw_llp_set_v6only(struct siw_llp *llp, bool v6only)
{
	int val = v6only;

	return llp->sock->ops->setsockopt(llp->sock, SOL_IPV6, IPV6_V6ONLY,
					  KERNEL_SOCKPTR(&val), sizeof(val));
}

/**
 * siw_llp_accept() - take a connection off a listener
 * @llp: listener
 *
 * Context: process. Return: the connection, without an owner;
 * ERR_PTR(-EAGAIN) if none waits.
 */
struct siw_llp *siw_llp_accept(struct siw_llp *llp)
{
	struct siw_llp *new;
	struct socket *sock;
	int rv;

	rv = kernel_accept(llp->sock, &sock, O_NONBLOCK);
	if (rv)
		return ERR_PTR(rv);
	new = llp_alloc(sock);
	if (!new) {
		/* it still has our callbacks, but no user data: they do nothing */
		sock_no_linger(sock->sk);
		sock_release(sock);
		return ERR_PTR(-ENOMEM);
	}
	llp_set_options(sock);
	llp_install(new, llp);
	return new;
}

/* See llp_set_maxseg(); for sizes that only the handshake has settled. */
static void llp_round_mss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 opts = tp->tcp_header_len - sizeof(struct tcphdr);

	if (sk->sk_state != TCP_ESTABLISHED || !(tp->mss_cache & 3))
		return;
	/* the clamp is what TCP goes by when the path changes */
	tp->mss_cache &= ~3;
	tp->rx_opt.mss_clamp = tp->mss_cache + opts;
}

/**
 * siw_llp_set_owner() - hand the events of a socket to somebody
 * @llp: socket
 * @ops: callbacks, or NULL for nobody
 * @ctx: passed to them
 *
 * When it returns, no callback of a former owner runs or will run. Events
 * from before are not repeated: the new owner looks at the socket once.
 *
 * Context: process, no lock that the callbacks of the former owner take.
 */
void siw_llp_set_owner(struct siw_llp *llp, const struct siw_llp_ops *ops,
		       void *ctx)
{
	struct sock *sk = llp->sock->sk;

	lock_sock(sk);
	llp_round_mss(sk);
	/* the new one has asked for nothing */
	llp->watch = 0;
	write_lock_bh(&sk->sk_callback_lock);
	llp->ops = ops;
	llp->ctx = ctx;
	write_unlock_bh(&sk->sk_callback_lock);
	release_sock(sk);
}

/**
 * siw_llp_get() - take a reference
 * @llp: socket
 *
 * Context: any. Return: @llp.
 */
struct siw_llp *siw_llp_get(struct siw_llp *llp)
{
	refcount_inc(&llp->refs);
	return llp;
}

/**
 * siw_llp_put() - drop a reference; the last one needs a closed socket
 * @llp: socket
 *
 * Context: any.
 */
void siw_llp_put(struct siw_llp *llp)
{
	if (refcount_dec_and_test(&llp->refs))
		kfree(llp);
}

/*
 * Kernel sockets do not keep their namespace alive, and TCP stops their
 * timers at close: what is still unacknowledged would never be repeated. A
 * socket that is closed with care holds its namespace to the end instead.
 */
static bool llp_outlive(struct sock *sk)
{
	struct net *net = maybe_get_net(sock_net(sk));

	if (!net)
		return false;
	compat_sk_hold_net(sk);
	put_net(net);
	return true;
}

/**
 * siw_llp_close() - close in order: FIN after all data
 * @llp: socket; no callback comes any more, no other call may follow
 *
 * Context: process.
 */
void siw_llp_close(struct siw_llp *llp)
{
	struct socket *sock = llp->sock;

	llp_uninstall(llp);
	/* in a namespace that is going nothing lives on: a reset */
	if (sock->sk->sk_state != TCP_LISTEN && !llp_outlive(sock->sk))
		sock_no_linger(sock->sk);
	llp->sock = NULL;
	sock_release(sock);
}

/**
 * siw_llp_abort() - close with a reset
 * @llp: as in siw_llp_close()
 *
 * Context: process.
 */
void siw_llp_abort(struct siw_llp *llp)
{
	struct socket *sock = llp->sock;

	llp_uninstall(llp);
	sock_no_linger(sock->sk);
	llp->sock = NULL;
	sock_release(sock);
}

/**
 * siw_llp_reset() - reset the connection and forget what was not acknowledged
 * @llp: socket without an owner; it is still to be closed
 *
 * Context: process, takes the socket lock.
 */
void siw_llp_reset(struct siw_llp *llp)
{
	tcp_abort(llp->sock->sk, ECONNABORTED);
}

/**
 * siw_llp_shutdown_write() - send FIN after all data, keep reading
 * @llp: socket
 *
 * Context: process.
 */
void siw_llp_shutdown_write(struct siw_llp *llp)
{
	kernel_sock_shutdown(llp->sock, SHUT_WR);
}

/**
 * siw_llp_recv() - read octets of a startup frame
 * @llp: socket
 * @buf: destination
 * @len: octets wanted
 *
 * Context: process. Return: octets read, at most @len; -EAGAIN if none wait;
 * 0 at the end of the stream; another negative errno.
 */
int siw_llp_recv(struct siw_llp *llp, void *buf, u32 len)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec iov = { .iov_base = buf, .iov_len = len };

	return kernel_recvmsg(llp->sock, &msg, &iov, 1, len, msg.msg_flags);
}

/**
 * siw_llp_send_buf() - send a startup frame
 * @llp: socket
 * @buf: octets, copied
 * @len: number of octets; those beyond a page are left
 *
 * In a page of its own, which goes with the acknowledgment: for octets that TCP
 * copies itself, a socket keeps 32 KiB for its whole life.
 *
 * Context: process. Return: octets taken or a negative errno.
 */
int siw_llp_send_buf(struct siw_llp *llp, const void *buf, u32 len)
{
	struct bio_vec frag = {
		.bv_page = alloc_page(GFP_KERNEL),
		.bv_len = min_t(u32, len, PAGE_SIZE),
	};
	struct sock *sk = llp->sock->sk;
	int rv;

	if (!frag.bv_page)
		return -ENOMEM;
	memcpy(page_address(frag.bv_page), buf, frag.bv_len);
	lock_sock(sk);
	rv = compat_tcp_send_pages(sk, &frag, 1,
				   MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR);
	release_sock(sk);
	put_page(frag.bv_page);
	return rv;
}

static int llp_discard(void *ctx, struct sk_buff *skb, u32 off, u32 len)
{
	return len;
}

/**
 * siw_llp_drain() - read and drop all that waits
 * @llp: socket
 *
 * Context: process. Return: octets dropped or a negative errno.
 */
int siw_llp_drain(struct siw_llp *llp)
{
	return siw_llp_read(llp, llp_discard, NULL, INT_MAX);
}

/**
 * siw_llp_status() - where the connection stands
 * @llp: socket
 *
 * Context: any. Return: see enum siw_llp_status.
 */
enum siw_llp_status siw_llp_status(struct siw_llp *llp)
{
	struct sock *sk = llp->sock->sk;

	switch (READ_ONCE(sk->sk_state)) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
		return SIW_LLP_CONNECTING;
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		return SIW_LLP_UP;
	case TCP_CLOSE_WAIT:
		return SIW_LLP_PEER_CLOSED;
	default:
		return SIW_LLP_DOWN;
	}
}

/**
 * siw_llp_error() - the socket's pending error
 * @llp: socket
 *
 * Context: any. Return: 0 or a negative errno, cleared by reading.
 */
int siw_llp_error(struct siw_llp *llp)
{
	return sock_error(llp->sock->sk);
}

/**
 * siw_llp_local_addr() - our end
 * @llp: socket
 * @addr: filled in
 *
 * Context: process.
 */
void siw_llp_local_addr(struct siw_llp *llp, struct sockaddr_storage *addr)
{
	memset(addr, 0, sizeof(*addr));
	kernel_getsockname(llp->sock, (struct sockaddr *)addr);
}

/**
 * siw_llp_remote_addr() - the peer's end
 * @llp: socket
 * @addr: filled in; family AF_UNSPEC if there is no peer (any more)
 *
 * Context: process.
 */
void siw_llp_remote_addr(struct siw_llp *llp, struct sockaddr_storage *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (kernel_getpeername(llp->sock, (struct sockaddr *)addr) < 0)
		memset(addr, 0, sizeof(*addr));
}

/**
 * siw_llp_emss() - effective maximum segment size
 * @llp: socket
 *
 * Context: any. Return: octets.
 */
u32 siw_llp_emss(struct siw_llp *llp)
{
	return READ_ONCE(tcp_sk(llp->sock->sk)->mss_cache);
}

/* A netdev with a device of a bus behind it copies what it sends and receives. */
static bool llp_is_wired(const struct net_device *dev)
{
	return dev && dev->dev.parent;
}

/**
 * siw_llp_leaves_host() - does what is sent go through a device's memory
 * @llp: socket
 *
 * Between sockets of one host, over lo, veth or a bridge, a page that was sent by
 * reference is the page that is received, and TCP may acknowledge it long
 * before it is read. So the route must lead to a device, and the peer's packets
 * come from one: an address that is translated to a local one looks remote on
 * the way out.
 *
 * Context: any. Return: true if a receiver never sees a page of ours.
 */
bool siw_llp_leaves_host(struct siw_llp *llp)
{
	struct sock *sk = llp->sock->sk;
	int from = READ_ONCE(sk->sk_rx_dst_ifindex);
	const struct dst_entry *dst;
	bool rv;

	rcu_read_lock();
	dst = __sk_dst_get(sk);
	rv = dst && llp_is_wired(READ_ONCE(dst->dev)) &&
	     llp_is_wired(dev_get_by_index_rcu(sock_net(sk), from));
	rcu_read_unlock();
	return rv;
}

/**
 * siw_llp_readable() - octets that wait to be read
 * @llp: socket
 *
 * Context: any; exact only while the socket is locked.
 * Return: octets.
 */
u32 siw_llp_readable(struct siw_llp *llp)
{
	struct tcp_sock *tp = tcp_sk(llp->sock->sk);

	return READ_ONCE(tp->rcv_nxt) - READ_ONCE(tp->copied_seq);
}

/**
 * siw_llp_cpu() - the CPU that takes in the socket's packets
 * @llp: socket
 *
 * Context: any, cannot sleep. Return: CPU that took in the last one.
 */
int siw_llp_cpu(struct siw_llp *llp)
{
	int cpu = READ_ONCE(llp->sock->sk->sk_incoming_cpu);

	return cpu < 0 ? raw_smp_processor_id() : cpu;
}

/**
 * siw_llp_napi() - the queue of a NIC that the socket's packets come from
 * @llp: socket
 *
 * Context: any, cannot sleep.
 * Return: what siw_llp_busy_poll() takes; 0 if they come from none, or the
 * administrator wants no busy polling (net.core.busy_read when the socket was made).
 */
unsigned int siw_llp_napi(struct siw_llp *llp)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	struct sock *sk = llp->sock->sk;
	unsigned int napi = READ_ONCE(sk->sk_napi_id);

	if (READ_ONCE(sk->sk_ll_usec) && napi >= MIN_NAPI_ID)
		return napi;
#endif
	return 0;
}

/**
 * siw_llp_busy_poll() - take in what has arrived in a queue of a NIC
 * @napi: what siw_llp_napi() said, not 0; the queue may be gone by now
 *
 * Packets are handled as if the NIC had interrupted, whoever they are for. One look.
 *
 * Context: process, no spinlock held.
 */
void siw_llp_busy_poll(unsigned int napi)
{
#ifdef CONFIG_NET_RX_BUSY_POLL
	napi_busy_loop(napi, NULL, NULL, false, BUSY_POLL_BUDGET);
#endif
}

static int llp_send_flags(bool eor, bool more)
{
	return MSG_DONTWAIT | MSG_NOSIGNAL | (eor ? MSG_EOR : 0) |
	       (more ? MSG_MORE : 0);
}

/* Memory is short, though TCP has room: nobody will tell when there is more. */
static int llp_give(struct siw_llp *llp, struct sock *sk,
		    const struct bio_vec *frags, int nfrags, int flags)
{
	u32 len = 0;
	int i, rv;

	for (i = 0; i < nfrags; i++)
		len += frags[i].bv_len;
	rv = compat_tcp_send_pages(sk, frags, nfrags, flags);
	if (rv > 0)
		llp->sent += rv;
	llp->full = rv != (int)len;
	/* TCP may have called back in between, when we did not know of it yet */
	if (llp->full)
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	return rv == -EAGAIN && sk_stream_is_writeable(sk) ? -ENOBUFS : rv;
}

/**
 * siw_llp_send() - hand runs of pages to TCP by reference
 * @llp: socket
 * @frags: runs, in stream order; the bytes must not change until acknowledged
 * @nfrags: number of runs, at most SIW_LLP_MAX_FRAGS
 * @eor: let the next octet begin a new segment
 * @more: more follows at once
 * @watch: tell of the acknowledgment of octets up to here, counted from the first
 *	that this function was ever given; 0, or what is acknowledged: nothing
 *
 * Context: process, may sleep for the socket lock.
 * Return: octets taken; -EAGAIN if the socket is full, write_space follows;
 * -ENOBUFS if memory is short, nothing follows; another negative errno if the
 * connection is gone.
 */
int siw_llp_send(struct siw_llp *llp, const struct bio_vec *frags,
		 int nfrags, bool eor, bool more, u64 watch)
{
	struct sock *sk = llp->sock->sk;
	int rv;

	lock_sock(sk);
	llp_watch(llp, sk, watch);
	rv = llp_give(llp, sk, frags, nfrags, llp_send_flags(eor, more));
	release_sock(sk);
	return rv;
}

/**
 * siw_llp_send_bh() - as siw_llp_send(), from softirq
 * @llp: socket
 * @frags: runs
 * @nfrags: number of runs
 * @eor: let the next octet begin a new segment
 * @more: more follows at once
 * @watch: as there
 *
 * Context: softirq, not from a callback of the socket.
 * Return: as siw_llp_send(); -EBUSY if a process owns the socket: try again
 * from process context.
 */
int siw_llp_send_bh(struct siw_llp *llp, const struct bio_vec *frags,
		    int nfrags, bool eor, bool more, u64 watch)
{
	struct sock *sk = llp->sock->sk;
	int rv = -EBUSY;

	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk)) {
		llp_watch(llp, sk, watch);
		rv = llp_give(llp, sk, frags, nfrags,
			      llp_send_flags(eor, more));
	}
	bh_unlock_sock(sk);
	return rv;
}

/**
 * siw_llp_acked() - what the peer's TCP has acknowledged
 * @llp: socket, no FIN was sent yet
 *
 * Context: process, may sleep for the socket lock.
 * Return: how many of the octets given to siw_llp_send(), from the first one.
 */
u64 siw_llp_acked(struct siw_llp *llp)
{
	struct sock *sk = llp->sock->sk;
	u64 acked;

	lock_sock(sk);
	acked = llp_acked(llp, sk);
	release_sock(sk);
	return acked;
}

/**
 * siw_llp_lock() - keep readers and callbacks out
 * @llp: socket
 *
 * Context: process, may sleep.
 */
void siw_llp_lock(struct siw_llp *llp)
{
	lock_sock(llp->sock->sk);
}

/**
 * siw_llp_unlock() - let readers and callbacks in again
 * @llp: socket, locked by siw_llp_lock()
 *
 * Context: process.
 */
void siw_llp_unlock(struct siw_llp *llp)
{
	release_sock(llp->sock->sk);
}

struct llp_reader {
	siw_llp_actor actor;
	void *ctx;
	int err;
};

static int llp_actor(read_descriptor_t *desc, struct sk_buff *skb,
		     unsigned int off, size_t len)
{
	struct llp_reader *r = desc->arg.data;
	int n = r->actor(r->ctx, skb, off, len);

	if (n <= 0) {
		r->err = n;
		desc->count = 0;
		return 0;
	}
	desc->count -= min_t(size_t, desc->count, n);
	return n;
}

/**
 * siw_llp_read_locked() - let @actor see what waits
 * @llp: socket, locked by the caller or by who called data_ready
 * @actor: takes octets from a packet buffer, see siw_llp_actor
 * @ctx: passed to @actor
 * @budget: octets after which to stop, at a packet's end
 *
 * Context: softirq or process.
 * Return: octets taken, or @actor's error, or a negative errno.
 */
int siw_llp_read_locked(struct siw_llp *llp, siw_llp_actor actor, void *ctx,
			u32 budget)
{
	struct llp_reader r = { .actor = actor, .ctx = ctx };
	read_descriptor_t desc = { .arg.data = &r, .count = budget };
	struct tcp_sock *tp = tcp_sk(llp->sock->sk);
	int n;

	/*
	 * MPA knows of no urgent data. tcp_read_sock() would stop in front of
	 * such an octet for ever; so it is one of the stream (RFC 6093).
	 */
	if (unlikely(tp->urg_data))
		WRITE_ONCE(tp->urg_data, 0);
	n = tcp_read_sock(llp->sock->sk, &desc, llp_actor);
	return r.err ? r.err : n;
}

/**
 * siw_llp_read() - as siw_llp_read_locked(), for a process
 * @llp: socket
 * @actor: takes octets from a packet buffer
 * @ctx: passed to @actor
 * @budget: octets after which to stop
 *
 * Context: process, may sleep for the socket lock.
 * Return: as siw_llp_read_locked().
 */
int siw_llp_read(struct siw_llp *llp, siw_llp_actor actor, void *ctx,
		 u32 budget)
{
	struct sock *sk = llp->sock->sk;
	int rv;

	lock_sock(sk);
	rv = siw_llp_read_locked(llp, actor, ctx, budget);
	release_sock(sk);
	return rv;
}
