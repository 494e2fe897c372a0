// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Errors: what a forbidden access of either side does to the two ends, what
 * it must not do to memory and to other connections, and flushing.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN		4096
#define ANY_ERROR	IBV_WC_GENERAL_ERR
#define END_EVENTS	((1ULL << IBV_EVENT_QP_FATAL) | \
			 (1ULL << IBV_EVENT_QP_REQ_ERR) | \
			 (1ULL << IBV_EVENT_QP_ACCESS_ERR))

/**
 * struct viol - a request the responder must refuse
 * @opcode: of the request
 * @access: rights of the target
 * @off: distance of the address from the start of the target
 * @len: octets asked for
 * @abs: absolute address in place of @off, if not 0
 * @key: what is wrong with the STag
 * @recv_len: octets of the posted receive, 0 if none is posted
 * @recv_status: how that receive ends; success means flushed
 */
struct viol {
	enum ibv_wr_opcode opcode;
	int access;
	int64_t off;
	uint32_t len;
	uint64_t abs;
	enum { KEY_GOOD, KEY_BAD, KEY_PD, KEY_GONE, KEY_ZERO } key;
	uint32_t recv_len;
	enum ibv_wc_status recv_status;
};

static uint32_t pick_key(const struct viol *v, struct rig *r, struct buf *t)
{
	struct ibv_pd *pd;
	uint32_t key;

	switch (v->key) {
	case KEY_BAD:
		return t->mr->rkey ^ 0x5a00;
	case KEY_ZERO:
		return 0;
	case KEY_PD:
		pd = ibv_alloc_pd(r->s.ctx);
		CHECK(pd);
		CHECK_OK(ibv_dereg_mr(t->mr));
		t->mr = ibv_reg_mr(pd, t->p, LEN, RW_ACCESS);
		CHECK(t->mr);
		return t->mr->rkey;
	case KEY_GONE:
		key = t->mr->rkey;
		CHECK_OK(ibv_dereg_mr(t->mr));
		t->mr = NULL;
		return key;
	default:
		return t->mr->rkey;
	}
}

static void check_request(const struct viol *v, struct ep *e)
{
	struct ibv_wc wc;

	wc = wc_get(e->scq);
	CHECK_EQ(wc.wr_id, 1);
	note("the request ends with \"%s\"", ibv_wc_status_str(wc.status));
	if (v->opcode == IBV_WR_RDMA_READ) {
		CHECK_EQ(wc.status, IBV_WC_REM_ACCESS_ERR);
		return;
	}
	/* A Write or Send is done once sent; the refusal may come sooner. */
	CHECK(wc.status == IBV_WC_SUCCESS ||
	      wc.status == IBV_WC_REM_ACCESS_ERR ||
	      wc.status == IBV_WC_REM_INV_REQ_ERR ||
	      wc.status == IBV_WC_REM_OP_ERR ||
	      wc.status == IBV_WC_WR_FLUSH_ERR);
}

static void check_ended(struct rig *r)
{
	uint64_t t = now_ms();

	if (!cm_wait_end(r->c.ch, TOLD_MS))
		FAIL("requester is not told of the end");
	if (!cm_wait_end(r->s.ch, TOLD_MS))
		FAIL("responder is not told of the end");
	note("both ends told within %llu ms",
	     (unsigned long long)(now_ms() - t));
	CHECK_EQ(ep_state(&r->c), IBV_QPS_ERR);
	CHECK_EQ(ep_state(&r->s), IBV_QPS_ERR);
}

static void check_responder(const struct viol *v, struct rig *r)
{
	struct ibv_wc wc;

	if (v->opcode == IBV_WR_SEND && !v->recv_len) {
		wc_none(r->s.rcq, 20);
		return;
	}
	wc = wc_get(r->s.rcq);
	CHECK_EQ(wc.wr_id, 2);
	if (v->recv_status == ANY_ERROR)
		CHECK(wc.status != IBV_WC_SUCCESS);
	else
		CHECK_EQ(wc.status, v->recv_status ? v->recv_status :
						     IBV_WC_WR_FLUSH_ERR);
	wc = wc_get(r->s.rcq);
	CHECK_EQ(wc.wr_id, 3);
	CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
}

