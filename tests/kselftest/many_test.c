// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Many connections of one process to itself, client ends in h2, server ends in
 * h1: traffic on all of them at once, and thousands that are merely there.
 * KSFT_QPS is the number of the latter.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <poll.h>

#define WINDOW		64	/* connections being set up at a time */
#define PARTS		6	/* pieces of memory a connection has: */
#define SRC		0	/* two that are sent, by turns */
#define DST		2	/* two that the peer writes, by turns */
#define RO		4	/* one that the peer reads */
#define SINK		5	/* and where Reads end */

/**
 * struct hello - private data of a connect request and of its answer
 * @index: number of the connection
 * @addr: its memory
 * @rkey: STag of that
 */
struct hello {
	uint32_t index;
	uint32_t rkey;
	uint64_t addr;
} __attribute__((packed));

/**
 * struct conn - one end of a connection
 * @id: its identifier
 * @peer: what the other end said
 * @round: what is being sent, from 0 on
 * @seen: messages of the peer
 * @busy: requests that are not complete
 */
struct conn {
	struct rdma_cm_id *id;
	struct hello peer;
	unsigned int round;
	unsigned int seen;
	unsigned int busy;
};

struct side {
	struct rdma_event_channel *ch;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct buf mem;
	struct conn *conn;
	int up;
	int down;
};

/**
 * struct crowd - all connections
 * @n: how many there shall be
 * @len: octets a piece of memory has
 * @rounds: messages each end sends
 * @started: clients that began
 * @busy: ends that have not done their rounds
 */
struct crowd {
	struct rig r;
	struct side side[2];
	int n;
	size_t len;
	unsigned int rounds;
	int started;
	int busy;
};

/* --- memory ---------------------------------------------------------------- */

static uint32_t *piece(struct crowd *w, enum host s, int i, int part)
{
	return (uint32_t *)(w->side[s].mem.p +
			    ((size_t)i * PARTS + part) * w->len);
}

static uint32_t word(enum host s, int i, unsigned int round, size_t at)
{
	return (at + 1) * 2654435761u ^ (i * 2u + s) * 40503u ^ round * 977u;
}

#define RO_ROUND	0xffffu

static void fill(struct crowd *w, enum host s, int i, int part,
		 unsigned int round)
{
	uint32_t *p = piece(w, s, i, part);
	size_t at;

	for (at = 0; at < w->len / 4; at++)
		p[at] = word(s, i, round, at);
}

/* The piece of one end holds what the other end sent. */
static void check(struct crowd *w, enum host s, int i, int part,
		  unsigned int round)
{
	uint32_t *p = piece(w, s, i, part);
	size_t at;

	for (at = 0; at < w->len / 4; at++)
		if (p[at] != word(!s, i, round, at))
			FAIL("side %d connection %d part %d round %u: word %zu",
			     s, i, part, round, at);
}

/* --- connections ------------------------------------------------------------ */

static void side_init(struct crowd *w, enum host s, struct ibv_context *ctx)
{
	struct side *e = &w->side[s];
	int i;

	e->pd = ibv_alloc_pd(ctx);
	e->cq = ibv_create_cq(ctx, w->n * 6, NULL, NULL, 0);
	CHECK(e->pd && e->cq);
	buf_new(&e->mem, e->pd, w->n * PARTS * w->len, 0, RW_ACCESS);
	for (i = 0; i < w->n; i++)
		fill(w, s, i, RO, RO_ROUND);
}

/* The Send has no octets, but libsiw wants a place for some. */
static void conn_recv(struct crowd *w, enum host s, int i)
{
	struct ibv_sge sge = {
		.addr = (uintptr_t)piece(w, s, i, SINK),
		.length = 4,
		.lkey = w->side[s].mem.mr->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = i, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	CHECK_OK(ibv_post_recv(w->side[s].conn[i].id->qp, &wr, &bad));
}

static void conn_qp(struct crowd *w, enum host s, int i, struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 2,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};

	if (!w->side[s].pd)
		side_init(w, s, id->verbs);
	ia.send_cq = w->side[s].cq;
	ia.recv_cq = w->side[s].cq;
	CHECK_OK(rdma_create_qp(id, w->side[s].pd, &ia));
	w->side[s].conn[i].id = id;
	conn_recv(w, s, i);
	conn_recv(w, s, i);
}

static void conn_param_of(struct crowd *w, enum host s, int i,
			  struct hello *h, struct rdma_conn_param *p)
{
	memset(p, 0, sizeof(*p));
	h->index = i;
	h->rkey = w->side[s].mem.mr->rkey;
	h->addr = (uintptr_t)piece(w, s, i, 0);
	p->private_data = h;
	p->private_data_len = sizeof(*h);
	p->initiator_depth = 1;
	p->responder_resources = 1;
}

