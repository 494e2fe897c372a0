// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Verbs beyond version 1 of the user ABI: completion queues that change their
 * size, tell the time, hold events back or may overrun; memory regions that
 * change, that are of no memory, of huge pages, of device memory, of a dma-buf,
 * or of another process.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Leaves the case where a provider does not have the verb at all. */
static void need(int rv)
{
	if (rv == EOPNOTSUPP || rv == ENOSYS)
		skip_case("not offered");
	CHECK_EQ(rv, 0);
}

static void post_empty(struct ep *e, uint64_t id)
{
	struct op o = { .id = id, .opcode = IBV_WR_RDMA_WRITE,
			.flags = IBV_SEND_SIGNALED };

	post_op(e, &o);
}

/* Completions @first and following, each known to be in the queue. */
static void complete(struct ep *e, uint64_t first, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		CHECK_OK(ibv_req_notify_cq(e->scq, 0));
		post_empty(e, first + i);
		CHECK(cq_event(e->scc, WAIT_MS));
	}
}

static void expect(struct ep *e, uint64_t first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		wc_expect(e->scq, first + i, IBV_WC_SUCCESS);
}

/* --- CQ resize ----------------------------------------------------------- */

static void resize_rig(struct rig *r, int cqe)
{
	struct ep_attr a = { .cqe = cqe };

	rig_connect_attr(r, &a, NULL);
	need(ibv_resize_cq(r->c.scq, cqe));
}

/* What waits, wrapped around the end of the ring or not, stays in order. */
static void resize_grow(const void *arg)
{
	struct rig r;

	resize_rig(&r, 16);
	complete(&r.c, 0, 10);
	expect(&r.c, 0, 10);
	complete(&r.c, 10, 12);
	CHECK_OK(ibv_resize_cq(r.c.scq, 100));
	CHECK(r.c.scq->cqe >= 100);
	complete(&r.c, 22, 80);
	expect(&r.c, 10, 92);
	wc_none(r.c.scq, 20);
	rig_close(&r);
}

static void resize_shrink(const void *arg)
{
	struct rig r;

	resize_rig(&r, 64);
	complete(&r.c, 0, 60);
	expect(&r.c, 0, 50);
	CHECK_EQ(ibv_resize_cq(r.c.scq, 8), EINVAL);
	expect(&r.c, 50, 2);
	CHECK_OK(ibv_resize_cq(r.c.scq, 8));
	CHECK(r.c.scq->cqe >= 8 && r.c.scq->cqe < 64);
	expect(&r.c, 52, 8);
	complete(&r.c, 60, 8);
	expect(&r.c, 60, 8);
	rig_close(&r);
}

static void resize_full(const void *arg)
{
	struct rig r;

	resize_rig(&r, 8);
	complete(&r.c, 0, 3);
	expect(&r.c, 0, 3);
	complete(&r.c, 3, 8);
	CHECK_OK(ibv_resize_cq(r.c.scq, 8));
	CHECK_OK(ibv_resize_cq(r.c.scq, 16));
	complete(&r.c, 11, 8);
	expect(&r.c, 3, 16);
	rig_close(&r);
}

static void resize_armed(const void *arg)
{
	struct rig r;

	resize_rig(&r, 16);
	CHECK_OK(ibv_req_notify_cq(r.c.scq, 0));
	CHECK_OK(ibv_resize_cq(r.c.scq, 64));
	post_empty(&r.c, 1);
	CHECK(cq_event(r.c.scc, WAIT_MS));
	expect(&r.c, 1, 1);
	rig_close(&r);
}

static void resize_range(const void *arg)
{
	struct ibv_device_attr attr;
	struct rig r;

	resize_rig(&r, 16);
	CHECK_OK(ibv_query_device(r.c.ctx, &attr));
	CHECK_EQ(ibv_resize_cq(r.c.scq, 0), EINVAL);
	CHECK_EQ(ibv_resize_cq(r.c.scq, -1), EINVAL);
	CHECK_EQ(ibv_resize_cq(r.c.scq, attr.max_cqe + 1), EINVAL);
	CHECK_OK(ibv_resize_cq(r.c.scq, 1));
	complete(&r.c, 0, 1);
	expect(&r.c, 0, 1);
	rig_close(&r);
}

struct resizer {
	struct ibv_cq *cq;
	bool stop;
	int done;
};

static void *resize_often(void *arg)
{
	struct resizer *z = arg;
	int size = 64;

	while (!__atomic_load_n(&z->stop, __ATOMIC_RELAXED)) {
		size = size == 64 ? 500 : 64;
		if (ibv_resize_cq(z->cq, size))
			return "resize failed";
		z->done++;
		/* the lock of the queue is not a fair one */
		sleep_ms(2);
	}
	return NULL;
}

