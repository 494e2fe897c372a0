// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Connections: listening, private data, depths, refusals, every order of
 * disconnecting, many at once, and who gets a connection among devices.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char *dev_of(struct rdma_cm_id *id)
{
	return id->verbs ? ibv_get_device_name(id->verbs->device) : "none";
}

static const char *any_addr(void)
{
	return is_v6() ? "::" : "0.0.0.0";
}

static const char *loop_addr(void)
{
	return is_v6() ? "::1" : "127.0.0.1";
}

static struct rdma_cm_id *new_id(struct rdma_event_channel *ch)
{
	struct rdma_cm_id *id;

	CHECK_OK(rdma_create_id(ch, &id, NULL, RDMA_PS_TCP));
	return id;
}

/* --- TCP in its plain form -------------------------------------------------- */

static int tcp_socket(void)
{
	int fd = socket(is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	struct timeval tv = { 3, 0 };

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static socklen_t sa_len(void)
{
	return is_v6() ? sizeof(struct sockaddr_in6) :
			 sizeof(struct sockaddr_in);
}

static int tcp_listen(const char *addr, uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = tcp_socket();

	CHECK_OK(bind(fd, sa_parse(addr, *port, &ss), sa_len()));
	CHECK_OK(listen(fd, 8));
	CHECK_OK(getsockname(fd, (struct sockaddr *)&ss, &len));
	*port = ntohs(is_v6() ? ((struct sockaddr_in6 *)&ss)->sin6_port :
				((struct sockaddr_in *)&ss)->sin_port);
	return fd;
}

static int tcp_connect(const char *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	int fd = tcp_socket();

	CHECK_OK(connect(fd, sa_parse(addr, port, &ss), sa_len()));
	return fd;
}

/* --- set-up ------------------------------------------------------------------ */

static void check_peer_addr(struct rdma_cm_id *id, const char *want)
{
	struct sockaddr *sa = rdma_get_peer_addr(id);
	char text[INET6_ADDRSTRLEN];
	const void *a = &((struct sockaddr_in *)sa)->sin_addr;

	if (sa->sa_family == AF_INET6)
		a = &((struct sockaddr_in6 *)sa)->sin6_addr;
	inet_ntop(sa->sa_family, a, text, sizeof(text));
	if (strcmp(text, want))
		FAIL("peer is %s, not %s", text, want);
}

static void basic(const void *arg)
{
	struct rig r;

	rig_connect(&r);
	CHECK(r.creq.id != r.lid);
	check_peer_addr(r.s.id, host_addr(CLI));
	check_peer_addr(r.c.id, host_addr(SRV));
	CHECK_EQ(ntohs(rdma_get_dst_port(r.c.id)), r.port);
	CHECK_EQ(rdma_get_src_port(r.c.id), rdma_get_dst_port(r.s.id));
	CHECK(!strcmp(dev_of(r.c.id), "siw2"));
	CHECK(!strcmp(dev_of(r.s.id), "siw1"));
	CHECK_EQ(r.creq.pdlen, 0);
	rig_ping(&r);
	rig_close(&r);
}

static void pdata_size(unsigned int len)
{
	uint8_t a[256], b[256];
	struct ep_attr ca = { .pd = a, .pdlen = len };
	struct ep_attr sa = { .pd = b, .pdlen = len };
	unsigned int i;
	struct rig r;

	for (i = 0; i < 256; i++) {
		a[i] = i + 1;
		b[i] = 255 - i;
	}
	note("%u octets", len);
	rig_connect_attr(&r, &ca, &sa);
	CHECK_EQ(r.creq.pdlen, len);
	CHECK(!memcmp(r.creq.pd, a, len));
	CHECK_EQ(r.cest.pdlen, len);
	CHECK(!memcmp(r.cest.pd, b, len));
	rig_ping(&r);
	rig_close(&r);
}

static void pdata(const void *arg)
{
	static const unsigned int lens[] = { 1, 2, 3, 17, 56, 128, 196, 251 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lens); i++)
		pdata_size(lens[i]);
}

/* All that rdma_cm's one-octet length can express fits an MPA frame. */
static void pdata_max(const void *arg)
{
	pdata_size(255);
}

static void depths(const void *arg)
{
	struct ep_attr ca = { .depth_set = true, .ird = 5, .ord = 3 };
	struct ep_attr sa = { .depth_set = true, .ird = 4, .ord = 2 };
	struct rig r;

	rig_connect_attr(&r, &ca, &sa);
	/* What the server may issue is what the client serves, and back. */
	note("request: may issue %u, must serve %u", r.creq.ord, r.creq.ird);
	CHECK_EQ(r.creq.ord, 5);
	CHECK_EQ(r.creq.ird, 3);
	note("reply: may issue %u, must serve %u", r.cest.ord, r.cest.ird);
	CHECK_EQ(r.cest.ord, 4);
	CHECK_EQ(r.cest.ird, 2);
	rig_close(&r);
}

/* A server that hands the event's depths to accept ends up matched. */
static void depths_copied(const void *arg)
{
	struct ep_attr ca = { .depth_set = true, .ird = 7, .ord = 2 };
	struct ep_attr sa = { .depth_set = true };
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;
	struct rig r = { 0 };

	r.s.host = SRV;
	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
	ep_make_qp(&r.c, &ca);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	sa.ird = r.creq.ird;
	sa.ord = r.creq.ord;
	ep_accept(&r.s, r.creq.id, &sa);
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	CHECK_OK(ibv_query_qp(r.s.qp, &a, IBV_QP_MAX_QP_RD_ATOMIC |
			      IBV_QP_MAX_DEST_RD_ATOMIC, &ia));
	CHECK_EQ(a.max_rd_atomic, 7);
	CHECK(a.max_dest_rd_atomic >= 2);
	rig_close(&r);
}

static void source_bound(const void *arg)
{
	struct sockaddr_storage s1, s2;
	struct rig r = { 0 };

	listen_on(&r, SRV, any_addr(), 0, 4);
	ns_enter(CLI);
	r.c.ch = cm_channel();
	r.c.id = new_id(r.c.ch);
	CHECK_OK(rdma_resolve_addr(r.c.id, sa_parse(host_addr(CLI), 0, &s1),
				   sa_parse(host_addr(SRV), r.port, &s2),
				   WAIT_MS));
	cm_expect(r.c.ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(r.c.id, WAIT_MS));
	cm_expect(r.c.ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
	r.c.host = CLI;
	ep_make_qp(&r.c, NULL);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	check_peer_addr(r.creq.id, host_addr(CLI));
	CHECK_OK(rdma_reject(r.creq.id, NULL, 0));
	cm_expect(r.c.ch, RDMA_CM_EVENT_REJECTED, WAIT_MS);
}

/* --- refusals -------------------------------------------------------------- */

static void half_open(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->s.host = SRV;
	listen_on(r, SRV, host_addr(SRV), 0, 16);
	ep_resolve(&r->c, CLI, host_addr(SRV), r->port);
	ep_make_qp(&r->c, NULL);
	ep_connect(&r->c);
	r->creq = cm_expect(r->lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
}

static void reject(const void *arg)
{
	static const unsigned int lens[] = { 0, 1, 56, 196, 251 };
	struct cmev ev;
	uint8_t b[256];
	struct rig r;
	size_t i;

	for (i = 0; i < 256; i++)
		b[i] = i * 3 + 1;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		half_open(&r);
		CHECK_OK(rdma_reject(r.creq.id, b, lens[i]));
		ev = cm_expect(r.c.ch, RDMA_CM_EVENT_REJECTED, WAIT_MS);
		CHECK(ev.status);
		CHECK_EQ(ev.pdlen, lens[i]);
		CHECK(!memcmp(ev.pd, b, lens[i]));
		CHECK_OK(rdma_destroy_id(r.creq.id));
		rig_close(&r);
	}
}

static void request_dropped(const void *arg)
{
	struct rig r;

	half_open(&r);
	CHECK_OK(rdma_destroy_id(r.creq.id));
	cm_expect(r.c.ch, RDMA_CM_EVENT_REJECTED, TOLD_MS);
	rig_close(&r);
}

static void listener_gone(const void *arg)
{
	struct ep c[4];
	struct rig r = { 0 };
	size_t i;

	listen_on(&r, SRV, host_addr(SRV), 0, 16);
	memset(c, 0, sizeof(c));
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		ep_resolve(&c[i], CLI, host_addr(SRV), r.port);
		ep_make_qp(&c[i], NULL);
		ep_connect(&c[i]);
	}
	sleep_ms(100);
	CHECK_OK(rdma_destroy_id(r.lid));
	for (i = 0; i < ARRAY_SIZE(c); i++) {
		cm_expect(c[i].ch, RDMA_CM_EVENT_REJECTED, TOLD_MS);
		ep_close(&c[i]);
	}
	rdma_destroy_event_channel(r.lch);
}

static void client_gone(const void *arg)
{
	struct rdma_conn_param p = { 0 };
	struct cmev ev;
	struct rig r;
	int i;

	for (i = 0; i < 2; i++) {
		half_open(&r);
		ep_close(&r.c);
		sleep_ms(i * 200);
		r.s.id = r.creq.id;
		r.s.ch = cm_channel();
		CHECK_OK(rdma_migrate_id(r.s.id, r.s.ch));
		ep_make_qp(&r.s, NULL);
		if (!rdma_accept(r.s.id, &p)) {
			while (cm_wait(r.s.ch, &ev, TOLD_MS)) {
				note("event %s", rdma_event_str(ev.type));
				if (ev.type != RDMA_CM_EVENT_ESTABLISHED)
					break;
			}
			CHECK(ev.type != RDMA_CM_EVENT_ESTABLISHED);
		}
		rig_close(&r);
	}
}

static void closed_port(const void *arg)
{
	struct cmev ev;
	struct ep e = { 0 };

	ep_resolve(&e, CLI, host_addr(SRV), 9);
	ep_make_qp(&e, NULL);
	ep_connect(&e);
	ev = cm_expect(e.ch, RDMA_CM_EVENT_REJECTED, TOLD_MS);
	CHECK_EQ(ev.status, -ECONNREFUSED);
	ep_close(&e);
}

static void no_host(const void *arg)
{
	struct rdma_event_channel *ch;
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;
	struct cmev ev;

	ns_enter(CLI);
	ch = cm_channel();
	id = new_id(ch);
	CHECK_OK(rdma_resolve_addr(id, NULL,
				   sa_parse(is_v6() ? "fd00::77" :
					    "10.0.0.77", 5000, &ss), 1000));
	ev = cm_expect(ch, RDMA_CM_EVENT_ADDR_ERROR, WAIT_MS);
	CHECK(ev.status);
	CHECK_OK(rdma_destroy_id(id));
	id = new_id(ch);
	if (!rdma_resolve_addr(id, NULL,
			       sa_parse(is_v6() ? "2001:db8::1" : "192.0.2.1",
					5000, &ss), 1000))
		cm_expect(ch, RDMA_CM_EVENT_ADDR_ERROR, WAIT_MS);
	CHECK_OK(rdma_destroy_id(id));
	rdma_destroy_event_channel(ch);
}

/* --- a peer that is no RDMA program ------------------------------------------ */

static bool setup_failed(struct rdma_event_channel *ch, int ms)
{
	struct cmev ev;

	if (!cm_wait(ch, &ev, ms))
		return false;
	note("event %s status %d", rdma_event_str(ev.type), ev.status);
	return ev.type == RDMA_CM_EVENT_REJECTED ||
	       ev.type == RDMA_CM_EVENT_UNREACHABLE ||
	       ev.type == RDMA_CM_EVENT_CONNECT_ERROR;
}

/* The server end of plain TCP: silent, closing, or talking nonsense. */
static void to_tcp(const void *arg)
{
	char junk[600];
	uint16_t port;
	uint64_t t;
	int lfd, fd, i;

	memset(junk, 'x', sizeof(junk));
	for (i = 0; i < 3; i++) {
		struct ep e = { 0 };

		port = 0;
		ns_enter(SRV);
		lfd = tcp_listen(host_addr(SRV), &port);
		ep_resolve(&e, CLI, host_addr(SRV), port);
		ep_make_qp(&e, NULL);
		ep_connect(&e);
		fd = accept(lfd, NULL, NULL);
		CHECK(fd >= 0);
		CHECK(recv(fd, junk, 16, 0) == 16);
		CHECK(!memcmp(junk, "MPA ID Req Frame", 16));
		memset(junk, 'x', 16);
		if (i == 0) {
			CHECK(!setup_failed(e.ch, 200));
		} else {
			if (i == 1)
				CHECK(send(fd, junk, 600, 0) == 600);
			close(lfd);
			close(fd);
			CHECK(setup_failed(e.ch, TOLD_MS));
		}
		t = now_ms();
		ep_close(&e);
		CHECK(now_ms() - t < 2000);
		if (i == 0) {
			close(fd);
			close(lfd);
		}
	}
}

/* The client end of plain TCP: it never reaches the application. */
static void from_tcp(const void *arg)
{
	char junk[600];
	int fd[20], i;
	struct rig r = { 0 };
	struct cmev ev;
	ssize_t n;

	memset(junk, 'x', sizeof(junk));
	listen_on(&r, SRV, host_addr(SRV), 0, 16);
	ns_enter(CLI);
	for (i = 0; i < 20; i++)
		fd[i] = tcp_connect(host_addr(SRV), r.port);
	CHECK(send(fd[0], junk, 600, MSG_NOSIGNAL) == 600);
	n = recv(fd[0], junk, sizeof(junk), 0);
	if (n > 0 || (n < 0 && errno != ECONNRESET))
		FAIL("nonsense was answered (%zd, errno %d)", n, errno);
	CHECK(!cm_wait(r.lch, &ev, 50));
	/* 19 silent clients later a real one is served. */
	ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
	ep_make_qp(&r.c, NULL);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r.s, r.creq.id, NULL);
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	for (i = 0; i < 20; i++)
		close(fd[i]);
	rig_ping(&r);
	rig_close(&r);
}

