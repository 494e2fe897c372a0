// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Memory windows of both types: what a bound window opens to the peer, what it
 * keeps closed, how it ends, and binds that must be refused.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <unistd.h>

#define LEN	8192
/* Window of most cases: off page boundaries on both sides */
#define W_OFF	1000
#define W_LEN	5000

#define MR_ACCESS	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND)
#define W_ACCESS	(IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

/**
 * struct win - a window of the server and what the client needs to use it
 * @mw: the window
 * @mr: memory it is bound to
 * @local: the client's memory
 */
struct win {
	struct ibv_mw *mw;
	struct buf mr;
	struct buf local;
};

static void win_new_mr(struct win *w, struct rig *r, enum ibv_mw_type type,
		       int access)
{
	w->mw = ibv_alloc_mw(r->s.pd, type);
	if (!w->mw && errno == EOPNOTSUPP)
		skip_case("no memory windows");
	CHECK(w->mw);
	CHECK_EQ(w->mw->type, type);
	buf_new(&w->mr, r->s.pd, LEN, 0, access);
	buf_new(&w->local, r->c.pd, LEN, 0, RW_ACCESS);
	buf_clear(&w->mr);
	buf_fill(&w->local, 7);
}

static void win_new(struct win *w, struct rig *r, enum ibv_mw_type type)
{
	win_new_mr(w, r, type, MR_ACCESS);
}

static void win_free(struct win *w)
{
	if (w->mw)
		CHECK_OK(ibv_dealloc_mw(w->mw));
	buf_free(&w->mr);
	buf_free(&w->local);
}

static struct ibv_mw_bind_info part(struct win *w, size_t off, size_t len,
				    unsigned int access)
{
	struct ibv_mw_bind_info info = {
		.mr = w->mr.mr,
		.addr = (uintptr_t)w->mr.p + off,
		.length = len,
		.mw_access_flags = access,
	};

	return info;
}

/* Posts a bind; what it posts is returned, not how it ends. */
static int try_bind(struct ep *e, struct ibv_mw *mw,
		    struct ibv_mw_bind_info info, uint32_t rkey)
{
	struct ibv_mw_bind one = {
		.wr_id = 0xb1,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_info = info,
	};
	struct ibv_send_wr wr = {
		.wr_id = 0xb1,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = mw, .rkey = rkey, .bind_info = info },
	};
	struct ibv_send_wr *bad;
	int rv;

	if (mw->type == IBV_MW_TYPE_1)
		return ibv_bind_mw(e->qp, mw, &one);
	rv = ibv_post_send(e->qp, &wr, &bad);
	if (!rv)
		mw->rkey = rkey;
	return rv;
}

static void win_bind(struct ep *e, struct ibv_mw *mw,
		     struct ibv_mw_bind_info info)
{
	uint32_t old = mw->rkey;
	struct ibv_wc wc;

	CHECK_OK(try_bind(e, mw, info, ibv_inc_rkey(old)));
	wc = wc_expect(e->scq, 0xb1, IBV_WC_SUCCESS);
	CHECK_EQ(wc.opcode, IBV_WC_BIND_MW);
	CHECK(mw->rkey != old);
	CHECK_EQ(mw->rkey >> 8, old >> 8);
}

static void bind_refused(struct ep *e, struct ibv_mw *mw,
			 struct ibv_mw_bind_info info)
{
	CHECK_OK(try_bind(e, mw, info, ibv_inc_rkey(mw->rkey)));
	wc_expect(e->scq, 0xb1, IBV_WC_MW_BIND_ERR);
}

static void access_by(struct ep *e, enum ibv_wr_opcode opc, struct win *w,
		      size_t off, size_t len, uint64_t raddr, uint32_t rkey)
{
	struct ibv_sge s = buf_sge(&w->local, off, len);
	struct op o = { .id = 1, .opcode = opc, .flags = IBV_SEND_SIGNALED,
			.sge = &s, .nsge = 1, .raddr = raddr, .rkey = rkey };

	post_op(e, &o);
}