static void violation(const void *arg)
{
	const struct viol *v = arg;
	struct buf l, t, in;
	struct ibv_sge ls, rs, cs;
	struct op o = { .id = 1, .opcode = v->opcode, .sge = &ls, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct rig r, other;

	rig_connect(&other);
	rig_connect(&r);
	buf_new(&l, r.c.pd, 2 * LEN, 0, RW_ACCESS);
	buf_new(&t, r.s.pd, LEN, 0, v->access);
	buf_new(&in, r.s.pd, 2 * LEN, 0, RW_ACCESS);
	memset(l.p, 0x77, l.len);
	buf_clear(&t);
	buf_clear(&in);
	ls = buf_sge(&l, 0, v->len);
	cs = buf_sge(&l, LEN, 64);
	post_recv(&r.c, 4, &cs, 1);
	if (v->recv_len || v->opcode != IBV_WR_SEND) {
		rs = buf_sge(&in, 0, v->recv_len ? v->recv_len : 64);
		post_recv(&r.s, 2, &rs, 1);
		rs = buf_sge(&in, LEN, 64);
		post_recv(&r.s, 3, &rs, 1);
	}
	o.rkey = pick_key(v, &r, &t);
	o.raddr = v->abs ? v->abs : (uintptr_t)t.p + v->off;
	post_op(&r.c, &o);
	check_request(v, &r.c);
	check_ended(&r);
	check_responder(v, &r);
	wc_expect(r.c.rcq, 4, IBV_WC_WR_FLUSH_ERR);
	/* Segments before the one that leaves the region are placed. */
	if (v->len <= LEN)
		buf_check_clear(&t, 0, LEN);
	buf_check_canary(&t);
	if (v->opcode == IBV_WR_RDMA_READ && (l.p[0] != 0x77 ||
					      l.p[v->len - 1] != 0x77))
		FAIL("sink of the refused Read was written");
	if (v->recv_len)
		buf_check_clear(&in, v->recv_len, in.len - v->recv_len);
	if (!async_seen(r.s.ctx, END_EVENTS, TOLD_MS))
		FAIL("no asynchronous event at the responder");
	/* A Write or Send may be complete long before it is refused. */
	if (v->opcode != IBV_WR_RDMA_READ &&
	    !async_seen(r.c.ctx, END_EVENTS, TOLD_MS))
		FAIL("no asynchronous event at the requester");
	rig_ping(&other);
	rig_close(&other);
	rig_close(&r);
}

#define VIOL(n, ...) \
	static const struct viol viol_##n = { __VA_ARGS__ }

#define W	.opcode = IBV_WR_RDMA_WRITE, .access = RW_ACCESS
#define R	.opcode = IBV_WR_RDMA_READ, .access = RW_ACCESS
#define S	.opcode = IBV_WR_SEND, .access = RW_ACCESS
#define I	.opcode = IBV_WR_SEND_WITH_INV, .access = RW_ACCESS
/* Every right but the one the request needs. */
#define WX	.opcode = IBV_WR_RDMA_WRITE, .access = READ_ONLY
#define RX	.opcode = IBV_WR_RDMA_READ, .access = WRITE_ONLY
#define READ_ONLY	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ)
#define WRITE_ONLY	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)
#define RECV(n, s)	.recv_len = (n), .recv_status = (s)

VIOL(write_bad_key, W, .len = 100, .key = KEY_BAD);
VIOL(write_zero_key, W, .len = 100, .key = KEY_ZERO);
VIOL(write_gone_key, W, .len = 100, .key = KEY_GONE);
VIOL(write_other_pd, W, .len = 100, .key = KEY_PD);
VIOL(write_past_end, W, .off = LEN - 99, .len = 100);
VIOL(write_long, W, .len = LEN + 1);
VIOL(write_before, W, .off = -1, .len = 100);
VIOL(write_far, W, .off = 1LL << 40, .len = 100);
VIOL(write_wrap, W, .abs = ~0ULL - 10, .len = 100);
VIOL(write_no_right, WX, .len = 100);
VIOL(read_bad_key, R, .len = 100, .key = KEY_BAD);
VIOL(read_gone_key, R, .len = 100, .key = KEY_GONE);
VIOL(read_other_pd, R, .len = 100, .key = KEY_PD);
VIOL(read_past_end, R, .off = LEN - 99, .len = 100);
VIOL(read_before, R, .off = -1, .len = 100);
VIOL(read_wrap, R, .abs = ~0ULL - 10, .len = 100);
VIOL(read_no_right, RX, .len = 100);
VIOL(send_too_long, S, .len = 100, RECV(99, IBV_WC_LOC_LEN_ERR));
VIOL(send_no_receive, S, .len = 100);
VIOL(send_inv_bad_key, I, .len = 64, .key = KEY_BAD, RECV(64, ANY_ERROR));

/* --- local errors ---------------------------------------------------------- */

enum local_kind { L_KEY, L_BEYOND, L_BEFORE, L_PD, L_GONE, L_RIGHT };

struct local {
	enum ibv_wr_opcode opcode;
	enum local_kind kind;
};

/* Spoil an SGE over @b, whose MR may be replaced. */
static void spoil(struct ibv_sge *g, struct buf *b, struct ep *e,
		  enum local_kind kind, int access)
{
	struct ibv_pd *pd;

	*g = buf_sge(b, 0, 200);
	switch (kind) {
	case L_KEY:
		g->lkey ^= 0x5a00;
		break;
	case L_BEYOND:
		*g = buf_sge(b, LEN - 100, 200);
		break;
	case L_BEFORE:
		g->addr -= 1;
		break;
	case L_PD:
		pd = ibv_alloc_pd(e->ctx);
		CHECK(pd);
		CHECK_OK(ibv_dereg_mr(b->mr));
		b->mr = ibv_reg_mr(pd, b->p, LEN, access);
		CHECK(b->mr);
		g->lkey = b->mr->lkey;
		break;
	case L_GONE:
		CHECK_OK(ibv_dereg_mr(b->mr));
		b->mr = NULL;
		break;
	case L_RIGHT:
		CHECK_OK(ibv_dereg_mr(b->mr));
		b->mr = ibv_reg_mr(e->pd, b->p, LEN, 0);
		CHECK(b->mr);
		g->lkey = b->mr->lkey;
		break;
	}
}

static bool local_status(enum local_kind kind, enum ibv_wc_status s)
{
	note("status \"%s\"", ibv_wc_status_str(s));
	if (kind == L_RIGHT)
		return s == IBV_WC_LOC_PROT_ERR || s == IBV_WC_LOC_ACCESS_ERR;
	return s == IBV_WC_LOC_PROT_ERR;
}

static void local_error(const void *arg)
{
	const struct local *k = arg;
	struct ibv_sge ls, rs;
	struct op o = { .id = 1, .opcode = k->opcode, .sge = &ls, .nsge = 1,
			.flags = 0 };
	struct op z = { .id = 5, .opcode = IBV_WR_RDMA_WRITE };
	struct rig r, other;
	struct buf l, t;
	struct ibv_wc wc;

	rig_connect(&other);
	rig_connect(&r);
	buf_new(&l, r.c.pd, LEN, 0, RW_ACCESS);
	buf_new(&t, r.s.pd, LEN, 0, RW_ACCESS);
	buf_clear(&t);
	memset(l.p, 0x77, LEN);
	rs = buf_sge(&t, 0, LEN);
	post_recv(&r.s, 2, &rs, 1);
	spoil(&ls, &l, &r.c, k->kind, RW_ACCESS);
	o.raddr = rs.addr;
	o.rkey = rs.lkey;
	post_op(&r.c, &o);
	if (!stock_provider())
		post_op(&r.c, &z);
	wc = wc_get(r.c.scq);
	CHECK_EQ(wc.wr_id, 1);
	CHECK(local_status(k->kind, wc.status));
	if (!stock_provider())
		wc_expect(r.c.scq, 5, IBV_WC_WR_FLUSH_ERR);
	check_ended(&r);
	wc_expect(r.s.rcq, 2, IBV_WC_WR_FLUSH_ERR);
	if (k->kind != L_BEYOND)
		buf_check_clear(&t, 0, LEN);
	CHECK_EQ(l.p[0], 0x77);
	buf_check_canary(&l);
	rig_ping(&other);
	rig_close(&r);
	rig_close(&other);
}

#define LOC(n, ...) \
	static const struct local loc_##n = { __VA_ARGS__ }

LOC(send_key, IBV_WR_SEND, L_KEY);
LOC(send_beyond, IBV_WR_SEND, L_BEYOND);
LOC(send_before, IBV_WR_SEND, L_BEFORE);
LOC(send_pd, IBV_WR_SEND, L_PD);
LOC(send_gone, IBV_WR_SEND, L_GONE);
LOC(write_key, IBV_WR_RDMA_WRITE, L_KEY);
LOC(write_beyond, IBV_WR_RDMA_WRITE, L_BEYOND);
LOC(read_key, IBV_WR_RDMA_READ, L_KEY);
LOC(read_beyond, IBV_WR_RDMA_READ, L_BEYOND);
LOC(read_pd, IBV_WR_RDMA_READ, L_PD);
LOC(read_right, IBV_WR_RDMA_READ, L_RIGHT);

/* A receive buffer is checked when a message arrives for it. */
static void recv_error(const void *arg)
{
	enum local_kind kind = *(const enum local_kind *)arg;
	struct op o = { .id = 1, .opcode = IBV_WR_SEND, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_sge ls, rs;
	struct rig r, other;
	struct buf l, t;
	struct ibv_wc wc;

	rig_connect(&other);
	rig_connect(&r);
	buf_new(&l, r.c.pd, LEN, 0, 0);
	buf_new(&t, r.s.pd, LEN, 0, RW_ACCESS);
	buf_clear(&t);
	memset(l.p, 0x77, LEN);
	ls = buf_sge(&l, 0, 200);
	o.sge = &ls;
	spoil(&rs, &t, &r.s, kind, RW_ACCESS);
	post_recv(&r.s, 2, &rs, 1);
	wc_none(r.s.rcq, 20);
	post_op(&r.c, &o);
	wc = wc_get(r.s.rcq);
	CHECK_EQ(wc.wr_id, 2);
	CHECK(local_status(kind, wc.status));
	check_ended(&r);
	if (kind != L_BEYOND)
		buf_check_clear(&t, 0, LEN);
	buf_check_canary(&t);
	rig_ping(&other);
	rig_close(&r);
	rig_close(&other);
}

static const enum local_kind k_key = L_KEY, k_beyond = L_BEYOND, k_pd = L_PD,
	k_gone = L_GONE, k_right = L_RIGHT;

/* --- flushing -------------------------------------------------------------- */

static void to_error(struct ep *e)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_ERR };

	CHECK_OK(ibv_modify_qp(e->qp, &a, IBV_QP_STATE));
}