/* --- disconnecting --------------------------------------------------------- */

enum bye { BYE_CLIENT, BYE_SERVER, BYE_BOTH, BYE_QP_C, BYE_QP_S, BYE_ID_C,
	   BYE_ID_S, BYE_ERR };

static void drop_id(struct ep *e)
{
	rdma_destroy_qp(e->id);
	e->qp = NULL;
	CHECK_OK(rdma_destroy_id(e->id));
	e->id = NULL;
}

static void disconnect(const void *arg)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_ERR };
	bool told_c = true, told_s = true;
	enum bye how = *(const enum bye *)arg;
	struct rig r;
	int i;

	for (i = 0; i < 3; i++) {
		rig_connect(&r);
		if (i)
			rig_ping(&r);
		if (how == BYE_CLIENT || how == BYE_BOTH)
			CHECK_OK(rdma_disconnect(r.c.id));
		/* The server's call may come when the end is known already. */
		if (how == BYE_SERVER)
			CHECK_OK(rdma_disconnect(r.s.id));
		if (how == BYE_BOTH && rdma_disconnect(r.s.id))
			CHECK_EQ(errno, EINVAL);
		if (how == BYE_ERR)
			CHECK_OK(ibv_modify_qp(r.c.qp, &a, IBV_QP_STATE));
		if (how == BYE_QP_C) {
			rdma_destroy_qp(r.c.id);
			r.c.qp = NULL;
		}
		if (how == BYE_QP_S) {
			rdma_destroy_qp(r.s.id);
			r.s.qp = NULL;
		}
		if (how == BYE_ID_C) {
			drop_id(&r.c);
			told_c = false;
		}
		if (how == BYE_ID_S) {
			drop_id(&r.s);
			told_s = false;
		}
		if (told_c && !cm_wait_end(r.c.ch, TOLD_MS))
			FAIL("client is not told");
		if (told_s && !cm_wait_end(r.s.ch, TOLD_MS))
			FAIL("server is not told");
		rig_close(&r);
	}
}

