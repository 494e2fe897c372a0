// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Verbs objects: device, PD, MR, CQ, SRQ and QP, their limits, life time and
 * the errno of a refused call.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct ibv_context *open_dev(void)
{
	const char *want = getenv("RIG_DEV");
	struct ibv_context *ctx = NULL;
	struct ibv_device **list;
	int i, n;

	if (!want)
		want = "siw1";
	list = ibv_get_device_list(&n);
	CHECK(list);
	for (i = 0; i < n; i++)
		if (!strcmp(ibv_get_device_name(list[i]), want))
			ctx = ibv_open_device(list[i]);
	if (!ctx)
		FAIL("cannot open %s (%d devices)", want, n);
	ibv_free_device_list(list);
	return ctx;
}

static struct ibv_pd *open_pd(struct ibv_context **ctx)
{
	struct ibv_pd *pd;

	*ctx = open_dev();
	pd = ibv_alloc_pd(*ctx);
	CHECK(pd);
	return pd;
}

/* A refused call may name its cause in either of two ways, not in any. */
static void check_refused(const char *what, bool refused, int e1, int e2)
{
	int e = errno;

	if (!refused)
		FAIL("%s was not refused", what);
	if (e != e1 && e != e2)
		FAIL("%s: errno %d %s, not %s", what, e, strerror(e),
		     strerror(e1));
}

/* --- device -------------------------------------------------------------- */

static void device_attrs(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_device_attr a;

	CHECK_EQ(ctx->device->node_type, IBV_NODE_RNIC);
	CHECK_EQ(ctx->device->transport_type, IBV_TRANSPORT_IWARP);
	CHECK_OK(ibv_query_device(ctx, &a));
	CHECK(a.max_qp >= 1000 && a.max_cq >= 1000 && a.max_pd >= 1000);
	CHECK(a.max_mr >= 1000 && a.max_srq >= 100);
	CHECK(a.max_qp_wr >= 1024 && a.max_cqe >= 4096);
	CHECK(a.max_srq_wr >= 1024);
	CHECK(a.max_sge >= 6 && a.max_srq_sge >= 6 && a.max_sge_rd >= 1);
	CHECK(a.max_qp_rd_atom >= 16 && a.max_qp_init_rd_atom >= 16);
	CHECK(a.max_mr_size >= 1ULL << 32);
	CHECK(a.page_size_cap & 4096);
	CHECK_EQ(a.phys_port_cnt, 1);
	CHECK(a.node_guid);
	CHECK(ctx->num_comp_vectors >= 1);
	CHECK_OK(ibv_close_device(ctx));
}

static void port_attrs(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_port_attr p;

	CHECK_OK(ibv_query_port(ctx, 1, &p));
	CHECK_EQ(p.state, IBV_PORT_ACTIVE);
	CHECK_EQ(p.phys_state, 5);
	CHECK_EQ(p.link_layer, IBV_LINK_LAYER_ETHERNET);
	CHECK(p.max_mtu >= p.active_mtu && p.active_mtu >= IBV_MTU_256);
	CHECK(p.max_msg_sz >= 1u << 30);
	CHECK(p.active_width && p.active_speed);
	CHECK(p.gid_tbl_len >= 1);
	CHECK(ibv_query_port(ctx, 2, &p));
	CHECK(ibv_query_port(ctx, 0, &p));
	CHECK_OK(ibv_close_device(ctx));
}

static void port_gid_pkey(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	union ibv_gid gid, zero = { 0 };
	struct ibv_port_attr p;
	uint16_t pkey = 0;
	int i;

	CHECK_OK(ibv_query_port(ctx, 1, &p));
	CHECK_OK(ibv_query_gid(ctx, 1, 0, &gid));
	CHECK(memcmp(&gid, &zero, sizeof(gid)));
	for (i = 1; i < p.gid_tbl_len; i++)
		CHECK_OK(ibv_query_gid(ctx, 1, i, &gid));
	CHECK(ibv_query_gid(ctx, 1, p.gid_tbl_len, &gid));
	CHECK_EQ(p.pkey_tbl_len, 1);
	CHECK_OK(ibv_query_pkey(ctx, 1, 0, &pkey));
	CHECK_EQ(pkey, 0xffff);
}

/* --- PD ------------------------------------------------------------------ */