/* Receives outstanding at both ends come back once each, in order. */
static void flush_receives(const void *arg)
{
	struct ibv_sge cs, ss;
	struct buf b, d;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&b, r.c.pd, 64, 0, RW_ACCESS);
	buf_new(&d, r.s.pd, 64, 0, RW_ACCESS);
	cs = buf_sge(&b, 0, 64);
	ss = buf_sge(&d, 0, 64);
	for (i = 0; i < 20; i++) {
		post_recv(&r.c, i, &cs, 1);
		post_recv(&r.s, i, &ss, 1);
	}
	to_error(&r.c);
	for (i = 0; i < 20; i++)
		wc_expect(r.c.rcq, i, IBV_WC_WR_FLUSH_ERR);
	for (i = 0; i < 20; i++)
		wc_expect(r.s.rcq, i, IBV_WC_WR_FLUSH_ERR);
	wc_none(r.c.rcq, 20);
	wc_none(r.s.rcq, 0);
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	rig_close(&r);
}

/* Sends under way all complete, first the good ones, then flushed ones. */
static void flush_sends(const void *arg)
{
	struct ep_attr ca = { .send_wr = 32, .depth_set = true, .ord = 1,
			      .ird = 1 };
	struct ibv_sge ls;
	struct op o = { .opcode = IBV_WR_RDMA_READ, .sge = &ls, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct buf b, d;
	struct ibv_wc wc;
	struct rig r;
	int i, good = 0;
	bool bad = false;

	rig_connect_attr(&r, &ca, NULL);
	buf_new(&b, r.c.pd, 1 << 20, 0, RW_ACCESS);
	buf_new(&d, r.s.pd, 1 << 20, 0, RW_ACCESS);
	ls = buf_sge(&b, 0, 1 << 20);
	o.raddr = (uintptr_t)d.p;
	o.rkey = d.mr->rkey;
	for (i = 0; i < 32; i++) {
		o.id = i;
		post_op(&r.c, &o);
	}
	to_error(&r.s);
	for (i = 0; i < 32; i++) {
		wc = wc_get(r.c.scq);
		CHECK_EQ(wc.wr_id, i);
		if (wc.status == IBV_WC_SUCCESS) {
			CHECK(!bad);
			good++;
			continue;
		}
		bad = true;
		CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
	}
	note("%d reads done before", good);
	CHECK(bad);
	wc_none(r.c.scq, 20);
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	rig_close(&r);
}

static void flush_late_sends(const void *arg)
{
	struct op o = { .opcode = IBV_WR_SEND };
	struct rig r;
	int i;

	rig_connect(&r);
	to_error(&r.c);
	for (i = 0; i < 5; i++) {
		o.id = i;
		post_op(&r.c, &o);
	}
	for (i = 0; i < 5; i++)
		wc_expect(r.c.scq, i, IBV_WC_WR_FLUSH_ERR);
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	o.id = 9;
	post_op(&r.s, &o);
	wc_expect(r.s.scq, 9, IBV_WC_WR_FLUSH_ERR);
	rig_close(&r);
}

static void flush_late_receives(const void *arg)
{
	struct ibv_sge cs;
	struct rig r;
	struct buf b;
	int i;

	if (stock_provider())
		skip_case("libsiw posts receives without a system call");
	rig_connect(&r);
	buf_new(&b, r.c.pd, 64, 0, RW_ACCESS);
	cs = buf_sge(&b, 0, 64);
	to_error(&r.c);
	CHECK_OK(ibv_req_notify_cq(r.c.rcq, 0));
	for (i = 0; i < 5; i++)
		post_recv(&r.c, i, &cs, 1);
	for (i = 0; i < 5; i++)
		wc_expect(r.c.rcq, i, IBV_WC_WR_FLUSH_ERR);
	CHECK(cq_event(r.c.rcc, TOLD_MS));
	rig_close(&r);
}

/* INIT to ERROR flushes what was posted before any connection. */
static void flush_init(const void *arg)
{
	struct ibv_sge cs;
	struct rig r = { 0 };
	struct buf b;
	int i;

	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
	ep_make_qp(&r.c, NULL);
	buf_new(&b, r.c.pd, 64, 0, RW_ACCESS);
	cs = buf_sge(&b, 0, 64);
	for (i = 0; i < 5; i++)
		post_recv(&r.c, i, &cs, 1);
	to_error(&r.c);
	for (i = 0; i < 5; i++)
		wc_expect(r.c.rcq, i, IBV_WC_WR_FLUSH_ERR);
	rig_close(&r);
}

/* A SRQ outlives its QP: its receives are not flushed. */
static void flush_not_srq(const void *arg)
{
	struct ep_attr sa = { .srq_wr = 16 };
	struct ibv_sge ss;
	struct rig r;
	struct buf b;

	rig_connect_attr(&r, NULL, &sa);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	ss = buf_sge(&b, 0, 64);
	post_recv(&r.s, 1, &ss, 1);
	to_error(&r.s);
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	wc_none(r.s.rcq, 50);
	rig_close(&r);
}

static void srq_empty(const void *arg)
{
	struct ep_attr sa = { .srq_wr = 16 };
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED };
	struct rig r, other;

	rig_connect(&other);
	rig_connect_attr(&r, NULL, &sa);
	post_op(&r.c, &o);
	wc_get(r.c.scq);
	check_ended(&r);
	wc_none(r.s.rcq, 20);
	rig_ping(&other);
	rig_close(&r);
}