/* A Write that arrives, told by a Read of its last octet. */
static void write_ok(struct ep *e, struct win *w, size_t off, size_t len,
		     uint64_t raddr, uint32_t rkey)
{
	struct ibv_sge s = { 0 };
	struct op o = { .id = 2, .opcode = IBV_WR_RDMA_READ, .nsge = 1,
			.flags = IBV_SEND_SIGNALED, .sge = &s,
			.raddr = raddr + len - 1, .rkey = rkey };
	uint8_t last = w->local.p[off + len - 1];

	access_by(e, IBV_WR_RDMA_WRITE, w, off, len, raddr, rkey);
	wc_expect(e->scq, 1, IBV_WC_SUCCESS);
	w->local.p[off + len - 1] = ~last;
	s = buf_sge(&w->local, off + len - 1, 1);
	post_op(e, &o);
	wc_expect(e->scq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(w->local.p[off + len - 1], last);
}

/* A Read that the peer refuses; the connection is over then. */
static void read_refused(struct rig *r, struct win *w, uint64_t raddr,
			 size_t len, uint32_t rkey)
{
	access_by(&r->c, IBV_WR_RDMA_READ, w, 0, len, raddr, rkey);
	wc_expect(r->c.scq, 1, IBV_WC_REM_ACCESS_ERR);
}

static uint64_t addr_of(struct win *w, size_t off)
{
	return (uintptr_t)w->mr.p + off;
}

/* --- a bound window ------------------------------------------------------ */

static void opens(const void *arg)
{
	enum ibv_mw_type type = *(const enum ibv_mw_type *)arg;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, type);
	win_bind(&r.s, w.mw, part(&w, W_OFF, W_LEN, W_ACCESS));
	write_ok(&r.c, &w, W_OFF, W_LEN, addr_of(&w, W_OFF), w.mw->rkey);
	buf_check(&w.mr, W_OFF, W_LEN, 7, W_OFF);
	buf_check_clear(&w.mr, 0, W_OFF);
	buf_check_clear(&w.mr, W_OFF + W_LEN, LEN - W_OFF - W_LEN);
	/* one octet at each end */
	write_ok(&r.c, &w, 0, 1, addr_of(&w, W_OFF), w.mw->rkey);
	write_ok(&r.c, &w, 0, 1, addr_of(&w, W_OFF + W_LEN - 1), w.mw->rkey);
	CHECK_OK(ibv_dealloc_mw(w.mw));
	read_refused(&r, &w, addr_of(&w, W_OFF), 1, w.mw->rkey);
	w.mw = NULL;
	win_free(&w);
	rig_close(&r);
}

/**
 * struct reach - an access of the peer that a window must refuse
 * @off: of the access, from the start of the region
 * @len: octets
 * @access: rights of the window
 * @mr_access: rights of its region
 */
struct reach {
	size_t off;
	size_t len;
	unsigned int access;
	int mr_access;
};

static void closed(const void *arg)
{
	const struct reach *c = arg;
	int more = c->mr_access;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new_mr(&w, &r, IBV_MW_TYPE_2, MR_ACCESS | more);
	win_bind(&r.s, w.mw, part(&w, W_OFF, W_LEN, c->access));
	read_refused(&r, &w, addr_of(&w, c->off), c->len, w.mw->rkey);
	win_free(&w);
	rig_close(&r);
}

static void write_closed(const void *arg)
{
	struct ibv_wc wc;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_1);
	win_bind(&r.s, w.mw, part(&w, W_OFF, W_LEN, IBV_ACCESS_REMOTE_READ));
	access_by(&r.c, IBV_WR_RDMA_WRITE, &w, 0, 8, addr_of(&w, W_OFF),
		  w.mw->rkey);
	wc = wc_get(r.c.scq);
	CHECK(wc.status == IBV_WC_SUCCESS || wc.status == IBV_WC_REM_ACCESS_ERR);
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	buf_check_clear(&w.mr, 0, LEN);
	win_free(&w);
	rig_close(&r);
}

static void zero_based(const void *arg)
{
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_2);
	win_bind(&r.s, w.mw,
		 part(&w, W_OFF, W_LEN, W_ACCESS | IBV_ACCESS_ZERO_BASED));
	write_ok(&r.c, &w, W_OFF, W_LEN, 0, w.mw->rkey);
	buf_check(&w.mr, W_OFF, W_LEN, 7, W_OFF);
	read_refused(&r, &w, W_LEN, 1, w.mw->rkey);
	win_free(&w);
	rig_close(&r);
}