/* Never more than 32 requests are under way, so that 64 elements do. */
static void resize_traffic(const void *arg)
{
	struct resizer z = { 0 };
	pthread_t th;
	struct rig r;
	void *why;
	int i;

	resize_rig(&r, 64);
	z.cq = r.c.scq;
	CHECK_OK(pthread_create(&th, NULL, resize_often, &z));
	for (i = 0; i < 32; i++)
		post_empty(&r.c, i);
	for (; i < 2000; i++) {
		expect(&r.c, i - 32, 1);
		post_empty(&r.c, i);
	}
	expect(&r.c, i - 32, 32);
	__atomic_store_n(&z.stop, true, __ATOMIC_RELAXED);
	CHECK_OK(pthread_join(th, &why));
	if (why)
		FAIL("%s", (char *)why);
	note("%d times", z.done);
	CHECK(z.done > 2);
	wc_none(r.c.scq, 20);
	rig_close(&r);
}

#define FULL	2048
#define ROUNDS	500

struct filler {
	struct ep *e;
	int wanted, posted;
};

static void *fill_up(void *arg)
{
	struct filler *f = arg;
	int wanted;

	while (f->posted < ROUNDS) {
		wanted = __atomic_load_n(&f->wanted, __ATOMIC_ACQUIRE);
		if (wanted > f->posted)
			post_empty(f->e, FULL - 1 + f->posted++);
		else
			sched_yield();
	}
	return NULL;
}

/* The ring becomes full while it is copied: what comes last stays last. */
static void resize_filling(const void *arg)
{
	struct filler f = { 0 };
	pthread_t th;
	struct rig r;
	int i;

	resize_rig(&r, FULL);
	CHECK_EQ(r.c.scq->cqe, FULL);
	f.e = &r.c;
	complete(&r.c, 0, FULL - 1);
	CHECK_OK(pthread_create(&th, NULL, fill_up, &f));
	for (i = 0; i < ROUNDS; i++) {
		__atomic_store_n(&f.wanted, i + 1, __ATOMIC_RELEASE);
		/* at different times */
		usleep(i % 50 * 5);
		CHECK_OK(ibv_resize_cq(r.c.scq, FULL));
		expect(&r.c, i, 1);
	}
	CHECK_OK(pthread_join(th, NULL));
	expect(&r.c, ROUNDS, FULL - 1);
	wc_none(r.c.scq, 20);
	rig_close(&r);
}

/* --- moderation ---------------------------------------------------------- */

#define PERIOD_US	50000

static int moderate(struct ibv_cq *cq, uint16_t count, uint16_t period)
{
	struct ibv_modify_cq_attr a = {
		.attr_mask = IBV_CQ_ATTR_MODERATE,
		.moderate = { .cq_count = count, .cq_period = period },
	};

	return ibv_modify_cq(cq, &a);
}

/* Fewer completions than the count: the event comes, but not before time. */
static void moderate_time(const void *arg)
{
	struct rig r;
	uint64_t t;

	rig_connect(&r);
	need(moderate(r.c.scq, 100, PERIOD_US));
	CHECK_OK(ibv_req_notify_cq(r.c.scq, 0));
	t = now_ms();
	post_empty(&r.c, 1);
	CHECK(cq_event(r.c.scc, WAIT_MS));
	t = now_ms() - t;
	note("told after %llu ms", (unsigned long long)t);
	CHECK(t >= PERIOD_US / 1000 - 1);
	expect(&r.c, 1, 1);
	/* and off again */
	CHECK_OK(moderate(r.c.scq, 0, 0));
	complete(&r.c, 2, 20);
	expect(&r.c, 2, 20);
	rig_close(&r);
}

/* One completion less than the count makes no event before its time. */
static void moderate_count(const void *arg)
{
	struct rig r;
	uint64_t t;
	int i;

	rig_connect(&r);
	need(moderate(r.c.scq, 8, UINT16_MAX));
	CHECK_OK(ibv_req_notify_cq(r.c.scq, 0));
	t = now_ms();
	for (i = 0; i < 7; i++)
		post_empty(&r.c, i);
	if (cq_event(r.c.scc, 10)) {
		CHECK(now_ms() - t >= UINT16_MAX / 1000);
		skip_case("the machine is too slow for it");
	}
	post_empty(&r.c, 7);
	CHECK(cq_event(r.c.scc, WAIT_MS));
	t = now_ms() - t;
	note("8 completions told after %llu ms", (unsigned long long)t);
	expect(&r.c, 0, 8);
	rig_close(&r);
}

static void moderate_limits(const void *arg)
{
	struct ibv_device_attr_ex attr;
	struct rig r;

	rig_connect(&r);
	need(moderate(r.c.scq, 100, UINT16_MAX));
	CHECK_OK(ibv_query_device_ex(r.c.ctx, NULL, &attr));
	CHECK_EQ(attr.cq_mod_caps.max_cq_count, UINT16_MAX);
	CHECK_EQ(attr.cq_mod_caps.max_cq_period, UINT16_MAX);
	rig_close(&r);
}