/* Objects may go while their connection is busy. */
static void destroy_busy(const void *arg)
{
	struct ibv_sge ls;
	struct op o = { .opcode = IBV_WR_RDMA_WRITE, .sge = &ls, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct rig r;
	struct buf b, d;
	int i, k;

	for (k = 0; k < 6; k++) {
		rig_connect(&r);
		buf_new(&b, r.c.pd, 1 << 20, 0, RW_ACCESS);
		buf_new(&d, r.s.pd, 1 << 20, 0, RW_ACCESS);
		ls = buf_sge(&b, 0, 1 << 20);
		o.raddr = (uintptr_t)d.p;
		o.rkey = d.mr->rkey;
		o.opcode = k & 1 ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE;
		for (i = 0; i < 8; i++)
			post_op(&r.c, &o);
		sleep_ms(k);
		if (k % 3 == 0)
			CHECK_OK(ibv_dereg_mr(b.mr));
		if (k % 3 == 1)
			CHECK_OK(ibv_dereg_mr(d.mr));
		if (k % 3)
			rdma_destroy_qp(r.c.id);
		else
			rdma_destroy_qp(r.s.id);
		if (k % 3)
			r.c.qp = NULL;
		else
			r.s.qp = NULL;
		if (k % 3 != 0)
			CHECK_OK(ibv_dereg_mr(b.mr));
		if (k % 3 != 1)
			CHECK_OK(ibv_dereg_mr(d.mr));
		CHECK(cm_wait_end(k % 3 ? r.s.ch : r.c.ch, TOLD_MS));
		rig_close(&r);
	}
}

/* --- a process that writes whatever into its rings ------------------------- */

#define SCRIBBLE_MS	1500
#define MAX_RINGS	32

/**
 * struct ring - memory shared with the kernel
 * @at: where it is mapped
 * @len: octets
 */
struct ring {
	uint8_t *at;
	size_t len;
};

static int find_rings(struct ring *ring)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512], *end;
	uintptr_t from;
	int n = 0;

	CHECK(f);
	while (n < MAX_RINGS && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "/dev/infiniband/uverbs") ||
		    !strstr(line, " rw-s "))
			continue;
		from = strtoull(line, &end, 16);
		ring[n].at = (uint8_t *)from;
		ring[n++].len = strtoull(end + 1, NULL, 16) - from;
	}
	fclose(f);
	return n;
}