static void atomics(const void *arg)
{
	struct ibv_send_wr wr = {
		.wr_id = 3,
		.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		.send_flags = IBV_SEND_SIGNALED,
		.num_sge = 1,
	}, *bad;
	struct ibv_sge s;
	uint64_t *word;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_2);
	win_bind(&r.s, w.mw, part(&w, 8, 64, IBV_ACCESS_REMOTE_ATOMIC));
	word = (uint64_t *)(w.mr.p + 16);
	*word = 40;
	s = buf_sge(&w.local, 0, 8);
	wr.sg_list = &s;
	wr.wr.atomic.remote_addr = (uintptr_t)word;
	wr.wr.atomic.rkey = w.mw->rkey;
	wr.wr.atomic.compare_add = 2;
	CHECK_OK(ibv_post_send(r.c.qp, &wr, &bad));
	wc_expect(r.c.scq, 3, IBV_WC_SUCCESS);
	CHECK_EQ(*(uint64_t *)w.local.p, 40);
	CHECK_EQ(*word, 42);
	win_free(&w);
	rig_close(&r);
}

/* A window is for peers: work requests of its own side must not name it. */
static void not_local(const void *arg)
{
	struct ibv_sge s;
	struct op o = { .id = 1, .opcode = IBV_WR_SEND, .sge = &s, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_1);
	win_bind(&r.s, w.mw, part(&w, 0, LEN, W_ACCESS));
	s = buf_sge(&w.mr, 0, 64);
	s.lkey = w.mw->rkey;
	post_op(&r.s, &o);
	wc_expect(r.s.scq, 1, IBV_WC_LOC_PROT_ERR);
	win_free(&w);
	rig_close(&r);
}

/* --- ends of a binding --------------------------------------------------- */

static void rebind(const void *arg)
{
	uint32_t first;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_1);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	first = w.mw->rkey;
	win_bind(&r.s, w.mw, part(&w, 200, 100, W_ACCESS));
	write_ok(&r.c, &w, 200, 100, addr_of(&w, 200), w.mw->rkey);
	buf_check(&w.mr, 200, 100, 7, 200);
	read_refused(&r, &w, addr_of(&w, 0), 1, first);
	win_free(&w);
	rig_close(&r);
}

static void unbind(const void *arg)
{
	uint32_t first;
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_1);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	first = w.mw->rkey;
	CHECK_EQ(ibv_dereg_mr(w.mr.mr), EBUSY);
	win_bind(&r.s, w.mw, part(&w, 0, 0, 0));
	CHECK_OK(ibv_dereg_mr(w.mr.mr));
	w.mr.mr = NULL;
	read_refused(&r, &w, addr_of(&w, 0), 1, first);
	win_free(&w);
	rig_close(&r);
}

static void local_inv(const void *arg)
{
	struct op o = { .id = 4, .opcode = IBV_WR_LOCAL_INV,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;
	struct win w;
	struct rig r;
	int i;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_2);
	for (i = 0; i < 3; i++) {
		win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
		write_ok(&r.c, &w, 0, 100, addr_of(&w, 0), w.mw->rkey);
		CHECK_EQ(ibv_dereg_mr(w.mr.mr), EBUSY);
		o.rkey = w.mw->rkey;
		post_op(&r.s, &o);
		wc = wc_expect(r.s.scq, 4, IBV_WC_SUCCESS);
		CHECK_EQ(wc.opcode, IBV_WC_LOCAL_INV);
	}
	CHECK_OK(ibv_dereg_mr(w.mr.mr));
	w.mr.mr = NULL;
	read_refused(&r, &w, addr_of(&w, 0), 1, w.mw->rkey);
	win_free(&w);
	rig_close(&r);
}

static void remote_inv(const void *arg)
{
	struct op o = { .id = 5, .opcode = IBV_WR_SEND_WITH_INV,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;
	struct win w;
	struct rig r;
	int i;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_2);
	for (i = 0; i < 3; i++) {
		win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
		post_recv(&r.s, 6, NULL, 0);
		o.rkey = w.mw->rkey;
		post_op(&r.c, &o);
		wc_expect(r.c.scq, 5, IBV_WC_SUCCESS);
		wc = wc_expect(r.s.rcq, 6, IBV_WC_SUCCESS);
		CHECK(wc.wc_flags & IBV_WC_WITH_INV);
		CHECK_EQ(wc.invalidated_rkey, w.mw->rkey);
	}
	CHECK_OK(ibv_dereg_mr(w.mr.mr));
	w.mr.mr = NULL;
	read_refused(&r, &w, addr_of(&w, 0), 1, w.mw->rkey);
	win_free(&w);
	rig_close(&r);
}