static const enum bye bye_client = BYE_CLIENT, bye_server = BYE_SERVER,
	bye_both = BYE_BOTH, bye_qp_c = BYE_QP_C, bye_qp_s = BYE_QP_S,
	bye_id_c = BYE_ID_C, bye_id_s = BYE_ID_S, bye_err = BYE_ERR;

/* A process that just ends. */
static void disconnect_exit(const void *arg)
{
	struct rig r = { 0 };
	pid_t pid;
	int how;

	for (how = 0; how < 2; how++) {
		memset(&r, 0, sizeof(r));
		r.s.host = SRV;
		listen_on(&r, SRV, host_addr(SRV), 0, 4);
		pid = fork();
		if (!pid) {
			ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
			ep_make_qp(&r.c, NULL);
			ep_connect(&r.c);
			cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
			if (how)
				pause();
			_exit(0);
		}
		r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST,
				   WAIT_MS);
		ep_accept(&r.s, r.creq.id, NULL);
		cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
		if (how)
			kill(pid, SIGKILL);
		CHECK(cm_wait_end(r.s.ch, 2 * TOLD_MS));
		waitpid(pid, NULL, 0);
		rig_close(&r);
	}
}

/* A close in order delivers what was sent before it. */
static void deliver_then_disconnect(const void *arg)
{
	struct ibv_sge ls, rs;
	struct op o = { .opcode = IBV_WR_SEND, .sge = &ls, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct buf a, b;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 30000, 0, 0);
	buf_new(&b, r.s.pd, 8 * 30000, 0, RW_ACCESS);
	buf_fill(&a, 5);
	buf_clear(&b);
	for (i = 0; i < 8; i++) {
		rs = buf_sge(&b, i * 30000, 30000);
		post_recv(&r.s, i, &rs, 1);
	}
	ls = buf_sge(&a, 0, 30000);
	for (i = 0; i < 8; i++) {
		o.id = i;
		post_op(&r.c, &o);
	}
	for (i = 0; i < 8; i++)
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	CHECK_OK(rdma_disconnect(r.c.id));
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	for (i = 0; i < 8; i++) {
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		buf_check(&b, i * 30000, 30000, 5, 0);
	}
	rig_close(&r);
}

/* --- many ------------------------------------------------------------------ */

#define MANY	100

/**
 * struct hub - many connections over one channel a side
 * @r: listener
 * @cch: channel of all clients
 * @pd: a PD a side, made with the first connection
 * @cq: a CQ a side
 * @id: identifiers a side
 * @n: how many of them
 * @up: connections up, a side
 * @down: connections down again, a side
 * @failed: clients that were refused
 */