static void pd_life(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_pd *pd[100];
	struct buf b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pd); i++) {
		pd[i] = ibv_alloc_pd(ctx);
		CHECK(pd[i]);
	}
	buf_new(&b, pd[0], 4096, 0, 0);
	CHECK_EQ(ibv_dealloc_pd(pd[0]), EBUSY);
	CHECK_OK(ibv_dereg_mr(b.mr));
	for (i = 0; i < ARRAY_SIZE(pd); i++)
		CHECK_OK(ibv_dealloc_pd(pd[i]));
	CHECK_OK(ibv_close_device(ctx));
}

/* --- MR ------------------------------------------------------------------ */

static void mr_errors(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_mr *mr;
	char *p, *ro;

	p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && ro != MAP_FAILED);
	CHECK_OK(munmap(p + 4096, 4096));

	mr = ibv_reg_mr(pd, p, 3 * 4096, IBV_ACCESS_LOCAL_WRITE);
	check_refused("MR over a hole", !mr, EFAULT, ENOMEM);
	mr = ibv_reg_mr(pd, ro, 4096, IBV_ACCESS_LOCAL_WRITE);
	check_refused("writable MR of a read-only page", !mr, EFAULT, EFAULT);
	mr = ibv_reg_mr(pd, p, 4096, IBV_ACCESS_REMOTE_WRITE);
	check_refused("remote write without local", !mr, EINVAL, EINVAL);
	mr = ibv_reg_mr(pd, p, (size_t)-1, IBV_ACCESS_LOCAL_WRITE);
	check_refused("MR that wraps", !mr, EINVAL, EFAULT);
	mr = ibv_reg_mr(pd, (void *)0xfffffffffffff000ull, 8192, 0);
	check_refused("MR past the end", !mr, EINVAL, EFAULT);
	mr = ibv_reg_mr(pd, (void *)0xffff888000000000ull, 4096, 0);
	check_refused("MR of kernel memory", !mr, EFAULT, ENOMEM);

	mr = ibv_reg_mr(pd, ro, 4096, 0);
	CHECK(mr);
	CHECK_OK(ibv_dereg_mr(mr));
	mr = ibv_reg_mr(pd, p + 17, 1, RW_ACCESS);
	CHECK(mr);
	CHECK_OK(ibv_dereg_mr(mr));
	CHECK_OK(ibv_dealloc_pd(pd));
	CHECK_OK(ibv_close_device(ctx));
}

/* STags must differ and must not be a counter that a peer can guess. */
static void mr_keys(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_mr *mr[64];
	uint32_t step = 0;
	size_t i, j, same = 0;
	struct buf b;

	buf_new(&b, NULL, 65536, 0, 0);
	for (i = 0; i < ARRAY_SIZE(mr); i++) {
		mr[i] = ibv_reg_mr(pd, b.p, 1024 + i, RW_ACCESS);
		CHECK(mr[i]);
		CHECK(mr[i]->rkey);
		for (j = 0; j < i; j++)
			CHECK(mr[i]->rkey != mr[j]->rkey);
		if (i && mr[i]->rkey - mr[i - 1]->rkey == step)
			same++;
		if (i)
			step = mr[i]->rkey - mr[i - 1]->rkey;
	}
	if (same > ARRAY_SIZE(mr) / 2)
		FAIL("STags grow by %u each time", step);
	for (i = 0; i < ARRAY_SIZE(mr); i++)
		CHECK_OK(ibv_dereg_mr(mr[i]));
	CHECK_OK(ibv_dealloc_pd(pd));
}

static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	CHECK_OK(syscall(SYS_capget, &h, d));
	d[0].effective &= ~(1u << CAP_IPC_LOCK);
	d[0].permitted &= ~(1u << CAP_IPC_LOCK);
	CHECK_OK(syscall(SYS_capset, &h, d));
}

/* From here on the process may pin this many octets. */
static void limit_memlock(rlim_t octets)
{
	struct rlimit rl = { octets, octets };

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &rl));
	drop_ipc_lock();
}

/* Without a capability RLIMIT_MEMLOCK holds, and is given back at dereg. */
static void mr_memlock(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct buf b;
	int i;

	limit_memlock(1 << 20);
	pd = open_pd(&ctx);
	buf_new(&b, NULL, 4 << 20, 0, 0);
	mr = ibv_reg_mr(pd, b.p, 4 << 20, 0);
	check_refused("MR over the memlock limit", !mr, ENOMEM, ENOMEM);
	for (i = 0; i < 16; i++) {
		mr = ibv_reg_mr(pd, b.p, 512 << 10, 0);
		CHECK(mr);
		CHECK_OK(ibv_dereg_mr(mr));
	}
}