/* What a peer must not take away: type 1, or a region with windows. */
static void no_remote_inv(const void *arg)
{
	bool region = *(const bool *)arg;
	struct op o = { .id = 5, .opcode = IBV_WR_SEND_WITH_INV,
			.flags = IBV_SEND_SIGNALED };
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new_mr(&w, &r, IBV_MW_TYPE_1, MR_ACCESS | W_ACCESS);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	post_recv(&r.s, 6, NULL, 0);
	o.rkey = region ? w.mr.mr->rkey : w.mw->rkey;
	post_op(&r.c, &o);
	if (!cm_wait_end(r.s.ch, TOLD_MS))
		FAIL("the peer may invalidate it");
	CHECK_EQ(ibv_dereg_mr(w.mr.mr), EBUSY);
	win_free(&w);
	rig_close(&r);
}

static void no_local_inv(const void *arg)
{
	bool region = *(const bool *)arg;
	struct op o = { .id = 4, .opcode = IBV_WR_LOCAL_INV,
			.flags = IBV_SEND_SIGNALED };
	struct win w;
	struct rig r;

	rig_connect(&r);
	win_new_mr(&w, &r, IBV_MW_TYPE_1, MR_ACCESS | W_ACCESS);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	o.rkey = region ? w.mr.mr->rkey : w.mw->rkey;
	post_op(&r.s, &o);
	wc_expect(r.s.scq, 4, IBV_WC_LOC_QP_OP_ERR);
	win_free(&w);
	rig_close(&r);
}

/* Type 2 belongs to one queue pair and ends with it, type 1 to the domain. */
static void other_qp(const void *arg)
{
	enum ibv_mw_type type = *(const enum ibv_mw_type *)arg;
	struct ep_attr same = { 0 };
	struct rig r, other;
	struct win w;

	rig_connect(&r);
	same.domain = r.s.pd;
	rig_connect_attr(&other, NULL, &same);
	win_new(&w, &r, type);
	buf_free(&w.local);
	buf_new(&w.local, other.c.pd, LEN, 0, RW_ACCESS);
	buf_fill(&w.local, 7);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	if (type == IBV_MW_TYPE_1)
		write_ok(&other.c, &w, 0, 100, addr_of(&w, 0), w.mw->rkey);
	else
		read_refused(&other, &w, addr_of(&w, 0), 1, w.mw->rkey);
	ns_enter(SRV);
	CHECK_EQ(ibv_dereg_mr(w.mr.mr), EBUSY);
	rdma_destroy_qp(r.s.id);
	r.s.qp = NULL;
	if (type == IBV_MW_TYPE_1) {
		CHECK_EQ(ibv_dereg_mr(w.mr.mr), EBUSY);
	} else {
		CHECK_OK(ibv_dereg_mr(w.mr.mr));
		w.mr.mr = NULL;
	}
	win_free(&w);
	rig_close(&other);
	rig_close(&r);
}

/* The process ends with windows bound: the leak check of the suite looks. */
static void left_bound(const void *arg)
{
	struct win w, w2;
	struct rig r;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_1);
	win_new(&w2, &r, IBV_MW_TYPE_2);
	win_bind(&r.s, w.mw, part(&w, 0, 100, W_ACCESS));
	win_bind(&r.s, w2.mw, part(&w, 100, 100, W_ACCESS));
}

/* --- binds that must be refused ------------------------------------------ */

static struct ibv_mw_bind_info foreign_pd(struct win *w, struct rig *r)
{
	struct ibv_mw_bind_info info = part(w, 0, 100, W_ACCESS);
	struct ibv_pd *pd = ibv_alloc_pd(r->s.ctx);

	CHECK(pd);
	info.mr = ibv_reg_mr(pd, w->mr.p, LEN, MR_ACCESS);
	CHECK(info.mr);
	return info;
}