struct hub {
	struct rig r;
	struct rdma_event_channel *cch;
	struct ibv_pd *pd[2];
	struct ibv_cq *cq[2];
	struct rdma_cm_id *id[2][MANY];
	int n[2];
	int up[2];
	int down[2];
	int failed;
};

static void hub_qp(struct hub *h, enum host s, struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};

	if (!h->pd[s]) {
		h->pd[s] = ibv_alloc_pd(id->verbs);
		h->cq[s] = ibv_create_cq(id->verbs, 1024, NULL, NULL, 0);
		CHECK(h->pd[s] && h->cq[s]);
	}
	ia.send_cq = h->cq[s];
	ia.recv_cq = h->cq[s];
	CHECK_OK(rdma_create_qp(id, h->pd[s], &ia));
}

static void hub_start(struct hub *h)
{
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;

	ns_enter(CLI);
	id = new_id(h->cch);
	h->id[CLI][h->n[CLI]++] = id;
	CHECK_OK(rdma_resolve_addr(id, NULL, sa_parse(host_addr(SRV),
						      h->r.port, &ss),
				   WAIT_MS));
}

static void hub_event(struct hub *h, enum host s, const struct cmev *ev)
{
	struct rdma_conn_param p = { .initiator_depth = 1,
				     .responder_resources = 1 };

	ns_enter(s);
	switch (ev->type) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		CHECK_OK(rdma_resolve_route(ev->id, WAIT_MS));
		break;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		hub_qp(h, s, ev->id);
		CHECK_OK(rdma_connect(ev->id, &p));
		break;
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		CHECK(h->n[s] < MANY);
		h->id[s][h->n[s]++] = ev->id;
		hub_qp(h, s, ev->id);
		CHECK_OK(rdma_accept(ev->id, &p));
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		h->up[s]++;
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		h->down[s]++;
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		break;
	default:
		if (s != CLI)
			FAIL("event %s status %d", rdma_event_str(ev->type),
			     ev->status);
		h->failed++;
	}
}

/* Serve events till both counters of a pair reach a value. */
static void hub_until(struct hub *h, int *pair, int n)
{
	struct pollfd p[2] = {
		{ .fd = h->r.lch->fd, .events = POLLIN },
		{ .fd = h->cch->fd, .events = POLLIN },
	};
	uint64_t end = now_ms() + 20000;
	struct cmev ev;

	while (pair[SRV] < n || pair[CLI] < n) {
		if (h->failed)
			FAIL("%d connections refused", h->failed);
		if (now_ms() > end)
			FAIL("%d and %d of %d", pair[SRV], pair[CLI], n);
		poll(p, 2, 1000);
		if (cm_wait(h->r.lch, &ev, 0))
			hub_event(h, SRV, &ev);
		if (cm_wait(h->cch, &ev, 0))
			hub_event(h, CLI, &ev);
	}
}

static void hub_drop(struct hub *h)
{
	int s, i;

	for (s = 0; s < 2; s++) {
		ns_enter(s);
		for (i = 0; i < h->n[s]; i++) {
			rdma_destroy_qp(h->id[s][i]);
			CHECK_OK(rdma_destroy_id(h->id[s][i]));
		}
		h->n[s] = 0;
	}
}

static struct hub *hub_new(int backlog)
{
	struct hub *h = calloc(1, sizeof(*h));

	CHECK(h);
	listen_on(&h->r, SRV, host_addr(SRV), 0, backlog);
	ns_enter(CLI);
	h->cch = cm_channel();
	return h;
}

static void loop(const void *arg)
{
	const char *e = getenv("CM_LOOPS");
	int i, loops = e ? atoi(e) : 1000;
	struct hub *h = hub_new(16);
	uint64_t t = now_ms();

	for (i = 1; i <= loops; i++) {
		hub_start(h);
		hub_until(h, h->up, i);
		CHECK_OK(rdma_disconnect(h->id[i & 1][0]));
		hub_until(h, h->down, i);
		hub_drop(h);
	}
	note("%d connections, %llu us each", loops,
	     (unsigned long long)(now_ms() - t) * 1000 / loops);
}

static void many(const void *arg)
{
	enum host ends = *(const enum host *)arg;
	struct hub *h = hub_new(MANY);
	int i;

	for (i = 0; i < MANY; i++)
		hub_start(h);
	hub_until(h, h->up, MANY);
	for (i = 0; i < MANY; i++)
		CHECK_OK(rdma_disconnect(h->id[ends][i]));
	hub_until(h, h->down, MANY);
	hub_drop(h);
}

static void many_dropped(const void *arg)
{
	struct hub *h = hub_new(MANY);
	int i;

	for (i = 0; i < MANY; i++)
		hub_start(h);
	hub_until(h, h->up, MANY);
	hub_drop(h);
}

/* Beyond the backlog clients are refused or wait, but each gets a verdict. */
static void backlog(const void *arg)
{
	struct hub *h = hub_new(3);
	uint64_t end = now_ms() + 15000;
	struct cmev ev;
	int i;

	for (i = 0; i < 12; i++)
		hub_start(h);
	while (now_ms() < end && cm_wait(h->cch, &ev, 500))
		hub_event(h, CLI, &ev);
	while (h->up[CLI] + h->failed < 12 && now_ms() < end) {
		if (cm_wait(h->r.lch, &ev, 20))
			hub_event(h, SRV, &ev);
		if (cm_wait(h->cch, &ev, 20))
			hub_event(h, CLI, &ev);
	}
	note("%d connected, %d refused", h->up[CLI], h->failed);
	CHECK_EQ(h->up[CLI] + h->failed, 12);
	CHECK(h->up[CLI] >= 3);
}

/* --- listening --------------------------------------------------------------- */

static void listen_busy(const void *arg)
{
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;
	struct rig r = { 0 };
	int err;

	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	id = new_id(r.lch);
	err = rdma_bind_addr(id, sa_parse(host_addr(SRV), r.port, &ss));
	if (!err)
		err = rdma_listen(id, 4);
	CHECK(err && errno == EADDRINUSE);
	CHECK_OK(rdma_destroy_id(id));
	CHECK_OK(rdma_destroy_id(r.lid));
	rdma_destroy_event_channel(r.lch);
	listen_on(&r, SRV, host_addr(SRV), r.port, 4);
}