/*
 * A length costs the kernel nothing before the limit has judged it. One TiB is
 * more than a list of its pages may have, and makes the kernel complain.
 */
static void mr_memlock_huge(const void *arg)
{
	uint64_t begin = now_ms();
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
	struct buf b;
	int i;

	limit_memlock(1 << 20);
	pd = open_pd(&ctx);
	buf_new(&b, NULL, 4096, 0, 0);
	for (i = 0; i < 8; i++) {
		mr = ibv_reg_mr(pd, b.map, (1ull << 40) - 4096 * (i & 1), 0);
		check_refused("MR of a TiB", !mr, ENOMEM, ENOMEM);
	}
	note("8 calls took %llu ms", (unsigned long long)(now_ms() - begin));
	mr = ibv_reg_mr(pd, b.p, 4096, 0);
	CHECK(mr);
	CHECK_OK(ibv_dereg_mr(mr));
}

static void rereg_or_refuse(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct buf b;
	int r;

	buf_new(&b, pd, 8192, 0, 0);
	r = ibv_rereg_mr(b.mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
			 RW_ACCESS);
	if (r)
		CHECK(errno == EOPNOTSUPP || errno == ENOSYS);
	buf_free(&b);
	CHECK_OK(ibv_dealloc_pd(pd));
}

/* --- CQ ------------------------------------------------------------------ */

static void cq_errors(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_device_attr a;
	struct ibv_cq *cq;
	int v;

	CHECK_OK(ibv_query_device(ctx, &a));
	cq = ibv_create_cq(ctx, 0, NULL, NULL, 0);
	check_refused("CQ of no entry", !cq, EINVAL, EINVAL);
	cq = ibv_create_cq(ctx, -1, NULL, NULL, 0);
	check_refused("CQ of -1 entries", !cq, EINVAL, EINVAL);
	cq = ibv_create_cq(ctx, a.max_cqe + 1, NULL, NULL, 0);
	check_refused("CQ beyond max_cqe", !cq, EINVAL, ENOMEM);
	cq = ibv_create_cq(ctx, 16, NULL, NULL, ctx->num_comp_vectors);
	check_refused("CQ of a vector too many", !cq, EINVAL, EINVAL);
	for (v = 0; v < ctx->num_comp_vectors; v++) {
		cq = ibv_create_cq(ctx, 100, NULL, NULL, v);
		CHECK(cq);
		CHECK(cq->cqe >= 100);
		wc_none(cq, 0);
		CHECK_OK(ibv_destroy_cq(cq));
	}
	CHECK_OK(ibv_close_device(ctx));
}

/* More than 144 rings: none may be mapped at libsiw's "no key" offset. */
static void cq_many(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_cq *cq[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cq); i++) {
		cq[i] = ibv_create_cq(ctx, 10, NULL, NULL, 0);
		if (!cq[i])
			FAIL("CQ %zu: %s", i, strerror(errno));
	}
	for (i = 0; i < ARRAY_SIZE(cq); i++)
		CHECK_OK(ibv_destroy_cq(cq[i]));
	CHECK_OK(ibv_close_device(ctx));
}

/* Rings count as pinned memory: an ordinary user cannot have all there is. */
static void ring_memlock(const void *arg)
{
	struct ibv_context *ctx = open_dev();
	struct ibv_cq *cq[100];
	size_t n, round;

	limit_memlock(1 << 20);
	for (round = 0; round < 2; round++) {
		/* 2048 elements of 32 octets or more */
		for (n = 0; n < ARRAY_SIZE(cq); n++) {
			cq[n] = ibv_create_cq(ctx, 2048, NULL, NULL, 0);
			if (!cq[n])
				break;
		}
		CHECK_EQ(errno, ENOMEM);
		CHECK(n > 4 && n <= 16);
		while (n)
			CHECK_OK(ibv_destroy_cq(cq[--n]));
	}
	CHECK_OK(ibv_close_device(ctx));
}