static void conn_start(struct crowd *w)
{
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;

	ns_enter(CLI);
	CHECK_OK(rdma_create_id(w->side[CLI].ch, &id,
				(void *)(uintptr_t)w->started, RDMA_PS_TCP));
	w->started++;
	CHECK_OK(rdma_resolve_addr(id, NULL, sa_parse(host_addr(SRV),
						      w->r.port, &ss),
				   WAIT_MS));
}

static void client_connect(struct crowd *w, struct rdma_cm_id *id)
{
	int i = (uintptr_t)id->context;
	struct rdma_conn_param p;
	struct hello h;

	conn_qp(w, CLI, i, id);
	conn_param_of(w, CLI, i, &h, &p);
	CHECK_OK(rdma_connect(id, &p));
}

static void server_accept(struct crowd *w, const struct cmev *ev)
{
	struct rdma_conn_param p;
	struct hello h;
	uint32_t i;

	CHECK(ev->pdlen >= sizeof(h));
	memcpy(&h, ev->pd, sizeof(h));
	i = h.index;
	CHECK(i < (uint32_t)w->n && !w->side[SRV].conn[i].id);
	w->side[SRV].conn[i].peer = h;
	ev->id->context = (void *)(uintptr_t)i;
	conn_qp(w, SRV, i, ev->id);
	conn_param_of(w, SRV, i, &h, &p);
	CHECK_OK(rdma_accept(ev->id, &p));
}

static void conn_event(struct crowd *w, enum host s, const struct cmev *ev)
{
	int i = (uintptr_t)ev->id->context;

	ns_enter(s);
	switch (ev->type) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		CHECK_OK(rdma_resolve_route(ev->id, WAIT_MS));
		break;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		client_connect(w, ev->id);
		break;
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		server_accept(w, ev);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		if (s == CLI)
			memcpy(&w->side[s].conn[i].peer, ev->pd,
			       sizeof(struct hello));
		w->side[s].up++;
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		w->side[s].down++;
		break;
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
		break;
	default:
		FAIL("side %d connection %d: event %s status %d", s, i,
		     rdma_event_str(ev->type), ev->status);
	}
}

static void serve(struct crowd *w, int ms)
{
	struct pollfd p[2] = {
		{ .fd = w->side[SRV].ch->fd, .events = POLLIN },
		{ .fd = w->side[CLI].ch->fd, .events = POLLIN },
	};
	struct cmev ev;
	int s;

	if (poll(p, 2, ms) <= 0)
		return;
	for (s = 0; s < 2; s++)
		while (cm_wait(w->side[s].ch, &ev, 0))
			conn_event(w, s, &ev);
}

static void crowd_new(struct crowd *w)
{
	uint64_t t = now_ms(), last = t;
	int done = 0;

	listen_on(&w->r, SRV, host_addr(SRV), 0, 1024);
	w->side[SRV].ch = w->r.lch;
	w->side[CLI].ch = cm_channel();
	w->side[SRV].conn = calloc(w->n, sizeof(struct conn));
	w->side[CLI].conn = calloc(w->n, sizeof(struct conn));
	while (w->side[SRV].up < w->n || w->side[CLI].up < w->n) {
		while (w->started < w->n &&
		       w->started < w->side[CLI].up + WINDOW)
			conn_start(w);
		serve(w, 100);
		if (w->side[SRV].up + w->side[CLI].up != done)
			last = now_ms();
		done = w->side[SRV].up + w->side[CLI].up;
		if (now_ms() - last > (unsigned int)WAIT_MS)
			FAIL("%d and %d of %d are connected", w->side[CLI].up,
			     w->side[SRV].up, w->n);
	}
	note("%d connections in %llu ms", w->n,
	     (unsigned long long)(now_ms() - t));
}

/* --- traffic ---------------------------------------------------------------- */

static void post(struct crowd *w, enum host s, int i, struct ibv_send_wr *wr,
		 int part, uint64_t remote_part)
{
	struct conn *c = &w->side[s].conn[i];
	struct ibv_send_wr *bad;
	struct ibv_sge sge = {
		.addr = (uintptr_t)piece(w, s, i, part),
		.length = w->len,
		.lkey = w->side[s].mem.mr->lkey,
	};

	wr->wr_id = i;
	wr->wr.rdma.remote_addr = c->peer.addr + remote_part * w->len;
	wr->wr.rdma.rkey = c->peer.rkey;
	if (wr->opcode != IBV_WR_SEND) {
		wr->sg_list = &sge;
		wr->num_sge = 1;
	}
	if (wr->send_flags & IBV_SEND_SIGNALED)
		c->busy++;
	CHECK_OK(ibv_post_send(c->id->qp, wr, &bad));
}