/* Connections and host TCP share a port space. */
static void listen_tcp_port(const void *arg)
{
	struct sockaddr_storage ss;
	struct rdma_event_channel *ch;
	struct rdma_cm_id *id;
	uint16_t port = 0;
	int err;

	ns_enter(SRV);
	CHECK(tcp_listen(host_addr(SRV), &port) >= 0);
	ch = cm_channel();
	id = new_id(ch);
	err = rdma_bind_addr(id, sa_parse(host_addr(SRV), port, &ss));
	if (!err)
		err = rdma_listen(id, 4);
	CHECK(err && errno == EADDRINUSE);
	CHECK_OK(rdma_destroy_id(id));
}

/* The server closes first, so its address is the one in TIME_WAIT. */
static void restart(const void *arg)
{
	struct rig r;
	uint16_t port = 0;
	int i;

	for (i = 0; i < 5; i++) {
		memset(&r, 0, sizeof(r));
		r.s.host = SRV;
		listen_on(&r, SRV, i & 1 ? any_addr() : host_addr(SRV), port,
			  4);
		port = r.port;
		ep_resolve(&r.c, CLI, host_addr(SRV), port);
		ep_make_qp(&r.c, NULL);
		ep_connect(&r.c);
		r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST,
				   WAIT_MS);
		ep_accept(&r.s, r.creq.id, NULL);
		cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
		cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
		CHECK_OK(rdma_disconnect(r.s.id));
		CHECK(cm_wait_end(r.c.ch, TOLD_MS));
		ep_close(&r.s);
		CHECK_OK(rdma_destroy_id(r.lid));
		rdma_destroy_event_channel(r.lch);
		ep_close(&r.c);
	}
}

static void listen_many(const void *arg)
{
	struct rig r[50] = { 0 };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(r); i++) {
		listen_on(&r[i], SRV, i & 1 ? any_addr() : host_addr(SRV), 0,
			  4);
		for (j = 0; j < i; j++)
			CHECK(r[i].port != r[j].port);
	}
	for (i = 0; i < ARRAY_SIZE(r); i++)
		CHECK_OK(rdma_destroy_id(r[i].lid));
}

static void bind_foreign(const void *arg)
{
	struct sockaddr_storage ss;
	struct rdma_event_channel *ch;
	struct rdma_cm_id *id;

	ns_enter(SRV);
	ch = cm_channel();
	id = new_id(ch);
	CHECK(rdma_bind_addr(id, sa_parse(is_v6() ? "2001:db8::9" :
					  "192.0.2.9", 0, &ss)));
	note("errno %s", strerror(errno));
	CHECK(errno == EADDRNOTAVAIL || errno == ENODEV);
	CHECK_OK(rdma_destroy_id(id));
}

static void state_errors(const void *arg)
{
	struct rdma_conn_param p = { 0 };
	struct rig r;

	rig_connect(&r);
	CHECK(rdma_connect(r.c.id, &p) && errno == EINVAL);
	CHECK(rdma_accept(r.s.id, &p) && errno == EINVAL);
	CHECK(rdma_listen(r.c.id, 1) && errno == EINVAL);
	CHECK(rdma_resolve_route(r.c.id, 100) && errno == EINVAL);
	CHECK(rdma_connect(r.lid, &p) && errno == EINVAL);
	CHECK(rdma_reject(r.lid, NULL, 0) && errno == EINVAL);
	rig_ping(&r);
	rig_close(&r);
}

#define PORT_RANGE	"/proc/sys/net/ipv4/ip_local_port_range"

static void put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* In a namespace with few ports, all in use by TCP, a connection succeeds. */
static void few_ports(void)
{
	struct sockaddr_storage ss;
	uint16_t tcp_port = 0;
	struct rig r;
	int i, fd;

	ns_enter(SRV);
	CHECK(tcp_listen(host_addr(SRV), &tcp_port) >= 0);
	ns_enter(CLI);
	put_text(PORT_RANGE, "62000 62003");
	for (i = 0; i < 4; i++) {
		fd = tcp_socket();
		CHECK_OK(bind(fd, sa_parse(host_addr(CLI), 62000 + i, &ss),
			      sa_len()));
		CHECK_OK(connect(fd, sa_parse(host_addr(SRV), tcp_port, &ss),
				 sa_len()));
	}
	for (i = 0; i < 2; i++) {
		rig_connect(&r);
		rig_ping(&r);
		rig_close(&r);
	}
}

static void port_taken(const void *arg)
{
	char old[64];
	int status;
	ssize_t n;
	pid_t pid;
	int fd;

	ns_enter(CLI);
	fd = open(PORT_RANGE, O_RDONLY);
	n = read(fd, old, sizeof(old) - 1);
	CHECK(n > 0);
	old[n] = 0;
	pid = fork();
	if (!pid) {
		few_ports();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	ns_enter(CLI);
	put_text(PORT_RANGE, old);
	CHECK_EQ(status, 0);
}

/* --- options ------------------------------------------------------------- */

static int sniff(enum host h)
{
	int fd;

	ns_enter(h);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL));
	CHECK(fd >= 0);
	return fd;
}

/* Count TCP packets from a port with and without a traffic class. */
static void count_tos(int fd, uint16_t port, uint8_t tos, int *with,
		      int *without)
{
	uint8_t pkt[2048];
	uint8_t got, proto;
	const uint8_t *tcp;
	ssize_t n;

	*with = 0;
	*without = 0;
	while ((n = recv(fd, pkt, sizeof(pkt), 0)) >= 40) {
		if (pkt[0] >> 4 == 4) {
			got = pkt[1];
			proto = pkt[9];
			tcp = pkt + (pkt[0] & 15) * 4;
		} else {
			got = (pkt[0] & 15) << 4 | pkt[1] >> 4;
			proto = pkt[6];
			tcp = pkt + 40;
		}
		if (proto != IPPROTO_TCP || (tcp[0] << 8 | tcp[1]) != port)
			continue;
		if (got == tos)
			++*with;
		else
			++*without;
	}
}