/* A second mapping of the one ring that is not among the @n of @known. */
static void *map_again(struct ibv_context *ctx, void *const *known, size_t n,
		       size_t *len)
{
	unsigned long from, to, off;
	FILE *f = fopen("/proc/self/maps", "r");
	char line[200];
	void *p = NULL;
	size_t i;

	CHECK(f);
	while (!p && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "uverbs") ||
		    sscanf(line, "%lx-%lx %*s %lx", &from, &to, &off) != 3 ||
		    to - from < 64 << 10)
			continue;
		for (i = 0; i < n && known[i] != (void *)from; i++)
			;
		if (i < n)
			continue;
		*len = to - from;
		p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_SHARED,
			 ctx->cmd_fd, off);
		CHECK(p != MAP_FAILED);
	}
	fclose(f);
	CHECK(p);
	return p;
}

/* A ring that is mapped counts, whatever has become of its queue. */
static void ring_memlock_mapped(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	void *ring[100];
	struct ibv_cq *cq;
	struct buf b;
	size_t n, len = 0, round;

	limit_memlock(1 << 20);
	for (round = 0; round < 2; round++) {
		for (n = 0; n < ARRAY_SIZE(ring); n++) {
			cq = ibv_create_cq(ctx, 2048, NULL, NULL, 0);
			if (!cq)
				break;
			ring[n] = map_again(ctx, ring, n, &len);
			CHECK_OK(ibv_destroy_cq(cq));
			memset(ring[n], n, len);
		}
		CHECK_EQ(errno, ENOMEM);
		CHECK(n > 4 && n <= 16);
		/* nobody else got it */
		CHECK_EQ(*(uint8_t *)ring[1], 1);
		while (n)
			CHECK_OK(munmap(ring[--n], len));
	}
	buf_new(&b, pd, 900 << 10, 0, 0);
	buf_free(&b);
	CHECK_OK(ibv_dealloc_pd(pd));
	CHECK_OK(ibv_close_device(ctx));
}

static void cq_busy(const void *arg)
{
	struct rig r;

	rig_connect(&r);
	CHECK_EQ(ibv_destroy_cq(r.c.scq), EBUSY);
	rig_close(&r);
}

/* --- SRQ ----------------------------------------------------------------- */

/* ibv_create_qp(3): sizes of a receive queue of its own are ignored. */
static void qp_of_srq(struct ibv_pd *pd, struct ibv_srq *srq)
{
	struct ibv_cq *cq = ibv_create_cq(pd->context, 4, NULL, NULL, 0);
	struct ibv_qp_init_attr ia = {
		.send_cq = cq,
		.recv_cq = cq,
		.srq = srq,
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_send_sge = 1,
			 .max_recv_wr = 1U << 20, .max_recv_sge = 1000 },
	};
	struct ibv_qp_attr error = { .qp_state = IBV_QPS_ERR };
	struct ibv_qp *qp;

	CHECK(cq);
	qp = ibv_create_qp(pd, &ia);
	CHECK(qp);
	/* it takes nothing more from the SRQ: ib_drain_qp() waits to hear so */
	CHECK_OK(ibv_modify_qp(qp, &error, IBV_QP_STATE));
	CHECK(async_seen(pd->context, 1ULL << IBV_EVENT_QP_LAST_WQE_REACHED,
			 5000));
	CHECK_OK(ibv_destroy_qp(qp));
	CHECK_OK(ibv_destroy_cq(cq));
}

