// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Queue pairs connected by ibv_modify_qp, without rdma_cm: both orders, one
 * device, one queue pair, wrong, late and hostile peers.
 *
 *	rdv_test [-4|-6] [-l] [prefix...]	the cases
 *	rdv_test wait DEVICE OWN PEER		wait at address OWN for a peer that
 *						never comes; say "waiting", then
 *						"told WHAT"
 *	rdv_test stuck				Sends that nobody takes; say "stuck"
 */
#define _GNU_SOURCE
#include "rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEN		4096
#define DEPTH		32
#define PORT		721
#define GIDS		64
#define ANSWERS		3000

/**
 * struct end - one queue pair and what it needs
 * @ctx: device
 * @pd: protection domain
 * @cq: of both queues
 * @qp: queue pair
 * @gid: our address
 * @index: its place in the table
 * @b: memory, remotely accessible
 */
struct end {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	union ibv_gid gid;
	int index;
	struct buf b;
};

/* --- devices ------------------------------------------------------------- */

static const char *dev_name(enum host h)
{
	return h == SRV ? "siw1" : "siw2";
}

static void gid_of(const char *addr, union ibv_gid *gid)
{
	memset(gid, 0, sizeof(*gid));
	if (inet_pton(AF_INET6, addr, gid->raw) == 1)
		return;
	gid->raw[10] = 0xff;
	gid->raw[11] = 0xff;
	CHECK_EQ(inet_pton(AF_INET, addr, gid->raw + 12), 1);
}

/* The entry of an address: a refresh of the table may be under way. */
static int gid_index(struct ibv_context *ctx, const union ibv_gid *gid)
{
	uint64_t end = now_ms() + WAIT_MS;
	union ibv_gid entry;
	int i;

	do {
		for (i = 1; i < GIDS; i++)
			if (!ibv_query_gid(ctx, 1, i, &entry) &&
			    !memcmp(&entry, gid, sizeof(entry)))
				return i;
		sleep_ms(10);
	} while (now_ms() < end);
	FAIL("the address is not in the GID table");
}

static void set_option(enum host h, const char *name, int val)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/siw/%s",
		 dev_name(h), name);
	f = fopen(path, "w");
	CHECK(f);
	CHECK(fprintf(f, "%d", val) > 0);
	CHECK_OK(fclose(f));
}

static void set_timeout(enum host h, int seconds)
{
	set_option(h, "rdv_timeout", seconds);
}

/* --- ends ---------------------------------------------------------------- */

static void make_qp(struct end *e)
{
	struct ibv_qp_init_attr ia = {
		.send_cq = e->cq,
		.recv_cq = e->cq,
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = { .max_send_wr = DEPTH, .max_recv_wr = DEPTH,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};

	e->qp = ibv_create_qp(e->pd, &ia);
	CHECK(e->qp);
}

static int to_init(struct ibv_qp *qp)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = RW_ACCESS | IBV_ACCESS_REMOTE_ATOMIC,
	};

	return ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX |
			     IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
}

static void end_open_dev(struct end *e, const char *dev, const char *addr)
{
	memset(e, 0, sizeof(*e));
	e->ctx = dev_open(dev);
	e->pd = ibv_alloc_pd(e->ctx);
	e->cq = ibv_create_cq(e->ctx, 4 * DEPTH, NULL, NULL, 0);
	CHECK(e->pd && e->cq);
	gid_of(addr, &e->gid);
	e->index = gid_index(e->ctx, &e->gid);
	make_qp(e);
	CHECK_OK(to_init(e->qp));
	buf_new(&e->b, e->pd, LEN, 0, RW_ACCESS | IBV_ACCESS_REMOTE_ATOMIC);
}

static void end_open(struct end *e, enum host h)
{
	end_open_dev(e, dev_name(h), host_addr(h));
}

static void end_close(struct end *e)
{
	if (e->qp)
		CHECK_OK(ibv_destroy_qp(e->qp));
	buf_free(&e->b);
	CHECK_OK(ibv_destroy_cq(e->cq));
	CHECK_OK(ibv_dealloc_pd(e->pd));
	CHECK_OK(ibv_close_device(e->ctx));
}

static void ends_open(struct end *a, struct end *b)
{
	end_open(a, SRV);
	end_open(b, CLI);
}

static void ends_close(struct end *a, struct end *b)
{
	end_close(a);
	end_close(b);
}

#define RTR_MASK	(IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | \
			 IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | \
			 IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER)
#define RTS_MASK	(IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | \
			 IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | \
			 IBV_QP_MAX_QP_RD_ATOMIC)

static struct ibv_qp_attr rtr_attr(const struct end *e,
				   const union ibv_gid *gid, uint32_t qpn)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = qpn,
		.rq_psn = 0x123,
		.max_dest_rd_atomic = 4,
		.min_rnr_timer = 12,
		.ah_attr = {
			.is_global = 1,
			.port_num = 1,
			.grh = { .dgid = *gid, .sgid_index = e->index,
				 .hop_limit = 1 },
		},
	};

	return attr;
}

/* GID_HOLES: kernel and provider let the table's refresh show. */
static int try_rtr(struct end *e, const union ibv_gid *gid, uint32_t qpn)
{
	struct ibv_qp_attr attr = rtr_attr(e, gid, qpn);
	bool holes = getenv("GID_HOLES");
	int rc, tries = 20;

	do
		rc = ibv_modify_qp(e->qp, &attr, RTR_MASK);
	while (rc == ENODATA && holes && --tries && !usleep(1000));
	return rc;
}

static void to_rtr(struct end *e, const struct end *peer)
{
	CHECK_OK(try_rtr(e, &peer->gid, peer->qp->qp_num));
}

static void to_rts(struct end *e)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_RTS,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.sq_psn = 0x321,
		.max_rd_atomic = 2,
	};

	CHECK_OK(ibv_modify_qp(e->qp, &attr, RTS_MASK));
}

static int to_state(struct end *e, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };

	return ibv_modify_qp(e->qp, &attr, IBV_QP_STATE);
}

static struct ibv_qp_attr query(struct end *e)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr attr;

	CHECK_OK(ibv_query_qp(e->qp, &attr, RTR_MASK | RTS_MASK |
			      IBV_QP_CUR_STATE, &ia));
	return attr;
}

static void join(struct end *a, struct end *b)
{
	to_rtr(a, b);
	to_rtr(b, a);
	to_rts(a);
	to_rts(b);
}

/* --- work ---------------------------------------------------------------- */