/* The client's option is on its own packets from the first SYN on. */
static void tos(const void *arg)
{
	uint8_t want = 0x68;
	struct sockaddr_storage ss;
	struct rig r = { 0 };
	int fd, with, without;
	uint16_t port;

	fd = sniff(SRV);
	r.s.host = SRV;
	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	ns_enter(CLI);
	r.c.host = CLI;
	r.c.ch = cm_channel();
	r.c.id = new_id(r.c.ch);
	CHECK_OK(rdma_set_option(r.c.id, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS,
				 &want, 1));
	CHECK_OK(rdma_resolve_addr(r.c.id, NULL,
				   sa_parse(host_addr(SRV), r.port, &ss),
				   WAIT_MS));
	cm_expect(r.c.ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(r.c.id, WAIT_MS));
	cm_expect(r.c.ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
	ep_make_qp(&r.c, NULL);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r.s, r.creq.id, NULL);
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	rig_ping(&r);
	port = ntohs(rdma_get_src_port(r.c.id));
	count_tos(fd, port, want, &with, &without);
	note("%d packets with the option, %d without", with, without);
	CHECK(with >= 3);
	CHECK_EQ(without, 0);
	rig_close(&r);
}

static bool can_connect(const char *addr, uint16_t port,
			struct rdma_event_channel *lch)
{
	struct ep e = { 0 };
	struct cmev ev;
	bool ok;

	ep_resolve(&e, CLI, addr, port);
	ep_make_qp(&e, NULL);
	ep_connect(&e);
	ok = cm_wait(lch, &ev, 700) && ev.type == RDMA_CM_EVENT_CONNECT_REQUEST;
	if (ok) {
		CHECK_OK(rdma_reject(ev.id, NULL, 0));
		CHECK_OK(rdma_destroy_id(ev.id));
	}
	cm_expect(e.ch, RDMA_CM_EVENT_REJECTED, TOLD_MS);
	ep_close(&e);
	return ok;
}

static struct rdma_cm_id *listen_v6(struct rdma_event_channel *ch, int only,
				    uint16_t port)
{
	struct sockaddr_storage ss;
	struct rdma_cm_id *id = new_id(ch);

	CHECK_OK(rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_AFONLY,
				 &only, sizeof(only)));
	CHECK_OK(rdma_bind_addr(id, sa_parse("::", port, &ss)));
	CHECK_OK(rdma_listen(id, 4));
	return id;
}

static void afonly(const void *arg)
{
	struct sockaddr_storage ss;
	struct rdma_event_channel *ch, *ch4;
	struct rdma_cm_id *id, *id4;
	uint16_t port;

	ns_enter(SRV);
	ch = cm_channel();
	id = listen_v6(ch, 0, 0);
	port = ntohs(rdma_get_src_port(id));
	if (!can_connect("10.0.0.1", port, ch))
		FAIL(":: does not take IPv4");
	if (!can_connect("fd00::1", port, ch))
		FAIL(":: does not take IPv6");
	ns_enter(SRV);
	CHECK_OK(rdma_destroy_id(id));

	id = listen_v6(ch, 1, port);
	if (can_connect("10.0.0.1", port, ch))
		FAIL(":: for IPv6 only takes IPv4");
	if (!can_connect("fd00::1", port, ch))
		FAIL(":: for IPv6 only does not take IPv6");
	ns_enter(SRV);
	ch4 = cm_channel();
	id4 = new_id(ch4);
	CHECK_OK(rdma_bind_addr(id4, sa_parse("0.0.0.0", port, &ss)));
	CHECK_OK(rdma_listen(id4, 4));
	CHECK(can_connect("10.0.0.1", port, ch4));
	CHECK(can_connect("fd00::1", port, ch));
}