static void write_anything(const struct ring *ring, int n)
{
	const struct ring *r = &ring[random() % n];
	size_t at = random() % (r->len / 8) * 8;
	/* most of what matters is at the start of the elements there are */
	size_t near = random() % 512 / 8 * 8;
	uint64_t *word;

	if (random() & 1)
		at = near < r->len ? near : 0;
	word = (uint64_t *)&r->at[at];
	switch (random() % 4) {
	case 0:
		__atomic_store_n(&r->at[at + random() % 8], random(),
				 __ATOMIC_RELAXED);
		break;
	case 1:
		__atomic_store_n(word, 1, __ATOMIC_RELAXED);
		break;
	case 2:
		__atomic_store_n(word, ~0ULL, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n(word, (uint64_t)random() << 33 ^ random(),
				 __ATOMIC_RELAXED);
	}
}

/* Its own queue pairs may break, it may crash: nobody asks. */
static void scribble(unsigned int seed)
{
	uint64_t end = now_ms() + SCRIBBLE_MS;
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED };
	struct ep_attr sa = { .srq_wr = seed & 1 ? 16 : 0 };
	struct ring ring[MAX_RINGS];
	struct ibv_wc wc[16];
	struct ibv_sge s;
	struct buf b;
	struct rig r;
	int i, n;

	alarm(20);
	srandom(seed);
	rig_connect_attr(&r, NULL, &sa);
	buf_new(&b, r.c.pd, LEN, 0, RW_ACCESS);
	s = buf_sge(&b, 0, 64);
	o.sge = &s;
	o.nsge = 1;
	n = find_rings(ring);
	if (!n)
		_exit(2);
	while (now_ms() < end) {
		for (i = 0; i < 64; i++)
			write_anything(ring, n);
		try_recv(&r.s, 1, NULL, 0);
		try_op(&r.c, &o);
		ibv_poll_cq(r.c.scq, 16, wc);
		ibv_poll_cq(r.s.rcq, 16, wc);
	}
	_exit(0);
}