/* --- timestamps ---------------------------------------------------------- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(clock, &ts));
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void stamp_once(struct rig *r, uint64_t *last)
{
	struct ibv_poll_cq_attr attr = { 0 };
	struct ibv_cq_ex *cq = r->c.scq_ex;
	uint64_t from, wall, ts, to;

	from = clock_ns(CLOCK_MONOTONIC);
	wall = clock_ns(CLOCK_REALTIME);
	CHECK_OK(ibv_req_notify_cq(r->c.scq, 0));
	post_empty(&r->c, 5);
	CHECK(cq_event(r->c.scc, WAIT_MS));
	CHECK_OK(ibv_start_poll(cq, &attr));
	CHECK_EQ(cq->wr_id, 5);
	ts = ibv_wc_read_completion_ts(cq);
	to = clock_ns(CLOCK_MONOTONIC);
	CHECK(ts >= from && ts <= to && ts >= *last);
	*last = ts;
	ts = ibv_wc_read_completion_wallclock_ns(cq);
	/* two clocks are read after one another */
	CHECK(ts + 1000000 >= wall &&
	      ts <= clock_ns(CLOCK_REALTIME) + 1000000);
	ibv_end_poll(cq);
}

static void timestamps(const void *arg)
{
	struct ibv_cq_init_attr_ex ia = {
		.cqe = 16,
		.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
			    IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK,
	};
	struct ep_attr a = { .scq_ex = &ia };
	struct rig r;
	uint64_t last = 0;
	int i;

	rig_connect_attr(&r, &a, NULL);
	for (i = 0; i < 20; i++) {
		stamp_once(&r, &last);
		/* a larger ring goes on telling the time */
		if (i == 10)
			CHECK_OK(ibv_resize_cq(r.c.scq, 32));
	}
	rig_close(&r);
}

static void wallclock_alone(const void *arg)
{
	struct ibv_cq_init_attr_ex ia = {
		.cqe = 16,
		.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK,
	};
	struct ep_attr a = { .scq_ex = &ia };
	uint64_t last = 0;
	struct rig r;

	rig_connect_attr(&r, &a, NULL);
	stamp_once(&r, &last);
	rig_close(&r);
}

/* The device's clock and its unit fit the timestamps. */
static void raw_clock(const void *arg)
{
	struct ibv_values_ex v = { .comp_mask = IBV_VALUES_MASK_RAW_CLOCK };
	struct ibv_device_attr_ex attr;
	uint64_t from, to, t;
	struct rig r;

	rig_connect(&r);
	from = clock_ns(CLOCK_MONOTONIC);
	need(ibv_query_rt_values_ex(r.c.ctx, &v));
	to = clock_ns(CLOCK_MONOTONIC);
	CHECK(v.comp_mask & IBV_VALUES_MASK_RAW_CLOCK);
	t = v.raw_clock.tv_sec * 1000000000ULL + v.raw_clock.tv_nsec;
	CHECK(t >= from && t <= to);
	CHECK_OK(ibv_query_device_ex(r.c.ctx, NULL, &attr));
	CHECK_EQ(attr.hca_core_clock, 1000000);
	CHECK_EQ(attr.completion_timestamp_mask, UINT64_MAX);
	rig_close(&r);
}

/* --- overrun ------------------------------------------------------------- */

/* 20 completions for 4 elements: the first stay, of the rest nobody hears. */
static void overrun(const void *arg)
{
	bool ignore = *(const bool *)arg;
	struct ibv_cq_init_attr_ex ia = {
		.cqe = 4,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = ignore ? IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN : 0,
	};
	struct ep_attr a = { .scq_ex = &ia };
	struct ibv_sge sge;
	struct buf b;
	struct rig r;
	int i, seen;

	rig_connect_attr(&r, &a, NULL);
	buf_new(&b, r.s.pd, 8, 0, RW_ACCESS);
	sge = buf_sge(&b, 0, 8);
	for (i = 0; i < 20; i++)
		post_empty(&r.c, i);
	/* all of them are through when this arrives */
	post_recv(&r.s, 7, &sge, 1);
	post_op(&r.c, &(struct op){ .id = 21, .opcode = IBV_WR_SEND });
	wc_expect(r.s.rcq, 7, IBV_WC_SUCCESS);
	seen = async_seen(r.c.ctx, 1ULL << IBV_EVENT_CQ_ERR, ignore ? 100 :
			  WAIT_MS);
	CHECK_EQ(seen, !ignore);
	expect(&r.c, 0, 4);
	wc_none(r.c.scq, 20);
	/* the queue works on */
	complete(&r.c, 30, 4);
	expect(&r.c, 30, 4);
	CHECK_EQ(ep_state(&r.c), IBV_QPS_RTS);
	buf_free(&b);
	rig_close(&r);
}

/* --- memory regions ------------------------------------------------------ */

#define LEN	10000
#define LW	IBV_ACCESS_LOCAL_WRITE

/**
 * struct mrs - memory of both ends
 * @r: the connection
 * @l: of the client, who writes and reads
 * @t: of the server, what the case is about
 */
struct mrs {
	struct rig r;
	struct buf l;
	struct buf t;
};

static void mrs_new(struct mrs *m, int access)
{
	rig_connect(&m->r);
	buf_new(&m->l, m->r.c.pd, LEN, 0, RW_ACCESS);
	buf_new(&m->t, m->r.s.pd, LEN, 0, access);
	buf_fill(&m->l, 7);
	buf_clear(&m->t);
}

static void mrs_free(struct mrs *m)
{
	buf_free(&m->l);
	buf_free(&m->t);
	rig_close(&m->r);
}