static void connect_from(struct ep *e, uint16_t *src, uint16_t dst)
{
	struct sockaddr_storage s1, s2;
	int on = 1;

	ns_enter(CLI);
	e->host = CLI;
	e->ch = cm_channel();
	e->id = new_id(e->ch);
	CHECK_OK(rdma_set_option(e->id, RDMA_OPTION_ID,
				 RDMA_OPTION_ID_REUSEADDR, &on, sizeof(on)));
	CHECK_OK(rdma_bind_addr(e->id, sa_parse(host_addr(CLI), *src, &s1)));
	*src = ntohs(rdma_get_src_port(e->id));
	CHECK_OK(rdma_resolve_addr(e->id, NULL,
				   sa_parse(host_addr(SRV), dst, &s2),
				   WAIT_MS));
	cm_expect(e->ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(e->id, WAIT_MS));
	cm_expect(e->ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
	ep_make_qp(e, NULL);
	ep_connect(e);
}

/* Two clients of one address and port, which differ in their servers. */
static void reuseaddr(const void *arg)
{
	struct rig r[2] = { 0 };
	uint16_t src = 0;
	int i;

	for (i = 0; i < 2; i++) {
		r[i].s.host = SRV;
		listen_on(&r[i], SRV, host_addr(SRV), 0, 4);
		connect_from(&r[i].c, &src, r[i].port);
		r[i].creq = cm_expect(r[i].lch, RDMA_CM_EVENT_CONNECT_REQUEST,
				      WAIT_MS);
		CHECK_EQ(ntohs(rdma_get_dst_port(r[i].creq.id)), src);
		ep_accept(&r[i].s, r[i].creq.id, NULL);
		cm_expect(r[i].c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
		cm_expect(r[i].s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	}
	rig_ping(&r[0]);
	rig_ping(&r[1]);
	rig_close(&r[0]);
	rig_close(&r[1]);
}

/* --- who speaks first --------------------------------------------------------- */

/**
 * speak() - a server's message that meets a client still in its set-up
 * @early: post as soon as accept returned, else at the established event
 * @len: octets of private data in the reply
 */
static void speak(bool early, unsigned int len)
{
	static uint8_t pd[256];
	struct ep_attr sa = { .pd = pd, .pdlen = len };
	struct op o = { .id = 1, .opcode = IBV_WR_SEND, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_sge ls, rs;
	struct buf a, b;
	struct rig r = { 0 };

	r.s.host = SRV;
	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
	ep_make_qp(&r.c, NULL);
	buf_new(&b, r.c.pd, 9000, 0, IBV_ACCESS_LOCAL_WRITE);
	rs = buf_sge(&b, 0, 9000);
	post_recv(&r.c, 2, &rs, 1);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r.s, r.creq.id, &sa);
	if (!early)
		cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	buf_new(&a, r.s.pd, 9000, 0, 0);
	buf_fill(&a, 5);
	ls = buf_sge(&a, 0, 9000);
	o.sge = &ls;
	if (early) {
		while (try_op(&r.s, &o))
			sleep_ms(1);
	} else {
		post_op(&r.s, &o);
	}
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	wc_expect(r.s.scq, 1, IBV_WC_SUCCESS);
	wc_expect(r.c.rcq, 2, IBV_WC_SUCCESS);
	buf_check(&b, 0, 9000, 5, 0);
	buf_free(&a);
	buf_free(&b);
	rig_ping(&r);
	rig_close(&r);
}

static void server_first(const void *arg)
{
	int i;

	for (i = 0; i < 10; i++)
		speak(false, i * 25);
}

static void server_early(const void *arg)
{
	int i;

	if (stock_provider())
		skip_case("libsiw keeps a refused request in its ring");
	for (i = 0; i < 10; i++)
		speak(true, i * 25);
}

/* --- one host, several devices ------------------------------------------------- */

static void self(const void *arg)
{
	const char *addr = arg ? host_addr(SRV) : loop_addr();
	struct rig r;

	rig_connect_to(&r, SRV, addr, NULL, NULL);
	note("client on %s, server on %s", dev_of(r.c.id), dev_of(r.s.id));
	rig_ping(&r);
	rig_ping(&r);
	CHECK_OK(rdma_disconnect(r.c.id));
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	rig_close(&r);
}

/* Listening on the wildcard, called by the loopback address. */
static void self_wild(const void *arg)
{
	struct rig r = { 0 };

	r.s.host = SRV;
	listen_on(&r, SRV, any_addr(), 0, 4);
	ep_resolve(&r.c, SRV, loop_addr(), r.port);
	ep_make_qp(&r.c, NULL);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r.s, r.creq.id, NULL);
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	rig_ping(&r);
	rig_close(&r);
}

static void connect_target(struct rig *r, const char *addr, const char *dev)
{
	memset(&r->c, 0, sizeof(r->c));
	memset(&r->s, 0, sizeof(r->s));
	ep_resolve(&r->c, CLI, addr, r->port);
	ep_make_qp(&r->c, NULL);
	ep_connect(&r->c);
	r->creq = cm_expect(r->lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	if (strcmp(dev_of(r->creq.id), dev))
		FAIL("connection to %s is on %s, not %s", addr,
		     dev_of(r->creq.id), dev);
	r->s.host = SRV;
	ep_accept(&r->s, r->creq.id, NULL);
	cm_expect(r->c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r->s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	rig_ping(r);
	ep_close(&r->c);
	ep_close(&r->s);
}

/* RIG_TARGETS is a list of ADDRESS=DEVICE of the server's host. */
static int targets(char *addr[8], char *dev[8])
{
	char *list = getenv("RIG_TARGETS"), *tok;
	int n = 0;

	if (!list)
		skip_case("RIG_TARGETS is not set");
	list = strdup(list);
	for (tok = strtok(list, " "); tok && n < 8; tok = strtok(NULL, " ")) {
		addr[n] = tok;
		dev[n] = strchr(tok, '=') + 1;
		dev[n++][-1] = 0;
	}
	return n;
}

static void owner_wild(const void *arg)
{
	char *addr[8], *dev[8];
	int i, k, n = targets(addr, dev);
	struct rig r = { 0 };

	listen_on(&r, SRV, any_addr(), 0, 16);
	for (k = 0; k < 2; k++)
		for (i = 0; i < n; i++)
			connect_target(&r, addr[i], dev[i]);
	rig_close(&r);
}

/* One port, a listener for each address. */
static void owner_specific(const void *arg)
{
	char *addr[8], *dev[8];
	int i, n = targets(addr, dev);
	struct rig r[8] = { 0 };

	for (i = 0; i < n; i++)
		listen_on(&r[i], SRV, addr[i], i ? r[0].port : 0, 16);
	for (i = 0; i < n; i++)
		connect_target(&r[i], addr[i], dev[i]);
	for (i = 0; i < n; i++)
		rig_close(&r[i]);
}

/* --- binding while addresses come and go ---------------------------------------- */

/*
 * Up to 6.4 the core takes each GID out of its cache when it refreshes it and puts it
 * back, and drivers have no way to prevent that. A bind in between finds none, for as
 * long as the CPU that does it is kept from it.
 */
static bool gids_blink(void)
{
	unsigned long major, minor;
	struct utsname u;
	char *end;

	CHECK_OK(uname(&u));
	major = strtoul(u.release, &end, 10);
	CHECK(*end == '.');
	minor = strtoul(end + 1, NULL, 10);
	return major < 6 || (major == 6 && minor < 5);
}

static bool bind_works(struct rdma_event_channel *ch)
{
	struct rdma_cm_id *id = new_id(ch);
	struct sockaddr_storage ss;
	int err = 0;

	if (rdma_bind_addr(id, sa_parse(host_addr(SRV), 0, &ss)))
		err = errno;
	CHECK_OK(rdma_destroy_id(id));
	errno = err;
	return !err;
}

static void bind_loop(const void *arg)
{
	const char *e = getenv("BIND_MS");
	uint64_t end = now_ms() + (e ? atoi(e) : 2000), until;
	unsigned int n = 0, late = 0;
	struct rdma_event_channel *ch;

	ns_enter(SRV);
	ch = cm_channel();
	for (; now_ms() < end; n++) {
		if (bind_works(ch))
			continue;
		if (!gids_blink())
			FAIL("bind %u: %s", n, strerror(errno));
		late++;
		for (until = now_ms() + WAIT_MS; !bind_works(ch);)
			if (now_ms() > until)
				FAIL("bind %u: %s for good", n, strerror(errno));
	}
	note("%u binds, %u of them not at once", n, late);
	CHECK(n > 20);
	/* One miss a refresh, and there are far fewer of these than binds. */
	CHECK(late <= n / 200);
}

/* --- whose queue pair it is ------------------------------------------------------ */

#define NOBODY	65534

/* A user who connects with the number of another's queue pair. */
static void connect_as_nobody(const struct rig *r, uint32_t qpn)
{
	struct rdma_conn_param p = { .qp_num = qpn };
	struct rdma_event_channel *ch;
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;

	ns_enter(CLI);
	CHECK_OK(setresuid(NOBODY, NOBODY, NOBODY));
	ch = cm_channel();
	id = new_id(ch);
	CHECK_OK(rdma_resolve_addr(id, NULL, sa_parse(host_addr(SRV), r->port,
						      &ss), 2000));
	cm_expect(ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(id, 2000));
	cm_expect(ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
	errno = 0;
	CHECK(rdma_connect(id, &p));
	CHECK_EQ(errno, EINVAL);
}

static void foreign_qp(const void *arg)
{
	struct ep mine = { 0 };
	struct rig r = { 0 };
	struct cmev ev;
	int status;
	pid_t pid;

	listen_on(&r, SRV, host_addr(SRV), 0, 8);
	ep_resolve(&mine, CLI, host_addr(SRV), r.port);
	ep_make_qp(&mine, NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		connect_as_nobody(&r, mine.qp->qp_num);
		_exit(KSFT_PASS);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), KSFT_PASS);
	CHECK(!cm_wait(r.lch, &ev, 200));
	CHECK_EQ(ep_state(&mine), IBV_QPS_INIT);
	ep_close(&mine);
}

/**
 * struct destroyer - a thread that destroys a queue pair
 * @qp: the queue pair
 * @go: begin
 * @late: how much later, in turns of a loop
 */
struct destroyer {
	struct ibv_qp *qp;
	atomic_bool go;
	unsigned int late;
};

static void *destroy_late(void *arg)
{
	struct destroyer *d = arg;
	unsigned int i;

	while (!atomic_load(&d->go))
		;
	/* a load that the compiler must not leave out */
	for (i = 0; i < d->late; i++)
		atomic_load(&d->go);
	CHECK_OK(ibv_destroy_qp(d->qp));
	return NULL;
}

/* Destroys a queue pair just while somebody connects with its number. */
static void connect_destroyed(struct ep *e, struct ibv_qp_init_attr *ia,
			      unsigned int late, unsigned int *through)
{
	struct destroyer d = { .late = late };
	struct rdma_conn_param p = { 0 };
	struct timespec until;
	pthread_t t;

	d.qp = ibv_create_qp(e->pd, ia);
	CHECK(d.qp);
	p.qp_num = d.qp->qp_num;
	CHECK_OK(pthread_create(&t, NULL, destroy_late, &d));
	atomic_store(&d.go, true);
	*through += !rdma_connect(e->id, &p);
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &until));
	until.tv_sec += TOLD_MS / 1000;
	if (pthread_timedjoin_np(t, NULL, &until))
		FAIL("no end of destroying, begun %u turns late", late);
}

/*
 * A number is all that a connect names: its queue pair may go at any point of
 * it. The listener never answers, so that a connect not noticed stays.
 */
static void destroyed_qp(const void *arg)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};
	unsigned int i, through = 0, rounds = 150;
	struct rig r = { 0 };
	struct ep e = { 0 };

	listen_on(&r, SRV, host_addr(SRV), 0, 8);
	for (i = 0; i < rounds; i++) {
		struct rdma_event_channel *ch = e.ch;
		struct rdma_cm_id *id = e.id;

		ep_resolve(&e, CLI, host_addr(SRV), r.port);
		if (!i) {
			e.pd = ibv_alloc_pd(e.id->verbs);
			CHECK(e.pd);
			ia.send_cq = ibv_create_cq(e.id->verbs, 16, NULL, NULL,
						   0);
			CHECK(ia.send_cq);
			ia.recv_cq = ia.send_cq;
		} else {
			CHECK_OK(rdma_destroy_id(id));
			rdma_destroy_event_channel(ch);
		}
		connect_destroyed(&e, &ia, i % 50 * 400, &through);
	}
	note("%u of %u came before the end", through, rounds);
	CHECK_OK(rdma_destroy_id(e.id));
	rdma_destroy_event_channel(e.ch);
	CHECK_OK(ibv_destroy_cq(ia.send_cq));
	CHECK_OK(ibv_dealloc_pd(e.pd));
}