static void neighbour(unsigned int seed)
{
	uint64_t end = now_ms() + 2 * SCRIBBLE_MS;
	struct rig r;

	rig_connect(&r);
	while (now_ms() < end)
		rig_ping(&r);
	rig_close(&r);
	_exit(0);
}

/* In a process of its own that has nothing open of ours. */
static pid_t start(void (*fn)(unsigned int seed), unsigned int seed)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid)
		fn(seed);
	return pid;
}

/* Neighbours of such processes, on the same devices, are not harmed. */
static void scribbled_rings(const void *arg)
{
	unsigned int i, k, to_end = 0;
	pid_t next, pid[2];
	int status;

	for (i = 0; i < 4; i++) {
		next = start(neighbour, 0);
		for (k = 0; k < 2; k++)
			pid[k] = start(scribble, 2 * i + k);
		for (k = 0; k < 2; k++) {
			CHECK_EQ(waitpid(pid[k], &status, 0), pid[k]);
			CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 2);
			to_end += WIFEXITED(status) && !WEXITSTATUS(status);
		}
		CHECK_EQ(waitpid(next, &status, 0), next);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	note("%u of 8 went on to their end", to_end);
}

#define V(n)	{ "viol_" #n, violation, &viol_##n }
#define L(n)	{ "local_" #n, local_error, &loc_##n }