static void take(struct end *e, uint64_t id)
{
	struct ibv_sge sge = buf_sge(&e->b, 0, LEN);
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	CHECK_OK(ibv_post_recv(e->qp, &wr, &bad));
}

static void give(struct end *e, uint64_t id, enum ibv_wr_opcode op,
		 const struct end *to)
{
	struct ibv_sge sge = buf_sge(&e->b, 0, LEN);
	struct ibv_send_wr wr = {
		.wr_id = id,
		.opcode = op,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED,
	};
	struct ibv_send_wr *bad;

	if (op != IBV_WR_SEND) {
		wr.wr.rdma.remote_addr = (uintptr_t)to->b.p;
		wr.wr.rdma.rkey = to->b.mr->rkey;
	}
	CHECK_OK(ibv_post_send(e->qp, &wr, &bad));
}

/* One message, all octets looked at. */
static void carry(struct end *from, struct end *to, unsigned int seed)
{
	buf_fill(&from->b, seed);
	buf_clear(&to->b);
	take(to, seed);
	give(from, 1000 + seed, IBV_WR_SEND, NULL);
	wc_expect(to->cq, seed, IBV_WC_SUCCESS);
	wc_expect(from->cq, 1000 + seed, IBV_WC_SUCCESS);
	buf_check(&to->b, 0, LEN, seed, 0);
}

static void both_ways(struct end *a, struct end *b)
{
	carry(a, b, 1);
	carry(b, a, 2);
}

static void expect_fatal(struct end *e, int ms)
{
	if (!async_seen(e->ctx, 1ULL << IBV_EVENT_QP_FATAL, ms))
		FAIL("no QP fatal event");
	CHECK_EQ(query(e).qp_state, IBV_QPS_ERR);
}

/* --- cases: connecting --------------------------------------------------- */