static const int own = 1;
static const enum host cli_ends = CLI, srv_ends = SRV;

static const struct test_case cases[] = {
	{ "basic", basic },
	{ "pdata", pdata },
	{ "pdata_max", pdata_max },
	{ "depths", depths },
	{ "depths_copied", depths_copied },
	{ "source_bound", source_bound },
	{ "reject", reject },
	{ "request_dropped", request_dropped },
	{ "listener_gone", listener_gone },
	{ "client_gone", client_gone },
	{ "closed_port", closed_port },
	{ "no_host", no_host },
	{ "to_tcp", to_tcp },
	{ "from_tcp", from_tcp },
	{ "bye_client", disconnect, &bye_client },
	{ "bye_server", disconnect, &bye_server },
	{ "bye_both", disconnect, &bye_both },
	{ "bye_qp_client", disconnect, &bye_qp_c },
	{ "bye_qp_server", disconnect, &bye_qp_s },
	{ "bye_id_client", disconnect, &bye_id_c },
	{ "bye_id_server", disconnect, &bye_id_s },
	{ "bye_modify", disconnect, &bye_err },
	{ "bye_exit", disconnect_exit },
	{ "deliver_then_disconnect", deliver_then_disconnect },
	{ "loop", loop, NULL, 120 },
	{ "many_client_ends", many, &cli_ends },
	{ "many_server_ends", many, &srv_ends },
	{ "many_dropped", many_dropped },
	{ "backlog", backlog },
	{ "listen_busy", listen_busy },
	{ "listen_tcp_port", listen_tcp_port },
	{ "listen_many", listen_many },
	{ "restart", restart },
	{ "port_taken", port_taken },
	{ "bind_foreign", bind_foreign },
	{ "state_errors", state_errors },
	{ "tos", tos },
	{ "afonly", afonly },
	{ "reuseaddr", reuseaddr },
	{ "server_first", server_first },
	{ "server_early", server_early },
	{ "self_own", self, &own },
	{ "self_loopback", self, NULL },
	{ "self_wild", self_wild },
	{ "owner_wild", owner_wild },
	{ "owner_specific", owner_specific },
	{ "gid_bind_loop", bind_loop },
	{ "foreign_qp", foreign_qp },
	{ "destroyed_qp", destroyed_qp },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