/* The client's octets, written and read back. */
static void reach(struct mrs *m, uint64_t raddr, uint32_t rkey)
{
	struct ibv_sge s = buf_sge(&m->l, 0, LEN);
	struct op o = { .id = 1, .opcode = IBV_WR_RDMA_WRITE, .sge = &s,
			.nsge = 1, .flags = IBV_SEND_SIGNALED, .raddr = raddr,
			.rkey = rkey };

	buf_fill(&m->l, 7);
	post_op(&m->r.c, &o);
	wc_expect(m->r.c.scq, 1, IBV_WC_SUCCESS);
	buf_clear(&m->l);
	o.opcode = IBV_WR_RDMA_READ;
	post_op(&m->r.c, &o);
	wc_expect(m->r.c.scq, 1, IBV_WC_SUCCESS);
	buf_check(&m->l, 0, LEN, 7, 0);
}

static void refused(struct mrs *m, uint64_t raddr, uint32_t rkey)
{
	struct ibv_sge s = buf_sge(&m->l, 0, 8);
	struct op o = { .id = 1, .opcode = IBV_WR_RDMA_READ, .sge = &s,
			.nsge = 1, .flags = IBV_SEND_SIGNALED, .raddr = raddr,
			.rkey = rkey };

	post_op(&m->r.c, &o);
	wc_expect(m->r.c.scq, 1, IBV_WC_REM_ACCESS_ERR);
}

static void rereg(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *addr,
		  size_t len, int access)
{
	uint32_t key = mr->rkey;
	int rv;

	errno = 0;
	rv = ibv_rereg_mr(mr, flags, pd, addr, len, access);
	if (rv && errno == EOPNOTSUPP)
		skip_case("regions do not change");
	CHECK_EQ(rv, 0);
	CHECK_EQ(mr->rkey, key);
	CHECK_EQ(mr->lkey, key);
}

static void rereg_access(const void *arg)
{
	struct mrs m;

	mrs_new(&m, LW);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, RW_ACCESS);
	reach(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	buf_check(&m.t, 0, LEN, 7, 0);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, LW);
	refused(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	mrs_free(&m);
}

/* Pages that were pinned to be read are pinned again to be written. */
static void rereg_writable(const void *arg)
{
	struct ibv_mr *mr;
	struct mrs m;
	uint8_t *p;

	mrs_new(&m, 0);
	/* never touched: all of it is the one page of zeros now */
	p = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	mr = ibv_reg_mr(m.r.s.pd, p, LEN, IBV_ACCESS_REMOTE_READ);
	CHECK(mr);
	rereg(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, RW_ACCESS);
	reach(&m, (uintptr_t)p, mr->rkey);
	CHECK(!memcmp(p, m.l.p, LEN));
	CHECK_OK(ibv_dereg_mr(mr));
	mrs_free(&m);
}

static void rereg_addr(const void *arg)
{
	struct buf other;
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	buf_new(&other, NULL, LEN, 100, 0);
	buf_clear(&other);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, other.p, LEN, 0);
	reach(&m, (uintptr_t)other.p, m.t.mr->rkey);
	buf_check(&other, 0, LEN, 7, 0);
	buf_check_clear(&m.t, 0, LEN);
	refused(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	mrs_free(&m);
	buf_free(&other);
}

static void rereg_pd(const void *arg)
{
	struct ibv_pd *first, *pd;
	struct mrs m;

	mrs_new(&m, 0);
	first = ibv_alloc_pd(m.r.s.ctx);
	CHECK(first);
	CHECK_OK(ibv_dereg_mr(m.t.mr));
	m.t.mr = ibv_reg_mr(first, m.t.p, LEN, RW_ACCESS);
	CHECK(m.t.mr);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_PD, m.r.s.pd, NULL, 0, 0);
	/* the domain it came from does not hear of it any more */
	CHECK_OK(ibv_dealloc_pd(first));
	reach(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	pd = ibv_alloc_pd(m.r.s.ctx);
	CHECK(pd);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_PD, pd, NULL, 0, 0);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	refused(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	mrs_free(&m);
	CHECK_OK(ibv_dealloc_pd(pd));
}

/* What fails leaves the region as it was. */
static void rereg_fails(const void *arg)
{
	struct ibv_mw_bind bind = { .wr_id = 3,
				    .send_flags = IBV_SEND_SIGNALED };
	struct ibv_mw *mw;
	struct mrs m;

	mrs_new(&m, RW_ACCESS | IBV_ACCESS_MW_BIND);
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
	      RW_ACCESS | IBV_ACCESS_MW_BIND);
	CHECK(ibv_rereg_mr(m.t.mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL,
			   (void *)4096, LEN, 0));
	CHECK_EQ(errno, EFAULT);
	CHECK(ibv_rereg_mr(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			   IBV_ACCESS_REMOTE_WRITE));
	CHECK_EQ(errno, EINVAL);
	mw = ibv_alloc_mw(m.r.s.pd, IBV_MW_TYPE_1);
	CHECK(mw);
	bind.bind_info.mr = m.t.mr;
	bind.bind_info.addr = (uintptr_t)m.t.p;
	bind.bind_info.length = 1;
	CHECK_OK(ibv_bind_mw(m.r.s.qp, mw, &bind));
	wc_expect(m.r.s.scq, 3, IBV_WC_SUCCESS);
	CHECK(ibv_rereg_mr(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			   RW_ACCESS));
	CHECK_EQ(errno, EBUSY);
	reach(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	CHECK_OK(ibv_dealloc_mw(mw));
	rereg(m.t.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, RW_ACCESS);
	mrs_free(&m);
}