static void srq_errors(const void *arg)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = 16,
						  .max_sge = 2 } };
	struct ibv_srq_attr at = { 0 };
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_recv_wr wr = { 0 }, *bad;
	struct ibv_device_attr a;
	struct ibv_srq *srq;
	struct ibv_sge sge;
	struct buf b;
	int i;

	buf_new(&b, pd, 64, 0, RW_ACCESS);
	sge = buf_sge(&b, 0, 64);
	wr.sg_list = &sge;
	wr.num_sge = 1;
	CHECK_OK(ibv_query_device(ctx, &a));
	ia.attr.max_wr = a.max_srq_wr + 1;
	srq = ibv_create_srq(pd, &ia);
	check_refused("SRQ beyond max_srq_wr", !srq, EINVAL, ENOMEM);
	ia.attr.max_wr = 0;
	srq = ibv_create_srq(pd, &ia);
	check_refused("SRQ of no entry", !srq, EINVAL, EINVAL);
	ia.attr.max_wr = 10;
	ia.attr.max_sge = a.max_srq_sge + 1;
	srq = ibv_create_srq(pd, &ia);
	check_refused("SRQ beyond max_srq_sge", !srq, EINVAL, EINVAL);
	ia.attr.max_sge = 2;
	/* ibv_create_srq(3): irrelevant */
	ia.attr.srq_limit = ~0U;
	srq = ibv_create_srq(pd, &ia);
	CHECK(srq);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	qp_of_srq(pd, srq);
	at.srq_limit = 17;
	CHECK(ibv_modify_srq(srq, &at, IBV_SRQ_LIMIT));
	/* With fewer receives than the limit the event comes at once. */
	for (i = 0; i < 8; i++)
		CHECK_OK(ibv_post_srq_recv(srq, &wr, &bad));
	at.srq_limit = 4;
	CHECK_OK(ibv_modify_srq(srq, &at, IBV_SRQ_LIMIT));
	if (!stock_provider()) {
		memset(&at, 0, sizeof(at));
		CHECK_OK(ibv_query_srq(srq, &at));
		CHECK(at.max_wr >= 10 && at.max_sge >= 2);
		/* who created it was told the same */
		CHECK_EQ(ia.attr.max_wr, at.max_wr);
		CHECK_EQ(at.srq_limit, 4);
	}
	CHECK_OK(ibv_destroy_srq(srq));
	buf_free(&b);
	CHECK_OK(ibv_dealloc_pd(pd));
}

static void srq_full(const void *arg)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = 16,
						  .max_sge = 2 } };
	struct ibv_recv_wr wr = { 0 }, *bad;
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_sge sge[7];
	struct ibv_srq *srq;
	struct buf b;
	int i, n = 0, r;

	wr.num_sge = 1;
	wr.sg_list = sge;
	buf_new(&b, pd, 64, 0, RW_ACCESS);
	for (i = 0; i < 7; i++)
		sge[i] = buf_sge(&b, 0, 64);
	srq = ibv_create_srq(pd, &ia);
	CHECK(srq);
	do {
		bad = NULL;
		r = ibv_post_srq_recv(srq, &wr, &bad);
	} while (!r && ++n < 1000);
	CHECK(n >= 16 && n < 1000);
	CHECK(bad == &wr);
	if (!stock_provider())
		CHECK_EQ(r, ENOMEM);
	CHECK_OK(ibv_destroy_srq(srq));
	srq = ibv_create_srq(pd, &ia);
	CHECK(srq);
	wr.num_sge = 7;
	CHECK(ibv_post_srq_recv(srq, &wr, &bad));
	CHECK_OK(ibv_destroy_srq(srq));
	buf_free(&b);
	CHECK_OK(ibv_dealloc_pd(pd));
}

/* --- QP ------------------------------------------------------------------ */

static struct ibv_qp_init_attr qp_attr(struct ibv_cq *cq)
{
	struct ibv_qp_init_attr ia = {
		.send_cq = cq,
		.recv_cq = cq,
		.qp_type = IBV_QPT_RC,
		.cap = {
			.max_send_wr = 20,
			.max_recv_wr = 20,
			.max_send_sge = 2,
			.max_recv_sge = 2,
			.max_inline_data = 16,
		},
	};

	return ia;
}

static void qp_create_errors(const void *arg)
{
	struct ibv_qp_init_attr ia;
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 64, NULL, NULL, 0);
	struct ibv_device_attr a;
	struct ibv_qp *qp;
	int i;

	CHECK(cq);
	CHECK_OK(ibv_query_device(ctx, &a));
	for (i = 0; i < 5; i++) {
		ia = qp_attr(cq);
		if (i == 0)
			ia.cap.max_send_wr = a.max_qp_wr + 1;
		if (i == 1)
			ia.cap.max_recv_wr = a.max_qp_wr + 1;
		if (i == 2)
			ia.cap.max_send_sge = a.max_sge + 1;
		if (i == 3)
			ia.cap.max_recv_sge = a.max_sge + 1;
		if (i == 4)
			ia.cap.max_inline_data = 1 << 20;
		note("limit %d", i);
		qp = ibv_create_qp(pd, &ia);
		check_refused("QP beyond a limit", !qp, EINVAL, ENOMEM);
	}
	ia = qp_attr(cq);
	ia.qp_type = IBV_QPT_UD;
	qp = ibv_create_qp(pd, &ia);
	check_refused("UD", !qp, EOPNOTSUPP, EINVAL);
	ia.qp_type = IBV_QPT_UC;
	qp = ibv_create_qp(pd, &ia);
	check_refused("UC", !qp, EOPNOTSUPP, EINVAL);
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_dealloc_pd(pd));
	CHECK_OK(ibv_close_device(ctx));
}