static void two_ends(enum host first)
{
	struct end a, b;

	end_open(&a, first);
	end_open(&b, first == SRV ? CLI : SRV);
	to_rtr(&a, &b);
	to_rts(&a);
	/* enough for the first one to have listened, or called in vain */
	sleep_ms(50);
	to_rtr(&b, &a);
	to_rts(&b);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

static void active_first(const void *arg)
{
	two_ends(SRV);
}

static void passive_first(const void *arg)
{
	two_ends(CLI);
}

/* Another namespace has the same addresses, and somebody who came later. */
static void other_namespace(const void *arg)
{
	struct end a, b, other;

	ends_open(&a, &b);
	end_open_dev(&other, "siw4", host_addr(CLI));
	to_rtr(&b, &a);
	to_rts(&b);
	CHECK_OK(try_rtr(&other, &a.gid, 77));
	to_rts(&other);
	to_rtr(&a, &b);
	to_rts(&a);
	both_ways(&a, &b);
	end_close(&other);
	ends_close(&a, &b);
}

/* The addresses of the hosts say who is who. */
static void work_waits(const void *arg)
{
	enum host first = arg ? SRV : CLI;
	struct end a, b;

	end_open(&a, first);
	end_open(&b, first == SRV ? CLI : SRV);
	take(&b, 7);
	to_rtr(&a, &b);
	to_rts(&a);
	buf_fill(&a.b, 3);
	give(&a, 8, IBV_WR_SEND, NULL);
	wc_none(a.cq, 200);
	to_rtr(&b, &a);
	wc_expect(b.cq, 7, IBV_WC_SUCCESS);
	wc_expect(a.cq, 8, IBV_WC_SUCCESS);
	buf_check(&b.b, 0, LEN, 3, 0);
	to_rts(&b);
	carry(&b, &a, 4);
	ends_close(&a, &b);
}

static void same_device(const void *arg)
{
	struct end a, b;

	end_open(&a, SRV);
	end_open(&b, SRV);
	join(&a, &b);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

static void self(const void *arg)
{
	struct end a;
	int i;

	end_open(&a, SRV);
	to_rtr(&a, &a);
	to_rts(&a);
	for (i = 0; i < 4; i++) {
		buf_fill(&a.b, i);
		take(&a, 1);
		give(&a, 2, IBV_WR_SEND, NULL);
		/* one CQ: either may be first */
		CHECK_EQ(wc_get(a.cq).status, IBV_WC_SUCCESS);
		CHECK_EQ(wc_get(a.cq).status, IBV_WC_SUCCESS);
		give(&a, 3, IBV_WR_RDMA_READ, &a);
		wc_expect(a.cq, 3, IBV_WC_SUCCESS);
		give(&a, 4, IBV_WR_RDMA_WRITE, &a);
		wc_expect(a.cq, 4, IBV_WC_SUCCESS);
	}
	buf_check(&a.b, 0, LEN, 3, 0);
	end_close(&a);
}

static void one_sided(const void *arg)
{
	struct end a, b;
	int i;

	ends_open(&a, &b);
	join(&a, &b);
	buf_fill(&b.b, 9);
	for (i = 0; i < 8; i++)
		give(&a, i, IBV_WR_RDMA_READ, &b);
	for (i = 0; i < 8; i++)
		wc_expect(a.cq, i, IBV_WC_SUCCESS);
	buf_check(&a.b, 0, LEN, 9, 0);
	buf_fill(&b.b, 10);
	give(&b, 20, IBV_WR_RDMA_WRITE, &a);
	give(&b, 21, IBV_WR_RDMA_READ, &a);
	wc_expect(b.cq, 20, IBV_WC_SUCCESS);
	wc_expect(b.cq, 21, IBV_WC_SUCCESS);
	buf_check(&a.b, 0, LEN, 10, 0);
	ends_close(&a, &b);
}

static void many(const void *arg)
{
	enum { N = 48 };
	struct end a, b;
	struct ibv_qp *qa[N], *qb[N];
	int i;

	ends_open(&a, &b);
	qa[0] = a.qp;
	qb[0] = b.qp;
	for (i = 1; i < N; i++) {
		make_qp(&a);
		make_qp(&b);
		qa[i] = a.qp;
		qb[i] = b.qp;
		CHECK_OK(to_init(qa[i]));
		CHECK_OK(to_init(qb[i]));
	}
	for (i = 0; i < N; i++) {
		a.qp = qa[i];
		b.qp = qb[i];
		join(&a, &b);
	}
	for (i = 0; i < N; i++) {
		a.qp = qa[N - 1 - i];
		b.qp = qb[N - 1 - i];
		carry(&a, &b, i);
	}
	for (i = 1; i < N; i++) {
		CHECK_OK(ibv_destroy_qp(qa[i]));
		CHECK_OK(ibv_destroy_qp(qb[i]));
	}
	a.qp = qa[0];
	b.qp = qb[0];
	ends_close(&a, &b);
}

/* --- cases: verbs -------------------------------------------------------- */

static void attributes(const void *arg)
{
	struct ibv_qp_attr q;
	struct end a, b;

	ends_open(&a, &b);
	to_rtr(&a, &b);
	q = query(&a);
	CHECK_EQ(q.qp_state, IBV_QPS_RTR);
	CHECK_EQ(q.dest_qp_num, b.qp->qp_num);
	to_rtr(&b, &a);
	carry(&a, &b, 5);
	/* connected or not, the state is what was asked for */
	CHECK_EQ(query(&b).qp_state, IBV_QPS_RTR);
	to_rts(&a);
	to_rts(&b);
	q = query(&a);
	CHECK_EQ(q.qp_state, IBV_QPS_RTS);
	CHECK_EQ(q.dest_qp_num, b.qp->qp_num);
	CHECK(!memcmp(&q.ah_attr.grh.dgid, &b.gid, sizeof(b.gid)));
	CHECK_EQ(q.ah_attr.is_global, 1);
	CHECK_EQ(q.ah_attr.grh.sgid_index, a.index);
	CHECK_EQ(q.path_mtu, IBV_MTU_1024);
	CHECK_EQ(q.rq_psn, 0x123);
	CHECK_EQ(q.sq_psn, 0x321);
	CHECK_EQ(q.timeout, 14);
	CHECK_EQ(q.max_rd_atomic, 2);
	CHECK_EQ(q.max_dest_rd_atomic, 4);
	ends_close(&a, &b);
}

static void refuse(struct end *e, const struct ibv_qp_attr *attr, int mask)
{
	struct ibv_qp_attr copy = *attr;

	CHECK_EQ(ibv_modify_qp(e->qp, &copy, mask), EINVAL);
}

static void refused(const void *arg)
{
	struct ibv_qp_attr attr;
	union ibv_gid mac, v4, v6;
	struct end a, b;

	ends_open(&a, &b);
	attr = rtr_attr(&a, &b.gid, b.qp->qp_num);
	refuse(&a, &attr, RTR_MASK & ~IBV_QP_DEST_QPN);
	refuse(&a, &attr, RTR_MASK & ~IBV_QP_AV);
	attr.ah_attr.is_global = 0;
	refuse(&a, &attr, RTR_MASK);
	attr.ah_attr.is_global = 1;
	attr.ah_attr.grh.sgid_index = 0;
	refuse(&a, &attr, RTR_MASK);
	CHECK_OK(ibv_query_gid(b.ctx, 1, 0, &mac));
	attr = rtr_attr(&a, &mac, b.qp->qp_num);
	refuse(&a, &attr, RTR_MASK);
	gid_of("10.0.0.2", &v4);
	gid_of("fd00::2", &v6);
	attr = rtr_attr(&a, is_v6() ? &v4 : &v6, b.qp->qp_num);
	refuse(&a, &attr, RTR_MASK);
	attr = rtr_attr(&a, &b.gid, 0);
	refuse(&a, &attr, RTR_MASK);
	attr = rtr_attr(&a, &b.gid, b.qp->qp_num);
	attr.max_dest_rd_atomic = 255;
	refuse(&a, &attr, RTR_MASK);
	attr = rtr_attr(&a, &b.gid, b.qp->qp_num);
	attr.path_mtu = 9;
	refuse(&a, &attr, RTR_MASK);
	/* not from INIT to RTS, and a peer is named once */
	CHECK_EQ(to_state(&a, IBV_QPS_RTS), EINVAL);
	CHECK_EQ(query(&a).qp_state, IBV_QPS_INIT);
	join(&a, &b);
	attr = rtr_attr(&a, &b.gid, b.qp->qp_num);
	refuse(&a, &attr, RTR_MASK);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

/* Completions of a queue pair's former life. */
static void cq_empty(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) > 0)
		;
}

static void start_over(struct end *a, struct end *b)
{
	CHECK_OK(to_state(a, IBV_QPS_RESET));
	CHECK_OK(to_state(b, IBV_QPS_RESET));
	if (stock_provider()) {
		cq_empty(a->cq);
		cq_empty(b->cq);
	}
	CHECK_OK(to_init(a->qp));
	CHECK_OK(to_init(b->qp));
}

static void reset_and_again(const void *arg)
{
	struct end a, b;
	int i;

	ends_open(&a, &b);
	for (i = 0; i < 3; i++) {
		join(&a, &b);
		both_ways(&a, &b);
		CHECK_OK(to_state(&a, IBV_QPS_RESET));
		CHECK_OK(to_state(&b, IBV_QPS_RESET));
		CHECK_OK(to_init(a.qp));
		CHECK_OK(to_init(b.qp));
	}
	/* while waiting: once for somebody else, then for each other */
	CHECK_OK(try_rtr(&a, &b.gid, b.qp->qp_num ^ 1));
	CHECK_OK(try_rtr(&b, &a.gid, a.qp->qp_num ^ 1));
	sleep_ms(30);
	CHECK_OK(to_state(&a, IBV_QPS_RESET));
	CHECK_OK(to_state(&b, IBV_QPS_RESET));
	CHECK_OK(to_init(a.qp));
	CHECK_OK(to_init(b.qp));
	join(&a, &b);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

/* What was posted before a RESET is not work of the next life. */
static void reset_forgets(const void *arg)
{
	struct ibv_wc wc;
	struct end a, b;

	ends_open(&a, &b);
	/* each waits for somebody else */
	CHECK_OK(try_rtr(&a, &b.gid, b.qp->qp_num ^ 1));
	CHECK_OK(try_rtr(&b, &a.gid, a.qp->qp_num ^ 1));
	to_rts(&a);
	to_rts(&b);
	take(&a, 77);
	take(&b, 78);
	give(&a, 79, IBV_WR_SEND, NULL);
	give(&b, 80, IBV_WR_SEND, NULL);
	start_over(&a, &b);
	join(&a, &b);
	both_ways(&a, &b);
	both_ways(&a, &b);
	CHECK_EQ(ibv_poll_cq(a.cq, 1, &wc), 0);
	CHECK_EQ(ibv_poll_cq(b.cq, 1, &wc), 0);
	ends_close(&a, &b);
}

/* Nobody hears of the work of a queue pair that was destroyed. */
static void destroyed_silently(const void *arg)
{
	struct ibv_comp_channel *ch;
	struct pollfd fd = { .events = POLLIN };
	struct ibv_cq *cq, *old;
	struct ibv_wc wc;
	struct end a, b;
	int i;

	ends_open(&a, &b);
	CHECK_OK(ibv_destroy_qp(a.qp));
	ch = ibv_create_comp_channel(a.ctx);
	CHECK(ch);
	cq = ibv_create_cq(a.ctx, 4, NULL, ch, 0);
	CHECK(cq);
	old = a.cq;
	a.cq = cq;
	make_qp(&a);
	CHECK_OK(to_init(a.qp));
	join(&a, &b);
	both_ways(&a, &b);
	for (i = 0; i < DEPTH; i++)
		take(&a, i);
	CHECK_OK(ibv_req_notify_cq(cq, 0));
	CHECK_OK(ibv_destroy_qp(a.qp));
	a.qp = NULL;
	fd.fd = ch->fd;
	CHECK_EQ(poll(&fd, 1, 300), 0);
	CHECK_EQ(ibv_poll_cq(cq, 1, &wc), 0);
	CHECK(!async_seen(a.ctx, 1ULL << IBV_EVENT_CQ_ERR, 1));
	a.cq = old;
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_destroy_comp_channel(ch));
	ends_close(&a, &b);
}

static void destroy_waiting(const void *arg)
{
	struct end a, b;
	uint64_t t0;
	int i;

	ends_open(&a, &b);
	for (i = 0; i < 20; i++) {
		CHECK_OK(try_rtr(&a, &b.gid, 5));
		CHECK_OK(try_rtr(&b, &a.gid, 5));
		sleep_ms(i);
		t0 = now_ms();
		CHECK_OK(ibv_destroy_qp(a.qp));
		CHECK_OK(ibv_destroy_qp(b.qp));
		CHECK(now_ms() - t0 < 2000);
		make_qp(&a);
		make_qp(&b);
		CHECK_OK(to_init(a.qp));
		CHECK_OK(to_init(b.qp));
	}
	join(&a, &b);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

/* What a completed request has sent arrives, though its QP is gone. */
static void last_words(const void *arg)
{
	struct end a, b;
	int i;

	ends_open(&a, &b);
	for (i = 0; i < 10; i++)
		take(&b, i);
	join(&a, &b);
	buf_fill(&a.b, 6);
	for (i = 0; i < 8; i++)
		give(&a, i, IBV_WR_SEND, NULL);
	for (i = 0; i < 8; i++)
		wc_expect(a.cq, i, IBV_WC_SUCCESS);
	CHECK_OK(ibv_destroy_qp(a.qp));
	a.qp = NULL;
	for (i = 0; i < 8; i++)
		wc_expect(b.cq, i, IBV_WC_SUCCESS);
	buf_check(&b.b, 0, LEN, 6, 0);
	/* the end is told by completions, a little later, and by no event */
	wc_none(b.cq, 200);
	wc_expect(b.cq, 8, IBV_WC_WR_FLUSH_ERR);
	wc_expect(b.cq, 9, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(query(&b).qp_state, IBV_QPS_ERR);
	CHECK(!async_seen(b.ctx, 1ULL << IBV_EVENT_QP_FATAL, 100));
	ends_close(&a, &b);
}

/* --- cases: wrong peers -------------------------------------------------- */

static void nobody(const void *arg)
{
	struct end a, b;
	uint64_t t0 = now_ms();

	set_timeout(SRV, 2);
	set_timeout(CLI, 2);
	ends_open(&a, &b);
	take(&a, 1);
	take(&b, 1);
	/* each waits for a QP that is not there */
	CHECK_OK(try_rtr(&a, &b.gid, b.qp->qp_num ^ 1));
	CHECK_OK(try_rtr(&b, &a.gid, a.qp->qp_num ^ 1));
	to_rts(&a);
	to_rts(&b);
	give(&a, 2, IBV_WR_SEND, NULL);
	sleep_ms(1000);
	CHECK_EQ(query(&a).qp_state, IBV_QPS_RTS);
	CHECK_EQ(query(&b).qp_state, IBV_QPS_RTS);
	expect_fatal(&a, WAIT_MS);
	expect_fatal(&b, WAIT_MS);
	CHECK(now_ms() - t0 >= 1900);
	CHECK(now_ms() - t0 < 5000);
	wc_expect(b.cq, 1, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(wc_get(a.cq).status, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(wc_get(a.cq).status, IBV_WC_WR_FLUSH_ERR);
	ends_close(&a, &b);
	set_timeout(SRV, 60);
	set_timeout(CLI, 60);
}

/* Two look for one, which looks for a third: nobody gets the wrong one. */
static void triangle(const void *arg)
{
	struct end a, b, c;

	set_timeout(CLI, 2);
	ends_open(&a, &b);
	end_open(&c, CLI);
	to_rtr(&b, &a);
	to_rtr(&c, &a);
	sleep_ms(300);
	to_rtr(&a, &c);
	to_rts(&a);
	to_rts(&c);
	both_ways(&a, &c);
	expect_fatal(&b, WAIT_MS);
	both_ways(&a, &c);
	ends_close(&a, &b);
	end_close(&c);
	set_timeout(CLI, 60);
}

/* An address that nobody has. */
static void no_host(const void *arg)
{
	union ibv_gid gid;
	struct end a;

	set_timeout(SRV, 2);
	end_open(&a, SRV);
	gid_of(is_v6() ? "fd00::77" : "10.0.0.77", &gid);
	CHECK_OK(try_rtr(&a, &gid, 77));
	expect_fatal(&a, WAIT_MS);
	end_close(&a);
	set_timeout(SRV, 60);
}

static int call(enum host from, enum host to)
{
	struct timeval tv = { 4, 0 };
	struct sockaddr_storage ss;
	int fd, rv;

	ns_enter(from);
	fd = socket(is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	sa_parse(host_addr(to), PORT, &ss);
	rv = connect(fd, (struct sockaddr *)&ss,
		     is_v6() ? sizeof(struct sockaddr_in6) :
			       sizeof(struct sockaddr_in));
	if (!rv)
		return fd;
	rv = errno;
	close(fd);
	errno = rv;
	return -1;
}

static bool refused_by(enum host to)
{
	uint64_t end = now_ms() + TOLD_MS;
	int fd;

	do {
		fd = call(SRV, to);
		/* a listener that has nobody to wait for would reset */
		if (fd < 0 && errno == ECONNREFUSED)
			return true;
		if (fd >= 0)
			close(fd);
		sleep_ms(20);
	} while (now_ms() < end);
	return false;
}

/* The port is open while a QP waits, and then only. */
static void port_closed(const void *arg)
{
	struct end a, b;
	uint64_t end;
	int fd;

	ends_open(&a, &b);
	CHECK(refused_by(CLI));
	to_rtr(&b, &a);
	end = now_ms() + TOLD_MS;
	while ((fd = call(SRV, CLI)) < 0 && now_ms() < end)
		sleep_ms(20);
	CHECK(fd >= 0);
	close(fd);
	to_rtr(&a, &b);
	to_rts(&a);
	to_rts(&b);
	both_ways(&a, &b);
	CHECK(refused_by(CLI));
	ends_close(&a, &b);
}

/* An enhanced MPA Request with a rendezvous frame, as the real peer's. */
static size_t request(uint8_t *f, const struct end *src, const struct end *dst)
{
	static const uint8_t head[] = "MPA ID Req Frame\x50\x02\x00\x3c"
				      "\x80\x04\x80\x04";
	static const uint8_t start[] = "siwr\x01\0\0\0\0\0\0";
	uint32_t qpn[2] = { htonl(src->qp->qp_num), htonl(dst->qp->qp_num) };

	memset(f, 0, 80);
	memcpy(f, head, 24);
	memcpy(f + 24, start, 12);
	memcpy(f + 36, qpn, 8);
	memcpy(f + 48, &src->gid, 16);
	memcpy(f + 64, &dst->gid, 16);
	return 80;
}

/* What comes back: 1 a Reply, of which *@flags; 0 the end. */
static int answer(int fd, uint8_t *flags)
{
	uint8_t buf[600];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	close(fd);
	if (n < 20)
		return 0;
	CHECK(!memcmp(buf, "MPA ID Rep Frame", 16));
	*flags = buf[16];
	return 1;
}

static int shout(const void *data, size_t len, uint8_t *flags)
{
	int fd = call(SRV, CLI);

	CHECK(fd >= 0);
	CHECK_EQ(send(fd, data, len, MSG_NOSIGNAL), len);
	return answer(fd, flags);
}

static void open_port(struct end *a, struct end *b)
{
	uint64_t end = now_ms() + TOLD_MS;
	int fd;

	to_rtr(b, a);
	to_rts(b);
	while ((fd = call(SRV, CLI)) < 0 && now_ms() < end)
		sleep_ms(20);
	CHECK(fd >= 0);
	close(fd);
}

static void hostile(const void *arg)
{
	uint8_t frame[600], flags;
	struct end a, b, other;
	size_t len, i;
	int fd[8];

	ends_open(&a, &b);
	end_open(&other, SRV);
	open_port(&a, &b);
	/* no MPA at all, a frame too long, one of another kind */
	memset(frame, 0x5a, sizeof(frame));
	CHECK_EQ(shout(frame, sizeof(frame), &flags), 0);
	len = request(frame, &a, &b);
	frame[18] = 0xff;
	CHECK_EQ(shout(frame, len, &flags), 0);
	request(frame, &a, &b);
	memcpy(frame, "MPA ID Rep Frame", 16);
	CHECK_EQ(shout(frame, len, &flags), 0);
	/* one octet wrong in what counts, or the wrong pair: rejected */
	for (i = 24; i < 80; i++) {
		if (i == 30 || i == 31 || (i >= 32 && i < 36) ||
		    (i >= 44 && i < 48))
			continue;
		request(frame, &a, &b);
		frame[i] ^= 1;
		CHECK_EQ(shout(frame, len, &flags), 1);
		CHECK_EQ(flags & 0x20, 0x20);
	}
	request(frame, &other, &b);
	CHECK_EQ(shout(frame, len, &flags), 1);
	CHECK_EQ(flags & 0x20, 0x20);
	/* silent ones, and half a frame, do not stand in the way */
	request(frame, &a, &b);
	for (i = 0; i < 8; i++) {
		fd[i] = call(SRV, CLI);
		CHECK(fd[i] >= 0);
		send(fd[i], frame, 10 * i, MSG_NOSIGNAL);
	}
	to_rtr(&a, &b);
	to_rts(&a);
	both_ways(&a, &b);
	for (i = 0; i < 8; i++)
		close(fd[i]);
	ends_close(&a, &b);
	end_close(&other);
}

/*
 * Somebody at the peer's address knows the names and then keeps silent: the
 * QP is not kept for ever.
 */
static void impostor(const void *arg)
{
	uint8_t frame[80], reply[200];
	struct end a, b;
	size_t len;
	int fd;

	ends_open(&a, &b);
	open_port(&a, &b);
	len = request(frame, &a, &b);
	fd = call(SRV, CLI);
	CHECK(fd >= 0);
	CHECK_EQ(send(fd, frame, len, MSG_NOSIGNAL), len);
	CHECK_EQ(recv(fd, reply, sizeof(reply), 0), 80);
	CHECK_EQ(reply[16] & 0x20, 0);
	CHECK(!memcmp(reply + 48, &b.gid, 16));
	CHECK(!memcmp(reply + 64, &a.gid, 16));
	expect_fatal(&b, 15000);
	close(fd);
	ends_close(&a, &b);
}

/* From an address that no QP waits for: not even a Reply. */
static void stranger(const void *arg)
{
	struct end a, b;
	uint8_t frame[80], flags;
	size_t len;
	int fd;

	ends_open(&a, &b);
	open_port(&a, &b);
	len = request(frame, &a, &b);
	/* the host's own address is another one than the peer's */
	fd = call(CLI, CLI);
	if (fd >= 0) {
		send(fd, frame, len, MSG_NOSIGNAL);
		CHECK_EQ(answer(fd, &flags), 0);
	}
	to_rtr(&a, &b);
	to_rts(&a);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

/* rdma_cm does not get a QP that waits for somebody. */
static void not_for_cm(const void *arg)
{
	struct ibv_qp_attr attr;
	struct rig r;
	struct end b;

	end_open(&b, CLI);
	rig_connect(&r);
	/* connected by rdma_cm: a peer cannot be named any more */
	attr = rtr_attr(&b, &b.gid, b.qp->qp_num);
	CHECK_EQ(ibv_modify_qp(r.c.qp, &attr, RTR_MASK), EINVAL);
	rig_ping(&r);
	rig_close(&r);
	end_close(&b);
}

/* --- cases: acknowledged messages ----------------------------------------- */

static void post_write(struct end *e, uint64_t id, uint64_t to, uint32_t rkey)
{
	struct ibv_sge sge = buf_sge(&e->b, 0, LEN);
	struct ibv_send_wr *bad, wr = {
		.wr_id = id,
		.opcode = IBV_WR_RDMA_WRITE,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = to, .rkey = rkey },
	};

	CHECK_OK(ibv_post_send(e->qp, &wr, &bad));
}

/* Completions of @n requests, 0 and up, of which one is refused. */
static void expect_refusal(struct end *e, int n, int bad,
			   enum ibv_wc_status status)
{
	int i;

	for (i = 0; i < bad; i++)
		wc_expect(e->cq, i, IBV_WC_SUCCESS);
	wc_expect(e->cq, bad, status);
	for (i = bad + 1; i < n; i++)
		wc_expect(e->cq, i, IBV_WC_WR_FLUSH_ERR);
}

enum { ROUNDS = 200, BACK = 8 };

/*
 * A Write that the peer refuses, behind good ones and before others, while
 * data come the other way, is the one that fails.
 */
static void peer_refuses_write(const void *arg)
{
	struct buf readonly, alien;
	struct ibv_pd *pd;
	struct end a, b;
	int i, k;

	ends_open(&a, &b);
	pd = ibv_alloc_pd(b.ctx);
	CHECK(pd);
	buf_new(&alien, pd, LEN, 0, RW_ACCESS);
	buf_new(&readonly, b.pd, LEN, 0, IBV_ACCESS_REMOTE_READ);
	for (i = 0; i < ROUNDS; i++) {
		int good = i % 6;
		const struct {
			const void *to;
			uint32_t rkey;
		} bad[] = {
			{ b.b.p, b.b.mr->rkey ^ 0x55 },
			{ b.b.p + 8, b.b.mr->rkey },
			{ readonly.p, readonly.mr->rkey },
			{ alien.p, alien.mr->rkey },
		};

		join(&a, &b);
		for (k = 0; k < BACK; k++)
			give(&b, k, IBV_WR_RDMA_WRITE, &a);
		for (k = 0; k < good; k++)
			give(&a, k, IBV_WR_RDMA_WRITE, &b);
		post_write(&a, good, (uintptr_t)bad[i % 4].to, bad[i % 4].rkey);
		for (k = good + 1; k < good + 4; k++)
			give(&a, k, IBV_WR_RDMA_WRITE, &b);
		expect_refusal(&a, good + 4, good, IBV_WC_REM_ACCESS_ERR);
		start_over(&a, &b);
	}
	join(&a, &b);
	both_ways(&a, &b);
	buf_free(&alien);
	buf_free(&readonly);
	CHECK_OK(ibv_dealloc_pd(pd));
	ends_close(&a, &b);
}

static void post_long(struct end *e, uint64_t id, const struct buf *from,
		      const struct buf *to, uint64_t off, uint32_t rkey)
{
	struct ibv_sge sge = buf_sge(from, 0, from->len);
	struct ibv_send_wr *bad, wr = {
		.wr_id = id,
		.opcode = IBV_WR_RDMA_WRITE,
		.sg_list = &sge,
		.num_sge = 1,
		.send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = (uintptr_t)to->p + off,
			     .rkey = rkey },
	};

	CHECK_OK(ibv_post_send(e->qp, &wr, &bad));
}

/* A Write of many segments, refused at its first or at its last one. */
static void peer_refuses_long(const void *arg)
{
	enum { BIG = 4 << 20 };
	struct buf from, to;
	struct end a, b;
	int i;

	ends_open(&a, &b);
	buf_new(&from, a.pd, BIG, 0, RW_ACCESS);
	buf_new(&to, b.pd, BIG, 0, RW_ACCESS);
	for (i = 0; i < 10; i++) {
		uint32_t rkey = to.mr->rkey;

		join(&a, &b);
		give(&b, 9, IBV_WR_RDMA_WRITE, &a);
		post_long(&a, 0, &from, &to, 0, rkey);
		give(&a, 1, IBV_WR_RDMA_WRITE, &b);
		post_long(&a, 2, &from, &to, i % 2, i % 2 ? rkey : rkey ^ 0x55);
		give(&a, 3, IBV_WR_RDMA_WRITE, &b);
		expect_refusal(&a, 4, 2, IBV_WC_REM_ACCESS_ERR);
		start_over(&a, &b);
	}
	buf_free(&from);
	buf_free(&to);
	ends_close(&a, &b);
}

static void take_part(struct end *e, uint64_t id, uint32_t len, uint32_t lkey)
{
	struct ibv_sge sge = buf_sge(&e->b, 0, len);
	struct ibv_recv_wr *bad, wr = {
		.wr_id = id,
		.sg_list = &sge,
		.num_sge = 1,
	};

	sge.lkey = lkey;
	CHECK_OK(ibv_post_recv(e->qp, &wr, &bad));
}

/* Likewise a Send: the receive is too short, or its memory is gone. */
static void peer_refuses_send(const void *arg)
{
	enum ibv_wc_status status[2] = {
		IBV_WC_REM_INV_REQ_ERR,
		/* version 1 of the ABI has no better one */
		stock_provider() ? IBV_WC_GENERAL_ERR : IBV_WC_REM_OP_ERR,
	};
	struct end a, b;
	int i, k;

	ends_open(&a, &b);
	for (i = 0; i < ROUNDS; i++) {
		int good = i % 5;
		uint32_t lkey = b.b.mr->lkey;

		for (k = 0; k < good; k++)
			take(&b, k);
		take_part(&b, good, i % 2 ? LEN : LEN - 1,
			  i % 2 ? lkey ^ 0x55 : lkey);
		join(&a, &b);
		for (k = 0; k < BACK; k++)
			give(&b, 200, IBV_WR_RDMA_WRITE, &a);
		for (k = 0; k < good + 3; k++)
			give(&a, k, IBV_WR_SEND, NULL);
		expect_refusal(&a, good + 3, good, status[i % 2]);
		start_over(&a, &b);
	}
	join(&a, &b);
	both_ways(&a, &b);
	ends_close(&a, &b);
}

/* A Send that finds no receive completes with it, or not well. */
static void unreceived_send(const void *arg)
{
	struct end a, b;

	ends_open(&a, &b);
	set_option(CLI, "rnr_wait", 5000);
	join(&a, &b);
	give(&a, 1, IBV_WR_SEND, NULL);
	wc_none(a.cq, 300);
	take(&b, 2);
	wc_expect(a.cq, 1, IBV_WC_SUCCESS);
	wc_expect(b.cq, 2, IBV_WC_SUCCESS);
	set_option(CLI, "rnr_wait", 100);
	give(&a, 3, IBV_WR_RDMA_WRITE, &b);
	give(&a, 4, IBV_WR_SEND, NULL);
	wc_expect(a.cq, 3, IBV_WC_SUCCESS);
	wc_expect(a.cq, 4, stock_provider() ? IBV_WC_GENERAL_ERR :
					      IBV_WC_RNR_RETRY_EXC_ERR);
	set_option(CLI, "rnr_wait", 1000);
	ends_close(&a, &b);
}

/*
 * The acknowledgment waits behind a Send for which no receive is posted, and
 * it is posted only after the Write has completed.
 */
static void ack_behind_send(const void *arg)
{
	struct end a, b;

	ends_open(&a, &b);
	set_option(SRV, "rnr_wait", 10000);
	join(&a, &b);
	give(&b, 1, IBV_WR_SEND, NULL);
	sleep_ms(100);
	give(&a, 2, IBV_WR_RDMA_WRITE, &b);
	wc_expect(a.cq, 2, IBV_WC_SUCCESS);
	wc_none(b.cq, 0);
	take(&a, 3);
	wc_expect(a.cq, 3, IBV_WC_SUCCESS);
	wc_expect(b.cq, 1, IBV_WC_SUCCESS);
	both_ways(&a, &b);
	set_option(SRV, "rnr_wait", 1000);
	ends_close(&a, &b);
}

/* Acknowledgments come between the segments of long messages. */
static void *answer_each(void *arg)
{
	struct end *e = arg;
	struct ibv_wc wc;
	int left = ANSWERS;

	while (left) {
		if (ibv_poll_cq(e->cq, 1, &wc) <= 0 ||
		    wc.opcode != IBV_WC_RECV)
			continue;
		take(e, 3);
		give(e, 4, IBV_WR_SEND, NULL);
		left--;
	}
	return NULL;
}

/* A request is done before its answer is there. */
static void answers(const void *arg)
{
	struct end a, b;
	pthread_t peer;
	int i;

	ends_open(&a, &b);
	take(&b, 3);
	take(&b, 3);
	join(&a, &b);
	CHECK_OK(pthread_create(&peer, NULL, answer_each, &b));
	for (i = 0; i < ANSWERS; i++) {
		take(&a, 1);
		give(&a, 2, IBV_WR_SEND, NULL);
		wc_expect(a.cq, 2, IBV_WC_SUCCESS);
		wc_expect(a.cq, 1, IBV_WC_SUCCESS);
	}
	CHECK_OK(pthread_join(peer, NULL));
	ends_close(&a, &b);
}

static void long_both_ways(const void *arg)
{
	enum { BIG = 1 << 20, N = 12 };
	struct buf from[2], to[2];
	struct end e[2];
	int i, k;

	end_open(&e[0], SRV);
	end_open(&e[1], CLI);
	for (i = 0; i < 2; i++) {
		buf_new(&from[i], e[i].pd, BIG, 0, RW_ACCESS);
		buf_new(&to[i], e[i].pd, BIG, 0, RW_ACCESS);
		buf_fill(&from[i], 30 + i);
		buf_clear(&to[i]);
	}
	join(&e[0], &e[1]);
	for (k = 0; k < N; k++) {
		for (i = 0; i < 2; i++) {
			take(&e[!i], 100 + k);
			post_long(&e[i], k, &from[i], &to[!i], 0,
				  to[!i].mr->rkey);
			give(&e[i], 200 + k, IBV_WR_SEND, NULL);
		}
	}
	for (i = 0; i < 2; i++) {
		int got[3] = {};

		for (k = 0; k < 3 * N; k++) {
			struct ibv_wc wc = wc_get(e[i].cq);

			CHECK_EQ(wc.status, IBV_WC_SUCCESS);
			CHECK_EQ(wc.wr_id % 100, got[wc.wr_id / 100]);
			got[wc.wr_id / 100]++;
		}
	}
	for (i = 0; i < 2; i++) {
		buf_check(&to[!i], 0, BIG, 30 + i, 0);
		both_ways(&e[i], &e[!i]);
	}
	for (i = 0; i < 2; i++) {
		buf_free(&from[i]);
		buf_free(&to[i]);
		end_close(&e[i]);
	}
}

static void make_stuck(struct end *a, struct end *b)
{
	int i;

	end_open(a, SRV);
	end_open(b, CLI);
	set_option(CLI, "rnr_wait", 60000);
	join(a, b);
	for (i = 0; i < BACK; i++)
		give(a, i, IBV_WR_SEND, NULL);
	wc_none(a->cq, 100);
}

/* What waits for its acknowledgment is flushed. */
static void end_with_waiters(const void *arg)
{
	struct end a, b;
	uint64_t t0;
	int i;

	make_stuck(&a, &b);
	t0 = now_ms();
	CHECK_OK(to_state(&a, IBV_QPS_ERR));
	for (i = 0; i < BACK; i++)
		wc_expect(a.cq, i, IBV_WC_WR_FLUSH_ERR);
	CHECK(now_ms() - t0 < 3000);
	ends_close(&a, &b);
	make_stuck(&a, &b);
	/* the peer goes */
	CHECK_OK(ibv_destroy_qp(b.qp));
	b.qp = NULL;
	for (i = 0; i < BACK; i++)
		wc_expect(a.cq, i, IBV_WC_WR_FLUSH_ERR);
	ends_close(&a, &b);
	make_stuck(&a, &b);
	t0 = now_ms();
	ends_close(&a, &b);
	CHECK(now_ms() - t0 < 5000);
	set_option(CLI, "rnr_wait", 1000);
}

/* The next FPDU of a stream without CRC and markers; its octets in all. */
static size_t fpdu_read(int fd, uint8_t *fpdu, size_t room)
{
	size_t len;

	CHECK_EQ(recv(fd, fpdu, 2, MSG_WAITALL), 2);
	len = ((2 + (fpdu[0] << 8 | fpdu[1]) + 3) & ~3) + 4;
	CHECK(len <= room);
	CHECK_EQ(recv(fd, fpdu + 2, len - 2, MSG_WAITALL), len - 2);
	return len;
}

/* A tagged FPDU of no octets: Write or acknowledgment. */
static void fpdu_send(int fd, uint8_t opcode, uint32_t stag, uint64_t to)
{
	uint8_t fpdu[20] = { 0, 14, 0xc1, 0x40 | opcode };
	int i;

	stag = htonl(stag);
	memcpy(fpdu + 4, &stag, sizeof(stag));
	for (i = 0; i < 8; i++)
		fpdu[8 + i] = to >> (56 - 8 * i);
	CHECK_EQ(send(fd, fpdu, sizeof(fpdu), MSG_NOSIGNAL), sizeof(fpdu));
}

/* Takes the place of @a and starts up as it would, without CRC. */
static int start_as(struct end *a, struct end *b)
{
	uint8_t frame[80], reply[80];
	size_t len = request(frame, a, b);
	int fd = call(SRV, CLI);

	CHECK(fd >= 0);
	frame[16] &= ~0x40;
	frame[35] = 2;
	CHECK_EQ(send(fd, frame, len, MSG_NOSIGNAL), len);
	CHECK_EQ(recv(fd, reply, sizeof(reply), MSG_WAITALL), 80);
	CHECK_EQ(reply[16] & 0x60, 0);
	CHECK_EQ(reply[35] & 2, 2);
	fpdu_send(fd, 0, 1, 0);
	return fd;
}

/* Acknowledgments as a peer sees and sends them, also one that lies. */
static void acks_on_the_wire(const void *arg)
{
	static const uint8_t ack[16] = { 0, 14, 0xc1, 0x4f, [15] = 20 };
	uint8_t fpdu[9100];
	struct end a, b;
	uint64_t pos;
	int fd;

	ends_open(&a, &b);
	set_option(CLI, "crc", 0);
	open_port(&a, &b);
	fd = start_as(&a, &b);
	pos = fpdu_read(fd, fpdu, sizeof(fpdu));
	CHECK_EQ(pos, 20);
	CHECK(!memcmp(fpdu, ack, sizeof(ack)));
	give(&b, 5, IBV_WR_SEND, NULL);
	do {
		pos += fpdu_read(fd, fpdu, sizeof(fpdu));
		CHECK_EQ(fpdu[3], 0x43);
	} while (!(fpdu[2] & 0x40));
	fpdu_send(fd, 0xf, 0, pos - 1);
	wc_none(b.cq, 200);
	fpdu_send(fd, 0xf, 0, pos);
	wc_expect(b.cq, 5, IBV_WC_SUCCESS);
	/* more than was sent: a Terminate, unexpected opcode */
	fpdu_send(fd, 0xf, 0, pos + 1);
	fpdu_read(fd, fpdu, sizeof(fpdu));
	CHECK_EQ(fpdu[3], 0x47);
	CHECK_EQ(fpdu[20], 0x02);
	CHECK_EQ(fpdu[21], 0x06);
	close(fd);
	set_option(CLI, "crc", 1);
	ends_close(&a, &b);
}

/* --- addresses that come and go, which rdv.sh makes ------------------------ */

static void entry_stays(const void *arg)
{
	uint64_t end = now_ms() + WAIT_MS / 4;
	union ibv_gid got;
	struct end e;

	end_open(&e, SRV);
	do {
		CHECK_OK(ibv_query_gid(e.ctx, 1, e.index, &got));
		CHECK(!memcmp(&got, &e.gid, sizeof(got)));
	} while (now_ms() < end);
	end_close(&e);
}

static void rtr_always(const void *arg)
{
	uint64_t end = now_ms() + WAIT_MS / 4;
	struct end a, b;

	ends_open(&a, &b);
	do {
		CHECK_OK(try_rtr(&a, &b.gid, 77));
		CHECK_OK(to_state(&a, IBV_QPS_RESET));
		CHECK_OK(to_init(a.qp));
	} while (now_ms() < end);
	ends_close(&a, &b);
}

/* --- waiting, for scripts ------------------------------------------------ */

static void stay_stuck(void)
{
	struct end a, b;

	make_stuck(&a, &b);
	printf("stuck\n");
	fflush(stdout);
	for (;;)
		pause();
}

static int wait_for_ever(const char *dev, const char *own, const char *peer)
{
	struct ibv_async_event ev;
	union ibv_gid gid;
	struct end e;

	end_open_dev(&e, dev, own);
	gid_of(peer, &gid);
	take(&e, 1);
	CHECK_OK(try_rtr(&e, &gid, 77));
	to_rts(&e);
	printf("waiting\n");
	fflush(stdout);
	for (;;) {
		if (!async_wait(e.ctx, &ev, 600000))
			return KSFT_FAIL;
		printf("told %s\n", ibv_event_type_str(ev.event_type));
		fflush(stdout);
	}
}

/* For rdv.sh, which makes what they need. */
static const struct test_case special[] = {
	{ "other_namespace", other_namespace },
	{ "entry_stays", entry_stays },
	{ "rtr_always", rtr_always },
};

static bool is_special(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcmp(name, special[i].name))
			return true;
	return false;
}

static const struct test_case cases[] = {
	{ "active_first", active_first },
	{ "passive_first", passive_first },
	{ "work_waits_active", work_waits, "active" },
	{ "work_waits_passive", work_waits, NULL },
	{ "same_device", same_device },
	{ "self", self },
	{ "one_sided", one_sided },
	{ "many", many },
	{ "attributes", attributes },
	{ "refused", refused },
	{ "reset_and_again", reset_and_again },
	{ "reset_forgets", reset_forgets },
	{ "destroyed_silently", destroyed_silently },
	{ "destroy_waiting", destroy_waiting },
	{ "last_words", last_words },
	{ "nobody", nobody },
	{ "triangle", triangle },
	{ "no_host", no_host },
	{ "port_closed", port_closed },
	{ "hostile", hostile },
	{ "impostor", impostor, NULL, 30 },
	{ "stranger", stranger },
	{ "not_for_cm", not_for_cm },
	{ "peer_refuses_write", peer_refuses_write, NULL, 100 },
	{ "peer_refuses_send", peer_refuses_send, NULL, 100 },
	{ "peer_refuses_long", peer_refuses_long, NULL, 60 },
	{ "unreceived_send", unreceived_send },
	{ "ack_behind_send", ack_behind_send },
	{ "answers", answers },
	{ "long_both_ways", long_both_ways },
	{ "end_with_waiters", end_with_waiters },
	{ "acks_on_the_wire", acks_on_the_wire },
};

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "wait"))
		return wait_for_ever(argv[2], argv[3], argv[4]);
	if (argc == 2 && !strcmp(argv[1], "stuck"))
		stay_stuck();
	if (argc > 1 && is_special(argv[argc - 1]))
		return ktap_main(special, ARRAY_SIZE(special), argc, argv);
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