static struct ibv_mr *null_mr(struct ibv_pd *pd)
{
	struct ibv_mr *mr = ibv_alloc_null_mr(pd);

	if (!mr && errno == EOPNOTSUPP)
		skip_case("no null region");
	CHECK(mr);
	return mr;
}

/* Zeros are sent, and what arrives goes nowhere. */
static void null_data(const void *arg)
{
	struct ibv_sge from[3], to[3], *s;
	struct op o = { .id = 1, .opcode = IBV_WR_SEND, .sge = from, .nsge = 3,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_mr *cn, *sn;
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	cn = null_mr(m.r.c.pd);
	sn = null_mr(m.r.s.pd);
	from[0] = buf_sge(&m.l, 0, 3000);
	from[1] = (struct ibv_sge){ .addr = 1, .length = 3000,
				    .lkey = cn->lkey };
	from[2] = buf_sge(&m.l, 6000, 3000);
	to[0] = buf_sge(&m.t, 0, 1000);
	to[1] = (struct ibv_sge){ .length = 1000, .lkey = sn->lkey };
	to[2] = buf_sge(&m.t, 2000, 7000);
	memset(m.t.p, 0x55, LEN);
	post_recv(&m.r.s, 2, to, 3);
	post_op(&m.r.c, &o);
	wc_expect(m.r.c.scq, 1, IBV_WC_SUCCESS);
	CHECK_EQ(wc_expect(m.r.s.rcq, 2, IBV_WC_SUCCESS).byte_len, 9000);
	buf_check(&m.t, 0, 1000, 7, 0);
	CHECK(m.t.p[1000] == 0x55 && m.t.p[1999] == 0x55);
	buf_check(&m.t, 2000, 1000, 7, 2000);
	buf_check_clear(&m.t, 3000, 3000);
	buf_check(&m.t, 6000, 3000, 7, 6000);
	/* a Read into nothing */
	s = &from[1];
	o = (struct op){ .id = 3, .opcode = IBV_WR_RDMA_READ, .sge = s,
			 .nsge = 1, .flags = IBV_SEND_SIGNALED,
			 .raddr = (uintptr_t)m.t.p, .rkey = m.t.mr->rkey };
	post_op(&m.r.c, &o);
	wc_expect(m.r.c.scq, 3, IBV_WC_SUCCESS);
	CHECK_OK(ibv_dereg_mr(cn));
	CHECK_OK(ibv_dereg_mr(sn));
	mrs_free(&m);
}

static void null_not_remote(const void *arg)
{
	struct ibv_mr *n;
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	n = null_mr(m.r.s.pd);
	refused(&m, 0, n->lkey);
	CHECK_OK(ibv_dereg_mr(n));
	mrs_free(&m);
}

static int advise(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		  struct ibv_sge sge)
{
	return ibv_advise_mr(pd, advice, IBV_ADVISE_MR_FLAG_FLUSH, &sge, 1);
}

static void advice(const void *arg)
{
	const enum ibv_advise_mr_advice rd = IBV_ADVISE_MR_ADVICE_PREFETCH;
	const enum ibv_advise_mr_advice wr =
		IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE;
	struct ibv_sge sge;
	struct mrs m;

	mrs_new(&m, 0);
	sge = buf_sge(&m.t, 0, LEN);
	need(advise(m.r.s.pd, rd, sge));
	CHECK_OK(advise(m.r.s.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT,
			sge));
	CHECK_EQ(advise(m.r.s.pd, wr, sge), EPERM);
	CHECK_EQ(advise(m.r.c.pd, rd, sge), ENOENT);
	sge = buf_sge(&m.t, 1, LEN);
	CHECK_EQ(advise(m.r.s.pd, rd, sge), EFAULT);
	sge = buf_sge(&m.l, 0, LEN);
	CHECK_OK(advise(m.r.c.pd, wr, sge));
	mrs_free(&m);
}

static void relaxed(const void *arg)
{
	struct mrs m;

	mrs_new(&m, RW_ACCESS | IBV_ACCESS_RELAXED_ORDERING);
	reach(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	buf_check(&m.t, 0, LEN, 7, 0);
	mrs_free(&m);
}

static void zero_based(const void *arg)
{
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	CHECK_OK(ibv_dereg_mr(m.t.mr));
	m.t.mr = ibv_reg_mr(m.r.s.pd, m.t.p, LEN,
			    RW_ACCESS | IBV_ACCESS_ZERO_BASED);
	CHECK(m.t.mr);
	reach(&m, 0, m.t.mr->rkey);
	buf_check(&m.t, 0, LEN, 7, 0);
	mrs_free(&m);
}

#define HUGE	(4 << 20)

static void want_huge_pages(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);

	if (fd < 0 || write(fd, "4", 1) != 1)
		note("no huge pages by request");
	close(fd);
}

/* A region that crosses huge pages, away from their ends. */
static void huge(const void *arg)
{
	int access = RW_ACCESS | *(const int *)arg;
	struct ibv_mr *mr;
	struct mrs m;
	uint8_t *p;

	want_huge_pages();
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		skip_case("none are to be had");
	mrs_new(&m, RW_ACCESS);
	mr = ibv_reg_mr(m.r.s.pd, p + 5000, HUGE - 10000, access);
	CHECK(mr);
	p += HUGE / 2 - LEN / 2;
	reach(&m, (uintptr_t)p, mr->rkey);
	CHECK(!memcmp(p, m.l.p, LEN));
	CHECK_OK(ibv_dereg_mr(mr));
	mrs_free(&m);
}

/* --- device memory ------------------------------------------------------- */

static struct ibv_dm *dm_new(struct ibv_context *ctx, size_t len)
{
	struct ibv_alloc_dm_attr a = { .length = len, .log_align_req = 6 };
	struct ibv_dm *dm = ibv_alloc_dm(ctx, &a);

	if (!dm && (errno == EOPNOTSUPP || errno == ENOSYS))
		skip_case("no device memory");
	CHECK(dm);
	return dm;
}

static void dm_copy(const void *arg)
{
	uint8_t in[400], out[400];
	struct ibv_dm *dm;
	struct rig r;

	rig_connect(&r);
	dm = dm_new(r.c.ctx, LEN);
	CHECK_OK(ibv_memcpy_from_dm(out, dm, LEN - 400, 400));
	CHECK(!out[0] && !memcmp(out, out + 1, 399));
	memset(in, 0x5a, sizeof(in));
	in[0] = 1;
	CHECK_OK(ibv_memcpy_to_dm(dm, LEN - 400, in, 400));
	CHECK_OK(ibv_memcpy_from_dm(out, dm, LEN - 400, 400));
	CHECK(!memcmp(in, out, 400));
	CHECK_EQ(ibv_memcpy_to_dm(dm, LEN - 396, in, 400), EINVAL);
	CHECK_EQ(ibv_memcpy_to_dm(dm, 2, in, 4), EINVAL);
	CHECK_EQ(ibv_memcpy_from_dm(out, dm, 0, 3), EINVAL);
	CHECK_EQ(ibv_memcpy_from_dm(out, dm, -4, 8), EINVAL);
	CHECK_OK(ibv_free_dm(dm));
	rig_close(&r);
}

/* A region in the middle of it, for the peer and for a Send of its owner. */
static void dm_region(const void *arg)
{
	struct ibv_sge from = { .length = 100 }, to;
	struct op o = { .id = 2, .opcode = IBV_WR_SEND, .sge = &from,
			.nsge = 1, .flags = IBV_SEND_SIGNALED };
	uint8_t out[LEN];
	struct ibv_dm *dm;
	struct ibv_mr *mr;
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	dm = dm_new(m.r.s.ctx, 3 * LEN);
	mr = ibv_reg_dm_mr(m.r.s.pd, dm, LEN, LEN,
			   RW_ACCESS | IBV_ACCESS_ZERO_BASED);
	CHECK(mr);
	reach(&m, 0, mr->rkey);
	CHECK_OK(ibv_memcpy_from_dm(out, dm, LEN, LEN));
	CHECK(!memcmp(out, m.l.p, LEN));
	CHECK_OK(ibv_memcpy_from_dm(out, dm, 2 * LEN, 400));
	CHECK(!out[0] && !memcmp(out, out + 1, 399));
	to = buf_sge(&m.l, 0, 100);
	buf_clear(&m.l);
	post_recv(&m.r.c, 3, &to, 1);
	from.addr = 50;
	from.lkey = mr->lkey;
	post_op(&m.r.s, &o);
	wc_expect(m.r.s.scq, 2, IBV_WC_SUCCESS);
	wc_expect(m.r.c.rcq, 3, IBV_WC_SUCCESS);
	buf_check(&m.l, 0, 100, 7, 50);
	CHECK_EQ(ibv_free_dm(dm), EBUSY);
	refused(&m, LEN - 7, mr->rkey);
	CHECK_OK(ibv_dereg_mr(mr));
	CHECK_OK(ibv_free_dm(dm));
	mrs_free(&m);
}

static void dm_limits(const void *arg)
{
	struct ibv_alloc_dm_attr a = { 0 };
	struct ibv_device_attr_ex attr;
	struct ibv_dm *dm;
	struct ibv_mr *mr;
	struct rig r;

	rig_connect(&r);
	dm = dm_new(r.c.ctx, 4);
	CHECK_OK(ibv_query_device_ex(r.c.ctx, NULL, &attr));
	CHECK(attr.max_dm_size > 2 * LEN);
	/* what is given out already counts */
	a.length = attr.max_dm_size;
	CHECK(!ibv_alloc_dm(r.c.ctx, &a));
	CHECK_EQ(errno, ENOMEM);
	CHECK_OK(ibv_free_dm(dm));
	dm = ibv_alloc_dm(r.c.ctx, &a);
	CHECK(dm);
	CHECK(!ibv_reg_dm_mr(r.c.pd, dm, 8, a.length,
			     RW_ACCESS | IBV_ACCESS_ZERO_BASED));
	CHECK_EQ(errno, EINVAL);
	CHECK(!ibv_reg_dm_mr(r.c.pd, dm, 0, LEN, RW_ACCESS));
	CHECK_EQ(errno, EINVAL);
	mr = ibv_reg_dm_mr(r.c.pd, dm, 0, 0,
			   RW_ACCESS | IBV_ACCESS_ZERO_BASED);
	CHECK(mr);
	CHECK_OK(ibv_dereg_mr(mr));
	CHECK_OK(ibv_free_dm(dm));
	a.length = 0;
	CHECK(!ibv_alloc_dm(r.c.ctx, &a));
	CHECK_EQ(errno, EINVAL);
	a.length = 4;
	a.log_align_req = 30;
	CHECK(!ibv_alloc_dm(r.c.ctx, &a));
	CHECK_EQ(errno, EINVAL);
	rig_close(&r);
}

/* --- dma-buf ------------------------------------------------------------- */

#define DBUF_LEN	(8 * 4096)

/**
 * struct dbuf - a dma-buf
 * @fd: names it
 * @p: its memory in this process
 */
struct dbuf {
	int fd;
	uint8_t *p;
};

static bool from_udmabuf(struct dbuf *d)
{
	struct udmabuf_create c = { .size = DBUF_LEN };
	int dev = open("/dev/udmabuf", O_RDWR);
	int fd = memfd_create("dbuf", MFD_ALLOW_SEALING);

	if (dev < 0)
		return false;
	CHECK(fd >= 0);
	CHECK_OK(ftruncate(fd, DBUF_LEN));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	c.memfd = fd;
	d->fd = ioctl(dev, UDMABUF_CREATE, &c);
	close(dev);
	return d->fd >= 0;
}

/* Three calls of DRM, whose header few systems have */
struct vgem_version {
	int number[3];
	size_t name_len;
	char *name;
	size_t date_len;
	char *date;
	size_t desc_len;
	char *desc;
};

struct vgem_dumb {
	uint32_t height;
	uint32_t width;
	uint32_t bpp;
	uint32_t flags;
	uint32_t handle;
	uint32_t pitch;
	uint64_t size;
};

struct vgem_prime {
	uint32_t handle;
	uint32_t flags;
	int32_t fd;
};

#define VGEM_VERSION	_IOWR('d', 0x00, struct vgem_version)
#define VGEM_DUMB	_IOWR('d', 0xb2, struct vgem_dumb)
#define VGEM_PRIME	_IOWR('d', 0x2d, struct vgem_prime)

static int vgem_export(int dev, uint32_t handle, uint32_t flags)
{
	struct vgem_prime h = { .handle = handle, .flags = flags };

	return ioctl(dev, VGEM_PRIME, &h) ? -1 : h.fd;
}

static bool from_vgem(struct dbuf *d)
{
	struct vgem_dumb c = { .width = DBUF_LEN / 4, .height = 1, .bpp = 32 };
	char path[32], name[8] = "";
	struct vgem_version v = { .name_len = sizeof(name) - 1, .name = name };
	int dev = -1, i;

	for (i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		dev = open(path, O_RDWR);
		if (dev >= 0 && !ioctl(dev, VGEM_VERSION, &v) &&
		    !strcmp(name, "vgem"))
			break;
		close(dev);
		dev = -1;
	}
	if (dev < 0)
		return false;
	CHECK_OK(ioctl(dev, VGEM_DUMB, &c));
	d->fd = vgem_export(dev, c.handle, O_CLOEXEC | O_RDWR);
	CHECK(d->fd >= 0);
	close(dev);
	return true;
}

static void dbuf_new(struct dbuf *d)
{
	if (!from_udmabuf(d) && !from_vgem(d))
		skip_case("neither udmabuf nor vgem");
	d->p = mmap(NULL, DBUF_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
		    0);
	CHECK(d->p != MAP_FAILED);
	memset(d->p, 0, DBUF_LEN);
}

static struct ibv_mr *dbuf_reg(struct ibv_pd *pd, struct dbuf *d, size_t off,
			       size_t len, uint64_t iova)
{
	struct ibv_mr *mr = ibv_reg_dmabuf_mr(pd, off, len, iova, d->fd,
					      RW_ACCESS);

	if (!mr && (errno == EOPNOTSUPP || errno == ENOSYS))
		skip_case("no dma-buf regions");
	return mr;
}

/* The region outlives the file descriptor. */
static void dmabuf(const void *arg)
{
	size_t off = *(const size_t *)arg;
	struct ibv_mr *mr;
	struct dbuf d;
	struct mrs m;

	dbuf_new(&d);
	mrs_new(&m, RW_ACCESS);
	mr = dbuf_reg(m.r.s.pd, &d, off, LEN, 0x70000 + off);
	CHECK(mr);
	close(d.fd);
	reach(&m, 0x70000 + off, mr->rkey);
	CHECK(!memcmp(d.p + off, m.l.p, LEN));
	CHECK(!off || !d.p[off - 1]);
	CHECK(!d.p[off + LEN]);
	refused(&m, 0x70000 + off + LEN - 7, mr->rkey);
	CHECK_OK(ibv_dereg_mr(mr));
	mrs_free(&m);
}

static void dmabuf_bad(const void *arg)
{
	struct dbuf d, file = { .fd = open("/dev/null", O_RDWR) };
	struct ibv_mr *mr;
	struct mrs m;

	dbuf_new(&d);
	mrs_new(&m, RW_ACCESS);
	mr = dbuf_reg(m.r.s.pd, &d, 4096, DBUF_LEN - 4096, 0);
	CHECK(mr);
	/* what is not pinned here cannot be pinned elsewhere */
	CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			   IBV_ACCESS_LOCAL_WRITE));
	CHECK_OK(ibv_dereg_mr(mr));
	CHECK(!dbuf_reg(m.r.s.pd, &d, 4096, DBUF_LEN - 4095, 0));
	CHECK_EQ(errno, EINVAL);
	CHECK(!dbuf_reg(m.r.s.pd, &d, -4096ULL, 8192, 0));
	CHECK_EQ(errno, EINVAL);
	CHECK(!dbuf_reg(m.r.s.pd, &d, 0, 0, 0));
	CHECK_EQ(errno, EINVAL);
	CHECK(!dbuf_reg(m.r.s.pd, &file, 0, 4096, 0));
	CHECK_EQ(errno, EINVAL);
	file.fd = -1;
	CHECK(!dbuf_reg(m.r.s.pd, &file, 0, 4096, 0));
	CHECK_EQ(errno, EBADF);
	mrs_free(&m);
}