static const struct test_case cases[] = {
	V(write_bad_key), V(write_zero_key), V(write_gone_key),
	V(write_other_pd), V(write_past_end), V(write_long), V(write_before),
	V(write_far), V(write_wrap), V(write_no_right), V(read_bad_key),
	V(read_gone_key), V(read_other_pd), V(read_past_end), V(read_before),
	V(read_wrap), V(read_no_right), V(send_too_long), V(send_no_receive),
	V(send_inv_bad_key),
	L(send_key), L(send_beyond), L(send_before), L(send_pd), L(send_gone),
	L(write_key), L(write_beyond), L(read_key), L(read_beyond),
	L(read_pd), L(read_right),
	{ "recv_key", recv_error, &k_key },
	{ "recv_beyond", recv_error, &k_beyond },
	{ "recv_pd", recv_error, &k_pd },
	{ "recv_gone", recv_error, &k_gone },
	{ "recv_right", recv_error, &k_right },
	{ "flush_receives", flush_receives },
	{ "flush_sends", flush_sends },
	{ "flush_late_sends", flush_late_sends },
	{ "flush_late_receives", flush_late_receives },
	{ "flush_init", flush_init },
	{ "flush_not_srq", flush_not_srq },
	{ "srq_empty", srq_empty },
	{ "destroy_busy", destroy_busy },
	{ "scribbled_rings", scribbled_rings, NULL, 90 },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