/* The iWARP state Idle may be shown as either. */
static bool unconnected(enum ibv_qp_state state)
{
	return state == IBV_QPS_RESET || state == IBV_QPS_INIT;
}

static void qp_caps(const void *arg)
{
	struct ibv_qp_init_attr ia, qia;
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 64, NULL, NULL, 0);
	struct ibv_qp_attr qa;
	struct ibv_qp *qp;

	CHECK(cq);
	ia = qp_attr(cq);
	qp = ibv_create_qp(pd, &ia);
	CHECK(qp);
	CHECK(ia.cap.max_send_wr >= 20 && ia.cap.max_recv_wr >= 20);
	CHECK(ia.cap.max_send_sge >= 2 && ia.cap.max_recv_sge >= 2);
	CHECK(ia.cap.max_inline_data >= 16);
	CHECK_OK(ibv_query_qp(qp, &qa, IBV_QP_STATE | IBV_QP_CAP, &qia));
	CHECK(unconnected(qa.qp_state));
	CHECK(qa.cap.max_send_wr >= 20 && qa.cap.max_recv_wr >= 20);
	/* libsiw does not pass on what it is told */
	CHECK(stock_provider() || (ia.cap.max_send_wr == qa.cap.max_send_wr &&
				   ia.cap.max_recv_wr == qa.cap.max_recv_wr));
	CHECK(qia.send_cq == cq && qia.recv_cq == cq);
	CHECK_EQ(qia.qp_type, IBV_QPT_RC);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	CHECK_OK(ibv_destroy_qp(qp));
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_dealloc_pd(pd));
}

static int set_state(struct ibv_qp *qp, enum ibv_qp_state state)
{
	struct ibv_qp_attr a = { .qp_state = state, .port_num = 1,
				 .qp_access_flags = IBV_ACCESS_REMOTE_WRITE };
	int mask = IBV_QP_STATE;

	if (state == IBV_QPS_INIT)
		mask |= IBV_QP_ACCESS_FLAGS | IBV_QP_PORT | IBV_QP_PKEY_INDEX;
	return ibv_modify_qp(qp, &a, mask);
}

static enum ibv_qp_state get_state(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;

	CHECK_OK(ibv_query_qp(qp, &a, IBV_QP_STATE, &ia));
	return a.qp_state;
}

static void qp_states(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 64, NULL, NULL, 0);
	struct ibv_qp_init_attr ia = qp_attr(cq);
	struct ibv_qp *qp = ibv_create_qp(pd, &ia);

	CHECK(cq && qp);
	CHECK(unconnected(get_state(qp)));
	CHECK(set_state(qp, IBV_QPS_RTS));
	CHECK(unconnected(get_state(qp)));
	CHECK_OK(set_state(qp, IBV_QPS_INIT));
	CHECK_EQ(get_state(qp), IBV_QPS_INIT);
	CHECK(set_state(qp, IBV_QPS_RTS));
	CHECK_EQ(get_state(qp), IBV_QPS_INIT);
	CHECK(set_state(qp, 17));
	CHECK_OK(set_state(qp, IBV_QPS_ERR));
	CHECK_EQ(get_state(qp), IBV_QPS_ERR);
	CHECK(set_state(qp, IBV_QPS_RTS));
	CHECK_EQ(get_state(qp), IBV_QPS_ERR);
	if (!set_state(qp, IBV_QPS_RESET))
		CHECK(unconnected(get_state(qp)));
	CHECK_OK(ibv_destroy_qp(qp));
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_dealloc_pd(pd));
}

static void qp_states_rts(const void *arg)
{
	struct rig r;

	rig_connect(&r);
	CHECK_EQ(ep_state(&r.c), IBV_QPS_RTS);
	CHECK_EQ(ep_state(&r.s), IBV_QPS_RTS);
	CHECK(set_state(r.c.qp, IBV_QPS_INIT));
	CHECK_EQ(ep_state(&r.c), IBV_QPS_RTS);
	rig_ping(&r);
	CHECK_OK(set_state(r.c.qp, IBV_QPS_ERR));
	CHECK_EQ(ep_state(&r.c), IBV_QPS_ERR);
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	CHECK_EQ(ep_state(&r.s), IBV_QPS_ERR);
	rig_close(&r);
}