/* The same device, domain and region by way of a second file descriptor. */
static void import(const void *arg)
{
	struct ibv_values_ex v = { .comp_mask = IBV_VALUES_MASK_RAW_CLOCK };
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct ibv_mw *mw;
	struct mrs m;

	mrs_new(&m, RW_ACCESS);
	ctx = ibv_import_device(dup(m.r.s.ctx->cmd_fd));
	if (!ctx && (errno == EOPNOTSUPP || errno == EPROTONOSUPPORT))
		skip_case("nothing can be imported");
	CHECK(ctx);
	/* it knows what the module can do */
	CHECK_OK(ibv_query_rt_values_ex(ctx, &v));
	pd = ibv_import_pd(ctx, m.r.s.pd->handle);
	CHECK(pd);
	mr = ibv_import_mr(pd, m.t.mr->handle);
	CHECK(mr);
	CHECK_EQ(mr->lkey, m.t.mr->lkey);
	CHECK_EQ(mr->rkey, m.t.mr->rkey);
	CHECK_EQ(mr->length, LEN);
	reach(&m, (uintptr_t)m.t.p, mr->rkey);
	mw = ibv_alloc_mw(pd, IBV_MW_TYPE_1);
	CHECK(mw);
	CHECK_OK(ibv_dealloc_mw(mw));
	ibv_unimport_mr(mr);
	ibv_unimport_pd(pd);
	CHECK_OK(ibv_close_device(ctx));
	reach(&m, (uintptr_t)m.t.p, m.t.mr->rkey);
	mrs_free(&m);
}