static void refused(const void *arg)
{
	const char *what = arg;
	int mr_access = MR_ACCESS;
	struct ibv_mw_bind_info info;
	struct win w;
	struct rig r;

	if (!strcmp(what, "region"))
		mr_access = IBV_ACCESS_LOCAL_WRITE;
	else if (!strcmp(what, "write"))
		mr_access = IBV_ACCESS_MW_BIND;
	rig_connect(&r);
	win_new_mr(&w, &r, IBV_MW_TYPE_2, mr_access);
	info = part(&w, 0, 100, W_ACCESS);
	if (!strcmp(what, "domain"))
		info = foreign_pd(&w, &r);
	else if (!strcmp(what, "end"))
		info = part(&w, LEN - 10, 11, W_ACCESS);
	else if (!strcmp(what, "start"))
		info.addr = (uintptr_t)w.mr.p - 1;
	else if (!strcmp(what, "wrap"))
		info.length = -info.addr;
	else if (!strcmp(what, "rights"))
		info.mw_access_flags |= IBV_ACCESS_MW_BIND;
	else if (!strcmp(what, "bound"))
		win_bind(&r.s, w.mw, info);
	bind_refused(&r.s, w.mw, info);
	win_free(&w);
	rig_close(&r);
}

/* What the provider sees by itself is not posted. */
static void bad_posts(const void *arg)
{
	struct ibv_mw_bind_info info;
	struct win w, w1;
	struct rig r;
	struct ibv_send_wr wr = { .opcode = IBV_WR_BIND_MW }, *bad;

	rig_connect(&r);
	win_new(&w, &r, IBV_MW_TYPE_2);
	win_new(&w1, &r, IBV_MW_TYPE_1);
	info = part(&w, 0, 100, W_ACCESS);
	CHECK_EQ(try_bind(&r.s, w.mw, info, w.mw->rkey ^ 0x100), EINVAL);
	info.length = 0;
	CHECK_EQ(try_bind(&r.s, w.mw, info, w.mw->rkey), EINVAL);
	wr.bind_mw.mw = w1.mw;
	wr.bind_mw.rkey = ibv_inc_rkey(w1.mw->rkey);
	wr.bind_mw.bind_info = part(&w1, 0, 100, W_ACCESS);
	CHECK_EQ(ibv_post_send(r.s.qp, &wr, &bad), EINVAL);
	rig_ping(&r);
	win_free(&w);
	win_free(&w1);
	rig_close(&r);
}

static const enum ibv_mw_type type1 = IBV_MW_TYPE_1, type2 = IBV_MW_TYPE_2;
static const bool yes = true, no;

static const struct reach past_end = { W_OFF + W_LEN - 1, 2, W_ACCESS, 0 };
static const struct reach before = { W_OFF - 1, 2, W_ACCESS, 0 };
static const struct reach rest = { W_OFF + W_LEN, 1, W_ACCESS, 0 };
/* the region's own rights are not the window's */
static const struct reach no_read = { W_OFF, 1, IBV_ACCESS_REMOTE_WRITE,
				      W_ACCESS };

static const struct test_case cases[] = {
	{ "type1_opens", opens, &type1 },
	{ "type2_opens", opens, &type2 },
	{ "past_end", closed, &past_end },
	{ "before_start", closed, &before },
	{ "rest_of_region", closed, &rest },
	{ "no_read_right", closed, &no_read },
	{ "no_write_right", write_closed },
	{ "zero_based", zero_based },
	{ "atomics", atomics },
	{ "not_local", not_local },
	{ "type1_rebind", rebind },
	{ "type1_unbind", unbind },
	{ "type2_local_inv", local_inv },
	{ "type2_remote_inv", remote_inv },
	{ "type1_no_remote_inv", no_remote_inv, &no },
	{ "region_no_remote_inv", no_remote_inv, &yes },
	{ "type1_no_local_inv", no_local_inv, &no },
	{ "region_no_local_inv", no_local_inv, &yes },
	{ "type1_other_qp", other_qp, &type1 },
	{ "type2_other_qp", other_qp, &type2 },
	{ "left_bound", left_bound },
	{ "refuses_region_without_right", refused, "region" },
	{ "refuses_write_to_read_only", refused, "write" },
	{ "refuses_foreign_domain", refused, "domain" },
	{ "refuses_past_end", refused, "end" },
	{ "refuses_before_start", refused, "start" },
	{ "refuses_wrap", refused, "wrap" },
	{ "refuses_unknown_rights", refused, "rights" },
	{ "refuses_bound_type2", refused, "bound" },
	{ "bad_posts", bad_posts },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