/* A Write, a Read, and an empty Send that says that the Write is there. */
static void conn_round(struct crowd *w, enum host s, int i)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_WRITE };
	struct ibv_send_wr rd = { .opcode = IBV_WR_RDMA_READ,
				  .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr tell = { .opcode = IBV_WR_SEND,
				    .send_flags = IBV_SEND_SIGNALED };
	struct conn *c = &w->side[s].conn[i];
	int turn = c->round & 1;

	fill(w, s, i, SRC + turn, c->round);
	memset(piece(w, s, i, SINK), 0, w->len);
	post(w, s, i, &wr, SRC + turn, DST + turn);
	post(w, s, i, &rd, SINK, RO);
	post(w, s, i, &tell, 0, 0);
}

/*
 * The peer writes a piece again only two rounds later, which needs our message
 * of the round between, which needs that this one has been checked.
 */
static void conn_done(struct crowd *w, enum host s, const struct ibv_wc *wc)
{
	int i = wc->wr_id;
	struct conn *c = &w->side[s].conn[i];

	if (wc->status != IBV_WC_SUCCESS)
		FAIL("side %d connection %d: %s", s, i,
		     ibv_wc_status_str(wc->status));
	if (wc->opcode & IBV_WC_RECV) {
		check(w, s, i, DST + (c->seen & 1), c->seen);
		c->seen++;
		conn_recv(w, s, i);
	} else {
		c->busy--;
		if (wc->opcode == IBV_WC_RDMA_READ)
			check(w, s, i, SINK, RO_ROUND);
	}
	if (c->busy || c->seen <= c->round)
		return;
	if (++c->round < w->rounds)
		conn_round(w, s, i);
	else
		w->busy--;
}

static void crowd_traffic(struct crowd *w)
{
	uint64_t t = now_ms(), last = t;
	struct ibv_wc wc[16];
	int s, i, n, all;

	w->busy = 2 * w->n;
	for (i = 0; i < w->n; i++)
		for (s = 0; s < 2; s++)
			conn_round(w, s, i);
	while (w->busy) {
		for (all = 0, s = 0; s < 2; s++) {
			n = ibv_poll_cq(w->side[s].cq, 16, wc);
			CHECK(n >= 0);
			for (i = 0; i < n; i++)
				conn_done(w, s, &wc[i]);
			all += n;
		}
		if (all)
			last = now_ms();
		else
			serve(w, 1);
		if (now_ms() - last > (unsigned int)WAIT_MS)
			FAIL("%d ends are not done", w->busy);
		CHECK(!w->side[SRV].down && !w->side[CLI].down);
	}
	note("%u rounds of %zu octets each way in %llu ms", w->rounds, w->len,
	     (unsigned long long)(now_ms() - t));
}

/* --- cases ------------------------------------------------------------------- */

/* Every second client says goodbye, the others are just destroyed. */
static void crowd_close(struct crowd *w)
{
	uint64_t t = now_ms();
	struct side *e;
	int s, i;

	for (i = 0; i < w->n; i++) {
		struct rdma_cm_id *id = w->side[CLI].conn[i].id;

		if (i & 1) {
			CHECK_OK(rdma_disconnect(id));
			continue;
		}
		rdma_destroy_qp(id);
		CHECK_OK(rdma_destroy_id(id));
		w->side[CLI].conn[i].id = NULL;
	}
	while (w->side[SRV].down < w->n) {
		serve(w, 100);
		if (now_ms() - t > (unsigned int)WAIT_MS * 4)
			FAIL("%d of %d servers are told", w->side[SRV].down,
			     w->n);
	}
	for (s = 0; s < 2; s++) {
		e = &w->side[s];
		for (i = 0; i < w->n; i++) {
			if (!e->conn[i].id)
				continue;
			rdma_destroy_qp(e->conn[i].id);
			CHECK_OK(rdma_destroy_id(e->conn[i].id));
		}
		buf_free(&e->mem);
		CHECK_OK(ibv_destroy_cq(e->cq));
		CHECK_OK(ibv_dealloc_pd(e->pd));
	}
	note("closed in %llu ms", (unsigned long long)(now_ms() - t));
}

static void traffic(const void *arg)
{
	struct crowd w = { .n = 200, .len = 4096, .rounds = 12 };

	crowd_new(&w);
	crowd_traffic(&w);
	crowd_close(&w);
}

static int thousands(int n)
{
	const char *e = getenv("KSFT_QPS");

	return e ? atoi(e) : n;
}

static void connected(const void *arg)
{
	struct crowd w = { .n = thousands(1024), .len = 64, .rounds = 2 };

	crowd_new(&w);
	crowd_traffic(&w);
	crowd_close(&w);
}

/* The process goes without a word: the kernel has it all to clean up. */
static void left_behind(const void *arg)
{
	struct crowd w = { .n = thousands(256), .len = 64, .rounds = 1 };

	crowd_new(&w);
	crowd_traffic(&w);
}

static const struct test_case cases[] = {
	{ "traffic", traffic, NULL, 60 },
	{ "connected", connected, NULL, 300 },
	{ "left_behind", left_behind, NULL, 300 },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