static const bool yes = true, no;
static const size_t at_start, in_middle = 4096 + 1000;
static const int huge_flag = IBV_ACCESS_HUGETLB, no_flag;

static const struct test_case cases[] = {
	{ "cq_resize_grow", resize_grow },
	{ "cq_resize_shrink", resize_shrink },
	{ "cq_resize_full", resize_full },
	{ "cq_resize_armed", resize_armed },
	{ "cq_resize_range", resize_range },
	{ "cq_resize_traffic", resize_traffic },
	{ "cq_resize_filling", resize_filling },
	{ "cq_moderate_time", moderate_time },
	{ "cq_moderate_count", moderate_count },
	{ "cq_moderate_limits", moderate_limits },
	{ "cq_timestamps", timestamps },
	{ "cq_wallclock_alone", wallclock_alone },
	{ "cq_raw_clock", raw_clock },
	{ "cq_overrun_told", overrun, &no },
	{ "cq_overrun_ignored", overrun, &yes },
	{ "mr_rereg_access", rereg_access },
	{ "mr_rereg_writable", rereg_writable },
	{ "mr_rereg_addr", rereg_addr },
	{ "mr_rereg_pd", rereg_pd },
	{ "mr_rereg_fails", rereg_fails },
	{ "mr_null_data", null_data },
	{ "mr_null_not_remote", null_not_remote },
	{ "mr_advice", advice },
	{ "mr_relaxed", relaxed },
	{ "mr_zero_based", zero_based },
	{ "mr_huge", huge, &no_flag },
	{ "mr_huge_flag", huge, &huge_flag },
	{ "dm_copy", dm_copy },
	{ "dm_region", dm_region },
	{ "dm_limits", dm_limits },
	{ "dmabuf_start", dmabuf, &at_start },
	{ "dmabuf_middle", dmabuf, &in_middle },
	{ "dmabuf_bad", dmabuf_bad },
	{ "import", import },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