static void qp_many(const void *arg)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 64, NULL, NULL, 0);
	struct ibv_qp_init_attr ia;
	struct ibv_qp *qp[100];
	size_t i, j;

	CHECK(cq);
	for (i = 0; i < ARRAY_SIZE(qp); i++) {
		ia = qp_attr(cq);
		qp[i] = ibv_create_qp(pd, &ia);
		if (!qp[i])
			FAIL("QP %zu: %s", i, strerror(errno));
		for (j = 0; j < i; j++)
			CHECK(qp[i]->qp_num != qp[j]->qp_num);
	}
	for (i = 0; i < ARRAY_SIZE(qp); i++)
		CHECK_OK(ibv_destroy_qp(qp[i]));
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_dealloc_pd(pd));
}

/* A QP that only sends needs no receive queue, and the reverse. */
static void qp_one_way(const void *arg)
{
	bool no_rq = arg;
	struct ibv_context *ctx;
	struct ibv_pd *pd = open_pd(&ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 64, NULL, NULL, 0);
	struct ibv_qp_init_attr ia = qp_attr(cq);
	struct ibv_qp *qp;

	if (no_rq) {
		ia.cap.max_recv_wr = 0;
		ia.cap.max_recv_sge = 0;
	} else {
		ia.cap.max_send_wr = 0;
		ia.cap.max_send_sge = 0;
	}
	qp = ibv_create_qp(pd, &ia);
	CHECK(qp);
	CHECK_OK(ibv_destroy_qp(qp));
	CHECK_OK(ibv_destroy_cq(cq));
	CHECK_OK(ibv_dealloc_pd(pd));
}

/* Each of two ends reads its own depths, not the peer's. */
static void qp_depths(const void *arg)
{
	struct ep_attr ca = { .depth_set = true, .ird = 3, .ord = 5 };
	struct ep_attr sa = { .depth_set = true, .ird = 6, .ord = 2 };
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;
	struct rig r;
	int mask = IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_MAX_DEST_RD_ATOMIC;

	rig_connect_attr(&r, &ca, &sa);
	CHECK_OK(ibv_query_qp(r.c.qp, &a, mask, &ia));
	note("client issues %u serves %u", a.max_rd_atomic,
	     a.max_dest_rd_atomic);
	CHECK_EQ(a.max_rd_atomic, 5);
	CHECK(a.max_dest_rd_atomic >= 2 && a.max_dest_rd_atomic <= 4);
	CHECK_OK(ibv_query_qp(r.s.qp, &a, mask, &ia));
	note("server issues %u serves %u", a.max_rd_atomic,
	     a.max_dest_rd_atomic);
	CHECK_EQ(a.max_rd_atomic, 2);
	CHECK(a.max_dest_rd_atomic >= 5 && a.max_dest_rd_atomic <= 8);
	rig_close(&r);
}

/* Close the device without freeing anything: the kernel cleans up. */
static void abandon(const void *arg)
{
	struct rig r[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(r); i++)
		rig_connect(&r[i]);
	_exit(0);
}

static const struct test_case cases[] = {
	{ "device_attrs", device_attrs },
	{ "port_attrs", port_attrs },
	{ "port_gid_pkey", port_gid_pkey },
	{ "pd_life", pd_life },
	{ "mr_errors", mr_errors },
	{ "mr_keys", mr_keys },
	{ "mr_memlock", mr_memlock },
	{ "mr_memlock_huge", mr_memlock_huge },
	{ "mr_rereg_or_refuse", rereg_or_refuse },
	{ "cq_errors", cq_errors },
	{ "cq_many", cq_many },
	{ "ring_memlock", ring_memlock },
	{ "ring_memlock_mapped", ring_memlock_mapped },
	{ "cq_busy", cq_busy },
	{ "srq_errors", srq_errors },
	{ "srq_full", srq_full },
	{ "qp_create_errors", qp_create_errors },
	{ "qp_caps", qp_caps },
	{ "qp_states", qp_states },
	{ "qp_states_rts", qp_states_rts },
	{ "qp_many", qp_many },
	{ "qp_no_rq", qp_one_way, "rq" },
	{ "qp_no_sq", qp_one_way },
	{ "qp_depths", qp_depths },
	{ "abandon", abandon },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
