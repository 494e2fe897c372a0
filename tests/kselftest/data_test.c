// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Data transfer: every operation at many sizes and alignments with all
 * octets compared, completions, their order and their events.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB	(1024 * 1024)

static struct op op_of(uint64_t id, enum ibv_wr_opcode opc,
		       struct ibv_sge *sge, int n)
{
	struct op o = { .id = id, .opcode = opc, .flags = IBV_SEND_SIGNALED,
			.sge = sge, .nsge = n };

	return o;
}

static enum ibv_wc_opcode wc_of(enum ibv_wr_opcode opc)
{
	switch (opc) {
	case IBV_WR_RDMA_WRITE:
		return IBV_WC_RDMA_WRITE;
	case IBV_WR_RDMA_READ:
		return IBV_WC_RDMA_READ;
	default:
		return IBV_WC_SEND;
	}
}

/* A Send after a Write tells when the data of the Write are in place. */
static void fence_peer(struct ep *from, struct ep *to)
{
	struct op o = op_of(0xfe, IBV_WR_SEND, NULL, 0);
	struct buf b;
	struct ibv_sge s;

	buf_new(&b, to->pd, 8, 0, IBV_ACCESS_LOCAL_WRITE);
	s = buf_sge(&b, 0, 8);
	post_recv(to, 0xff, &s, 1);
	post_op(from, &o);
	wc_expect(from->scq, 0xfe, IBV_WC_SUCCESS);
	wc_expect(to->rcq, 0xff, IBV_WC_SUCCESS);
	buf_free(&b);
}

/**
 * transfer() - move octets from one buffer to another and compare them
 * @from: end that posts the request
 * @to: the other end
 * @opc: Send, RDMA Write or RDMA Read
 * @src: source; local to @from unless @opc is RDMA Read
 * @so: first octet of the source
 * @dst: destination
 * @d0: first octet of the destination
 * @len: octets
 */
static void transfer(struct ep *from, struct ep *to, enum ibv_wr_opcode opc,
		     struct buf *src, size_t so, struct buf *dst, size_t d0,
		     size_t len)
{
	bool read = opc == IBV_WR_RDMA_READ;
	struct buf *lb = read ? dst : src, *rb = read ? src : dst;
	size_t lo = read ? d0 : so, ro = read ? so : d0;
	struct ibv_sge ls = buf_sge(lb, lo, len), rs = buf_sge(rb, ro, len);
	struct op o = op_of(1, opc, &ls, 1);
	struct ibv_wc wc;

	memset(dst->p + d0, 0, len);
	if (opc == IBV_WR_SEND)
		post_recv(to, 2, &rs, 1);
	o.raddr = rs.addr;
	o.rkey = rb->mr->rkey;
	post_op(from, &o);
	wc = wc_expect(from->scq, 1, IBV_WC_SUCCESS);
	CHECK_EQ(wc.opcode, wc_of(opc));
	CHECK_EQ(wc.qp_num, from->qp->qp_num);
	if (opc == IBV_WR_SEND) {
		wc = wc_expect(to->rcq, 2, IBV_WC_SUCCESS);
		CHECK_EQ(wc.opcode, IBV_WC_RECV);
		CHECK_EQ(wc.byte_len, len);
		CHECK_EQ(wc.qp_num, to->qp->qp_num);
	} else if (opc == IBV_WR_RDMA_WRITE) {
		fence_peer(from, to);
	}
	buf_check(dst, d0, len, 5, so);
}

static const size_t sizes[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 512, 1000, 1023, 1024,
	1390, 1400, 1420, 1428, 1432, 1440, 1448, 1449, 1460, 2047, 4095,
	4096, 4097, 8191, 8900, 8948, 16384, 65515, 65535, 65536, 65537,
	131071, MIB, MIB + 1, 4 * MIB + 3, 16 * MIB,
};

static void all_sizes(const void *arg)
{
	enum ibv_wr_opcode opc = *(const enum ibv_wr_opcode *)arg;
	struct buf src, dst;
	struct rig r;
	size_t i;

	rig_connect(&r);
	if (opc == IBV_WR_RDMA_READ) {
		buf_new(&src, r.s.pd, 16 * MIB, 0, IBV_ACCESS_REMOTE_READ);
		buf_new(&dst, r.c.pd, 16 * MIB, 0, RW_ACCESS);
	} else {
		buf_new(&src, r.c.pd, 16 * MIB, 0, 0);
		buf_new(&dst, r.s.pd, 16 * MIB, 0, RW_ACCESS);
	}
	buf_fill(&src, 5);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		transfer(&r.c, &r.s, opc, &src, 0, &dst, 0, sizes[i]);
	buf_free(&src);
	buf_free(&dst);
	rig_ping(&r);
	rig_close(&r);
}

static const enum ibv_wr_opcode opc_send = IBV_WR_SEND;
static const enum ibv_wr_opcode opc_write = IBV_WR_RDMA_WRITE;
static const enum ibv_wr_opcode opc_read = IBV_WR_RDMA_READ;
static const enum ibv_wr_opcode opc_send_imm = IBV_WR_SEND_WITH_IMM;
static const enum ibv_wr_opcode opc_write_imm = IBV_WR_RDMA_WRITE_WITH_IMM;

/* Both ways, each alignment of source and destination within a page end. */
static void alignments(const void *arg)
{
	static const size_t lens[] = { 1, 13, 1461, 5000 };
	struct buf a, b;
	struct rig r;
	size_t i, s;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 16384, 0, RW_ACCESS);
	buf_new(&b, r.s.pd, 16384, 0, RW_ACCESS);
	buf_fill(&a, 5);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (s = 0; s < 8; s++) {
			transfer(&r.c, &r.s, IBV_WR_SEND, &a, 4090 + s, &b,
				 4095 - s, lens[i]);
			transfer(&r.c, &r.s, IBV_WR_RDMA_WRITE, &a, 4000 + s,
				 &b, 8191 - 3 * s, lens[i]);
			transfer(&r.s, &r.c, IBV_WR_RDMA_READ, &a, 4090 + s,
				 &b, 4092 + s, lens[i]);
		}
	}
	buf_free(&a);
	buf_free(&b);
	rig_close(&r);
}

/* The far end may start transfers as well as the near one. */
static void from_server(const void *arg)
{
	struct buf a, b;
	struct rig r;

	rig_connect(&r);
	buf_new(&a, r.s.pd, 70000, 1, RW_ACCESS);
	buf_new(&b, r.c.pd, 70000, 2, RW_ACCESS);
	buf_fill(&a, 5);
	transfer(&r.s, &r.c, IBV_WR_SEND, &a, 0, &b, 0, 70000);
	transfer(&r.s, &r.c, IBV_WR_RDMA_WRITE, &a, 0, &b, 0, 70000);
	transfer(&r.c, &r.s, IBV_WR_RDMA_READ, &a, 0, &b, 0, 70000);
	rig_close(&r);
}

/* --- scatter and gather ---------------------------------------------------- */

static void cut(struct ibv_sge *sge, int n, const struct buf *b,
		const size_t *lens)
{
	size_t off = 0;
	int i;

	for (i = 0; i < n; i++) {
		sge[i] = buf_sge(b, off, lens[i]);
		off += lens[i];
	}
}

static void sge_round(struct rig *r, struct buf *a, struct buf *b, int ns,
		      int nr, const size_t *sl, const size_t *rl)
{
	struct ibv_sge ss[6], rs[6];
	struct op o = op_of(1, IBV_WR_SEND, ss, ns);
	struct ibv_wc wc;
	size_t len = 0;
	int i;

	for (i = 0; i < ns; i++)
		len += sl[i];
	cut(ss, ns, a, sl);
	cut(rs, nr, b, rl);
	buf_clear(b);
	post_recv(&r->s, 2, rs, nr);
	post_op(&r->c, &o);
	wc_expect(r->c.scq, 1, IBV_WC_SUCCESS);
	wc = wc_expect(r->s.rcq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(wc.byte_len, len);
	buf_check(b, 0, len, 5, 0);
	buf_clear(b);
	o.opcode = IBV_WR_RDMA_WRITE;
	o.raddr = (uintptr_t)b->p;
	o.rkey = b->mr->rkey;
	post_op(&r->c, &o);
	wc_expect(r->c.scq, 1, IBV_WC_SUCCESS);
	fence_peer(&r->c, &r->s);
	buf_check(b, 0, len, 5, 0);
}

static void sge_lists(const void *arg)
{
	static const size_t sl[6] = { 1, 4095, 17, 1460, 3, 9001 };
	static const size_t rl[6] = { 3, 1, 5000, 7, 2048, 20000 };
	struct buf a, b;
	struct rig r;
	int ns, nr;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 40000, 3, 0);
	buf_new(&b, r.s.pd, 40000, 1, RW_ACCESS);
	buf_fill(&a, 5);
	for (ns = 1; ns <= 6; ns++)
		for (nr = 1; nr <= 6; nr++) {
			size_t lens[6];

			memcpy(lens, rl, sizeof(lens));
			lens[nr - 1] = 20000;
			sge_round(&r, &a, &b, ns, nr, sl, lens);
		}
	buf_free(&a);
	buf_free(&b);
	rig_close(&r);
}

static void sge_empty_entries(const void *arg)
{
	static const size_t sl[5] = { 0, 100, 0, 2000, 0 };
	static const size_t rl[4] = { 0, 1, 0, 8000 };
	struct buf a, b;
	struct rig r;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 4000, 3, 0);
	buf_new(&b, r.s.pd, 9000, 1, RW_ACCESS);
	buf_fill(&a, 5);
	sge_round(&r, &a, &b, 5, 4, sl, rl);
	rig_close(&r);
}

/* --- inline ---------------------------------------------------------------- */

static void inline_data(const void *arg)
{
	struct ep_attr ca = { .inln = 64 };
	struct op o = op_of(1, IBV_WR_SEND, NULL, 1);
	struct ibv_sge ss, rs;
	struct ibv_wc wc;
	struct buf a, b;
	struct rig r;
	size_t len;

	rig_connect_attr(&r, &ca, NULL);
	buf_new(&a, NULL, 64, 1, 0);
	buf_new(&b, r.s.pd, 100, 1, RW_ACCESS);
	rs = buf_sge(&b, 0, 100);
	o.flags |= IBV_SEND_INLINE;
	o.sge = &ss;
	for (len = 1; len <= 64; len += len < 8 ? 1 : 7) {
		buf_fill(&a, 5);
		buf_clear(&b);
		ss = buf_sge(&a, 0, len);
		ss.lkey = 0xdeadbeef;
		post_recv(&r.s, 2, &rs, 1);
		o.opcode = IBV_WR_SEND;
		post_op(&r.c, &o);
		buf_clear(&a);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
		wc = wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
		CHECK_EQ(wc.byte_len, len);
		buf_check(&b, 0, len, 5, 0);
		buf_check_clear(&b, len, 100 - len);
		buf_fill(&a, 5);
		o.opcode = IBV_WR_RDMA_WRITE;
		o.raddr = rs.addr + 3;
		o.rkey = rs.lkey;
		post_op(&r.c, &o);
		buf_clear(&a);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
		fence_peer(&r.c, &r.s);
		buf_check(&b, 3, len, 5, 0);
	}
	rig_close(&r);
}

static void inline_lists(const void *arg)
{
	struct ep_attr ca = { .inln = 64 };
	struct ibv_sge ss[4], rs;
	struct op o = op_of(1, IBV_WR_SEND, ss, 4);
	struct ibv_wc wc;
	struct buf a, b;
	struct rig r;

	rig_connect_attr(&r, &ca, NULL);
	buf_new(&a, NULL, 64, 1, 0);
	buf_new(&b, r.s.pd, 100, 1, RW_ACCESS);
	buf_fill(&a, 5);
	rs = buf_sge(&b, 0, 100);
	ss[0] = buf_sge(&a, 0, 1);
	ss[1] = buf_sge(&a, 1, 20);
	ss[2] = buf_sge(&a, 21, 0);
	ss[3] = buf_sge(&a, 21, 43);
	o.flags |= IBV_SEND_INLINE;
	post_recv(&r.s, 2, &rs, 1);
	post_op(&r.c, &o);
	buf_clear(&a);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	wc = wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(wc.byte_len, 64);
	buf_check(&b, 0, 64, 5, 0);
	rig_close(&r);
}

static void inline_too_big(const void *arg)
{
	struct ep_attr ca = { .inln = 16 };
	struct op o = op_of(1, IBV_WR_SEND, NULL, 1);
	struct ibv_sge ss;
	struct buf a;
	struct rig r;

	rig_connect_attr(&r, &ca, NULL);
	buf_new(&a, NULL, 8192, 0, 0);
	ss = buf_sge(&a, 0, 8192);
	o.sge = &ss;
	o.flags |= IBV_SEND_INLINE;
	CHECK(try_op(&r.c, &o));
	rig_ping(&r);
	rig_close(&r);
}

/* --- zero length -------------------------------------------------------- */

static void zero_length(const void *arg)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_sge ls, rs;
	struct ibv_wc wc;
	struct buf a, b;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 64, 0, RW_ACCESS);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	buf_clear(&b);
	rs = buf_sge(&b, 0, 64);
	ls = buf_sge(&a, 0, 0);
	o.raddr = rs.addr;
	o.rkey = rs.lkey;
	/* Once with no SGE at all, once with one of no octet. */
	for (i = 0; i < 2; i++) {
		o.sge = &ls;
		o.nsge = i;
		o.opcode = IBV_WR_SEND;
		post_recv(&r.s, 2, &rs, 1);
		post_op(&r.c, &o);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
		wc = wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
		CHECK_EQ(wc.byte_len, 0);
		o.opcode = IBV_WR_RDMA_WRITE;
		post_op(&r.c, &o);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
		o.opcode = IBV_WR_RDMA_READ;
		post_op(&r.c, &o);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	}
	buf_check_clear(&b, 0, 64);
	rig_ping(&r);
	rig_close(&r);
}

/* RFC 5041 7.1: the STag of a message without payload is not looked at. */
static void zero_length_any_stag(const void *arg)
{
	struct op o = op_of(1, IBV_WR_RDMA_WRITE, NULL, 0);
	struct rig r;

	rig_connect(&r);
	o.raddr = 0x1234;
	o.rkey = 0xdeadbeef;
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	o.opcode = IBV_WR_RDMA_READ;
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	rig_ping(&r);
	rig_close(&r);
}

static void recv_no_sge(const void *arg)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_wc wc;
	struct rig r;

	if (stock_provider())
		skip_case("libsiw refuses a receive without SGE");
	rig_connect(&r);
	post_recv(&r.s, 2, NULL, 0);
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	wc = wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(wc.byte_len, 0);
	rig_close(&r);
}

/* --- memory regions ------------------------------------------------------ */

/* The address a peer and an SGE name is the iova, not the pointer. */
static void mr_iova(const void *arg)
{
	uint64_t iova_c = 0x100000000ull, iova_s = 0x7ffff000ull;
	struct buf a, b;
	struct ibv_sge ls, rs;
	struct op o = op_of(1, IBV_WR_SEND, &ls, 1);
	struct rig r;

	rig_connect(&r);
	buf_new(&a, NULL, 10000, 0, 0);
	buf_new(&b, NULL, 10000, 0, 0);
	iova_c |= (uintptr_t)a.p & 4095;
	iova_s |= (uintptr_t)b.p & 4095;
	a.mr = ibv_reg_mr_iova(r.c.pd, a.p, 10000, iova_c, RW_ACCESS);
	b.mr = ibv_reg_mr_iova(r.s.pd, b.p, 10000, iova_s, RW_ACCESS);
	CHECK(a.mr && b.mr);
	buf_fill(&a, 5);
	buf_clear(&b);
	ls = (struct ibv_sge){ iova_c + 1, 9000, a.mr->lkey };
	rs = (struct ibv_sge){ iova_s + 2, 9000, b.mr->lkey };
	post_recv(&r.s, 2, &rs, 1);
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	buf_check(&b, 2, 9000, 5, 1);
	buf_clear(&b);
	o.opcode = IBV_WR_RDMA_WRITE;
	o.raddr = iova_s + 100;
	o.rkey = b.mr->rkey;
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	fence_peer(&r.c, &r.s);
	buf_check(&b, 100, 9000, 5, 1);
	buf_clear(&a);
	o.opcode = IBV_WR_RDMA_READ;
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	buf_check(&a, 1, 9000, 5, 1);
	rig_close(&r);
}

/* Gives a buffer the address of another one, which is unmapped. */
static void buf_move(struct buf *b, const struct buf *to)
{
	CHECK(mremap(b->map, b->maplen, to->maplen,
		     MREMAP_MAYMOVE | MREMAP_FIXED, to->map) == to->map);
	b->map = to->map;
	b->p = to->p;
}

/*
 * What a cache of registrations (libfabric's, MPI's) relies on: regions overlap, one
 * keeps the pages it was made of when they are unmapped, and the address is
 * registered anew while it still exists.
 */
static void mr_cache(const void *arg)
{
	struct buf a, old, new;
	struct ibv_mr *more[64];
	struct rig r;
	size_t i;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 9000, 0, RW_ACCESS);
	buf_new(&old, r.s.pd, 9000, 0, RW_ACCESS);
	buf_new(&new, NULL, 9000, 0, 0);
	buf_fill(&old, 5);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = ibv_reg_mr(r.s.pd, old.p + i, 9000 - i, RW_ACCESS);
		CHECK(more[i]);
	}
	buf_move(&new, &old);
	new.mr = ibv_reg_mr(r.s.pd, new.p, 9000, RW_ACCESS);
	CHECK(new.mr);
	/* the old region's pages, by an address that has others now */
	transfer(&r.c, &r.s, IBV_WR_RDMA_READ, &old, 0, &a, 0, 9000);
	for (i = 0; i < ARRAY_SIZE(more); i++)
		CHECK_OK(ibv_dereg_mr(more[i]));
	buf_fill(&a, 5);
	transfer(&r.c, &r.s, IBV_WR_RDMA_WRITE, &a, 0, &new, 0, 9000);
	CHECK_OK(ibv_dereg_mr(old.mr));
	transfer(&r.c, &r.s, IBV_WR_RDMA_WRITE, &a, 1, &new, 3, 8000);
	buf_free(&a);
	buf_free(&new);
	rig_close(&r);
}

/* On iWARP the sink of a Read is a tagged target, yet LOCAL_WRITE must do. */
static void read_sink_local_write(const void *arg)
{
	struct buf a, b;
	struct rig r;

	rig_connect(&r);
	buf_new(&a, r.s.pd, 5000, 0, IBV_ACCESS_REMOTE_READ);
	buf_new(&b, r.c.pd, 5000, 0, IBV_ACCESS_LOCAL_WRITE);
	buf_fill(&a, 5);
	transfer(&r.c, &r.s, IBV_WR_RDMA_READ, &a, 0, &b, 0, 5000);
	rig_close(&r);
}

static void send_with_inv(const void *arg)
{
	struct ibv_sge ls, rs;
	struct op o = op_of(1, IBV_WR_SEND_WITH_INV, &ls, 1);
	struct ibv_wc wc;
	struct buf a, b, t;
	struct rig r;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 100, 0, 0);
	buf_new(&b, r.s.pd, 100, 0, RW_ACCESS);
	buf_new(&t, r.s.pd, 100, 0, RW_ACCESS);
	buf_fill(&a, 5);
	buf_clear(&t);
	ls = buf_sge(&a, 0, 100);
	rs = buf_sge(&b, 0, 100);
	post_recv(&r.s, 2, &rs, 1);
	o.rkey = t.mr->rkey;
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	wc = wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	buf_check(&b, 0, 100, 5, 0);
	if (!stock_provider()) {
		CHECK(wc.wc_flags & IBV_WC_WITH_INV);
		CHECK_EQ(wc.invalidated_rkey, t.mr->rkey);
	}
	/* The connection lives; using the STag again ends it. */
	rig_ping(&r);
	o.opcode = IBV_WR_RDMA_WRITE;
	o.raddr = (uintptr_t)t.p;
	post_op(&r.c, &o);
	CHECK(cm_wait_end(r.c.ch, TOLD_MS));
	CHECK(cm_wait_end(r.s.ch, TOLD_MS));
	buf_check_clear(&t, 0, 100);
	CHECK_OK(ibv_dereg_mr(t.mr));
	rig_close(&r);
}

/* --- requests and completions --------------------------------------------- */

static void unsignalled(const void *arg)
{
	struct ep_attr ca = { .send_wr = 16, .cqe = 4 };
	struct op o = op_of(0, IBV_WR_RDMA_WRITE, NULL, 1);
	struct ibv_sge ls;
	struct buf a, b;
	struct rig r;
	int i;

	rig_connect_attr(&r, &ca, NULL);
	buf_new(&a, r.c.pd, 1600, 0, 0);
	buf_new(&b, r.s.pd, 1600, 0, RW_ACCESS);
	buf_fill(&a, 5);
	buf_clear(&b);
	o.sge = &ls;
	o.rkey = b.mr->rkey;
	for (i = 0; i < 160; i++) {
		ls = buf_sge(&a, i * 10, 10);
		o.raddr = (uintptr_t)b.p + i * 10;
		o.id = i;
		o.flags = i % 8 == 7 ? IBV_SEND_SIGNALED : 0;
		post_op(&r.c, &o);
		if (o.flags)
			wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	}
	wc_none(r.c.scq, 50);
	fence_peer(&r.c, &r.s);
	buf_check(&b, 0, 1600, 5, 0);
	rig_close(&r);
}

static void signal_all(const void *arg)
{
	struct ep_attr ca = { .sig_all = true };
	struct op o = { .id = 3, .opcode = IBV_WR_RDMA_WRITE };
	struct rig r;

	rig_connect_attr(&r, &ca, NULL);
	post_op(&r.c, &o);
	wc_expect(r.c.scq, 3, IBV_WC_SUCCESS);
	rig_close(&r);
}

static void order(const void *arg)
{
	static const enum ibv_wr_opcode mix[] = {
		IBV_WR_RDMA_READ, IBV_WR_SEND, IBV_WR_RDMA_WRITE,
		IBV_WR_RDMA_READ, IBV_WR_RDMA_READ, IBV_WR_SEND,
		IBV_WR_SEND, IBV_WR_RDMA_WRITE,
	};
	struct ibv_sge ls, rs[24];
	struct op o = op_of(0, IBV_WR_SEND, &ls, 1);
	struct buf a, b;
	struct rig r;
	int i, nr = 0;

	rig_connect(&r);
	buf_new(&a, r.c.pd, 32 * 5000, 0, RW_ACCESS);
	buf_new(&b, r.s.pd, 32 * 5000, 0, RW_ACCESS);
	for (i = 0; i < 24; i++) {
		rs[i] = buf_sge(&b, i * 5000, 5000);
		post_recv(&r.s, 100 + i, &rs[i], 1);
	}
	for (i = 0; i < 24; i++) {
		o.id = i;
		o.opcode = mix[i % ARRAY_SIZE(mix)];
		ls = buf_sge(&a, i * 5000, 1 + i * 200);
		o.raddr = (uintptr_t)b.p + 30 * 5000;
		o.rkey = b.mr->rkey;
		nr += o.opcode == IBV_WR_SEND;
		post_op(&r.c, &o);
	}
	for (i = 0; i < 24; i++)
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	for (i = 0; i < nr; i++)
		wc_expect(r.s.rcq, 100 + i, IBV_WC_SUCCESS);
	wc_none(r.s.rcq, 20);
	rig_close(&r);
}

#define ATOMICS		64
#define ATOMIC_WINDOW	8

static void post_atomic(struct rig *r, struct buf *answers,
			const struct buf *word, unsigned int i)
{
	struct ibv_sge s = buf_sge(answers, 8 * i, 8);
	struct ibv_send_wr *bad, wr = {
		.wr_id = i,
		.opcode = i % 2 ? IBV_WR_ATOMIC_CMP_AND_SWP :
				  IBV_WR_ATOMIC_FETCH_AND_ADD,
		.send_flags = IBV_SEND_SIGNALED,
		.sg_list = &s,
		.num_sge = 1,
		.wr.atomic = {
			.remote_addr = (uintptr_t)word->p,
			.rkey = word->mr->rkey,
			.compare_add = i % 2 ? i : 1,
			.swap = i + 1,
		},
	};

	CHECK_OK(ibv_post_send(r->c.qp, &wr, &bad));
}

/* Each is done once and in order, whatever the network does: the answers tell. */
static void atomics(const void *arg)
{
	struct buf answers, word;
	unsigned int i;
	struct rig r;

	if (stock_provider())
		skip_case("libsiw has none");
	rig_connect(&r);
	buf_new(&answers, r.c.pd, 8 * ATOMICS, 0, RW_ACCESS);
	buf_new(&word, r.s.pd, 8, 0, RW_ACCESS | IBV_ACCESS_REMOTE_ATOMIC);
	memset(answers.p, 0xff, 8 * ATOMICS);
	memset(word.p, 0, 8);
	for (i = 0; i < ATOMICS + ATOMIC_WINDOW; i++) {
		if (i >= ATOMIC_WINDOW)
			wc_expect(r.c.scq, i - ATOMIC_WINDOW, IBV_WC_SUCCESS);
		if (i < ATOMICS)
			post_atomic(&r, &answers, &word, i);
	}
	for (i = 0; i < ATOMICS; i++)
		CHECK_EQ(((uint64_t *)answers.p)[i], i);
	CHECK_EQ(*(uint64_t *)word.p, ATOMICS);
	buf_free(&word);
	buf_free(&answers);
	rig_close(&r);
}

/* What a fenced Send carries was fetched by the Read before it. */
static void fence(const void *arg)
{
	struct ibv_sge rd, snd, rcv;
	struct op o = op_of(1, IBV_WR_RDMA_READ, &rd, 1);
	struct op f = op_of(2, IBV_WR_SEND, &snd, 1);
	struct buf a, b, c;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&a, r.s.pd, 60000, 0, RW_ACCESS);
	buf_new(&b, r.c.pd, 60000, 0, RW_ACCESS);
	buf_new(&c, r.s.pd, 60000, 0, RW_ACCESS);
	rd = buf_sge(&b, 0, 60000);
	snd = rd;
	rcv = buf_sge(&c, 0, 60000);
	o.raddr = (uintptr_t)a.p;
	o.rkey = a.mr->rkey;
	f.flags |= IBV_SEND_FENCE;
	for (i = 1; i < 20; i++) {
		buf_fill(&a, i);
		buf_clear(&b);
		buf_clear(&c);
		post_recv(&r.s, 3, &rcv, 1);
		post_op(&r.c, &o);
		post_op(&r.c, &f);
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
		wc_expect(r.c.scq, 2, IBV_WC_SUCCESS);
		wc_expect(r.s.rcq, 3, IBV_WC_SUCCESS);
		buf_check(&c, 0, 60000, i, 0);
	}
	rig_close(&r);
}

/* More Reads than either end's depth: they wait, none is lost. */
static void reads_beyond_depth(const void *arg)
{
	struct ep_attr a1 = { .depth_set = true, .ird = 1, .ord = 1,
			      .send_wr = 64 };
	struct ibv_sge ls;
	struct op o = op_of(0, IBV_WR_RDMA_READ, &ls, 1);
	struct buf a, b;
	struct rig r;
	int i;

	rig_connect_attr(&r, &a1, &a1);
	buf_new(&a, r.s.pd, 64 * 1000, 0, RW_ACCESS);
	buf_new(&b, r.c.pd, 64 * 1000, 0, RW_ACCESS);
	buf_fill(&a, 5);
	buf_clear(&b);
	o.rkey = a.mr->rkey;
	for (i = 0; i < 64; i++) {
		ls = buf_sge(&b, i * 1000, 1000);
		o.raddr = (uintptr_t)a.p + i * 1000;
		o.id = i;
		post_op(&r.c, &o);
	}
	for (i = 0; i < 64; i++)
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	buf_check(&b, 0, 64 * 1000, 5, 0);
	rig_close(&r);
}

/* No Read can ever be sent: it fails, and keeps nothing up. */
static void no_depth(const void *arg)
{
	struct ep_attr none = { .depth_set = true };
	struct op o = op_of(9, IBV_WR_RDMA_READ, NULL, 1);
	struct ibv_sge s;
	struct rig r;
	struct buf b;

	rig_connect_attr(&r, &none, &none);
	buf_new(&b, r.c.pd, 64, 0, RW_ACCESS);
	s = buf_sge(&b, 0, 64);
	o.sge = &s;
	o.raddr = (uintptr_t)b.p;
	o.rkey = b.mr->rkey;
	if (!try_op(&r.c, &o))
		wc_expect(r.c.scq, 9, IBV_WC_LOC_QP_OP_ERR);
	buf_free(&b);
	rig_close(&r);
}

/*
 * What is done but stands behind what is not has no completion if it was to have
 * none, not in a flush either. The Read waits: at the peer, behind a Send that
 * waits for a receive.
 */
static void unsignalled_flush(const void *arg)
{
	struct op send = op_of(1, IBV_WR_SEND, NULL, 1);
	struct op read = op_of(2, IBV_WR_RDMA_READ, NULL, 1);
	struct buf src, dst;
	struct ibv_sge s;
	struct rig r;

	if (access("/sys/module/siw/parameters/rnr_wait", F_OK))
		skip_case("this module waits for no receive");
	rig_connect(&r);
	buf_new(&src, r.c.pd, 64, 0, RW_ACCESS);
	buf_new(&dst, r.s.pd, 64, 0, RW_ACCESS);
	s = buf_sge(&src, 0, 64);
	send.sge = &s;
	read.sge = &s;
	read.raddr = (uintptr_t)dst.p;
	read.rkey = dst.mr->rkey;
	post_op(&r.c, &send);
	post_op(&r.c, &read);
	send.flags = 0;
	send.id = 3;
	post_op(&r.c, &send);
	post_op(&r.c, &send);
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	sleep_ms(200);
	rdma_destroy_qp(r.s.id);
	r.s.qp = NULL;
	wc_expect(r.c.scq, 2, IBV_WC_WR_FLUSH_ERR);
	wc_none(r.c.scq, 100);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

static void sq_full(const void *arg)
{
	struct ep_attr a1 = { .depth_set = true, .ird = 1, .ord = 1,
			      .send_wr = 8 };
	struct op o = op_of(0, IBV_WR_RDMA_READ, NULL, 1);
	struct ibv_sge ls;
	struct buf a, b;
	struct rig r;
	int i, n = 0, err = 0;

	rig_connect_attr(&r, &a1, &a1);
	buf_new(&a, r.s.pd, MIB, 0, RW_ACCESS);
	buf_new(&b, r.c.pd, MIB, 0, RW_ACCESS);
	ls = buf_sge(&b, 0, MIB);
	o.sge = &ls;
	o.raddr = (uintptr_t)a.p;
	o.rkey = a.mr->rkey;
	while (n < 64 && !err) {
		o.id = n;
		err = try_op(&r.c, &o);
		n += !err;
	}
	CHECK(err);
	CHECK(n >= 8);
	if (!stock_provider())
		CHECK_EQ(err, ENOMEM);
	for (i = 0; i < n; i++)
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	rig_ping(&r);
	rig_close(&r);
}

/* A list with a bad request: those before it are done, bad_wr points at it. */
static void bad_wr(const void *arg)
{
	struct ibv_send_wr w[3] = { 0 }, *bad = NULL;
	struct ibv_sge rs;
	struct buf b;
	struct rig r;
	int i, err;

	rig_connect(&r);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	rs = buf_sge(&b, 0, 64);
	for (i = 0; i < 3; i++) {
		post_recv(&r.s, 10 + i, &rs, 1);
		w[i].wr_id = i;
		w[i].opcode = IBV_WR_SEND;
		w[i].send_flags = IBV_SEND_SIGNALED;
		w[i].next = i < 2 ? &w[i + 1] : NULL;
	}
	w[1].opcode = 99;
	err = ibv_post_send(r.c.qp, w, &bad);
	/* libsiw loses the error of a list when its doorbell succeeds. */
	if (!stock_provider()) {
		CHECK_EQ(err, EINVAL);
		CHECK(bad == &w[1]);
	}
	wc_expect(r.c.scq, 0, IBV_WC_SUCCESS);
	wc_expect(r.s.rcq, 10, IBV_WC_SUCCESS);
	wc_none(r.s.rcq, 50);
	rig_close(&r);
}

/* Posted too early a Send is refused or waits; it never wedges the queue. */
static void post_early(const void *arg)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_sge rs;
	struct buf b;
	struct ibv_wc wc;
	struct rig r = { 0 };
	bool first = false;

	r.s.host = SRV;
	listen_on(&r, SRV, host_addr(SRV), 0, 4);
	ep_resolve(&r.c, CLI, host_addr(SRV), r.port);
	ep_make_qp(&r.c, NULL);
	try_op(&r.c, &o);
	ep_connect(&r.c);
	r.creq = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	r.s.id = r.creq.id;
	r.s.ch = cm_channel();
	CHECK_OK(rdma_migrate_id(r.s.id, r.s.ch));
	ep_make_qp(&r.s, NULL);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	rs = buf_sge(&b, 0, 64);
	post_recv(&r.s, 11, &rs, 1);
	post_recv(&r.s, 12, &rs, 1);
	struct rdma_conn_param p = conn_param(&r.s.attr);

	CHECK_OK(rdma_accept(r.s.id, &p));
	cm_expect(r.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	o.id = 2;
	post_op(&r.c, &o);
	wc = wc_get(r.c.scq);
	if (wc.wr_id == 1) {
		first = true;
		wc = wc_get(r.c.scq);
	}
	CHECK_EQ(wc.wr_id, 2);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	note("request posted early was %s", first ? "kept" : "refused");
	wc_expect(r.s.rcq, 11, IBV_WC_SUCCESS);
	if (first)
		wc_expect(r.s.rcq, 12, IBV_WC_SUCCESS);
}

/* --- events ---------------------------------------------------------------- */

static void cq_notify(const void *arg)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_sge rs;
	struct buf b;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	rs = buf_sge(&b, 0, 64);
	for (i = 0; i < 8; i++)
		post_recv(&r.s, 2, &rs, 1);
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK(!cq_event(r.s.rcc, 50));
	for (i = 0; i < 3; i++) {
		CHECK_OK(ibv_req_notify_cq(r.s.rcq, 0));
		CHECK(!cq_event(r.s.rcc, 20));
		post_op(&r.c, &o);
		CHECK(cq_event(r.s.rcc, WAIT_MS));
		wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	}
	/* One shot: the second message raises nothing. */
	CHECK_OK(ibv_req_notify_cq(r.s.rcq, 0));
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK(cq_event(r.s.rcc, WAIT_MS));
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK(!cq_event(r.s.rcc, 50));
	/* The send side notifies too. */
	CHECK_OK(ibv_req_notify_cq(r.c.scq, 0));
	post_op(&r.c, &o);
	CHECK(cq_event(r.c.scc, WAIT_MS));
	rig_close(&r);
}

static void cq_solicited(const void *arg)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_sge rs;
	struct buf b;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	rs = buf_sge(&b, 0, 64);
	for (i = 0; i < 4; i++)
		post_recv(&r.s, 2 + i, &rs, 1);
	CHECK_OK(ibv_req_notify_cq(r.s.rcq, 1));
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 2, IBV_WC_SUCCESS);
	CHECK(!cq_event(r.s.rcc, 50));
	o.flags |= IBV_SEND_SOLICITED;
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 3, IBV_WC_SUCCESS);
	CHECK(cq_event(r.s.rcc, WAIT_MS));
	/* A completion in error fires as well. */
	CHECK_OK(ibv_req_notify_cq(r.s.rcq, 1));
	CHECK_OK(rdma_disconnect(r.c.id));
	CHECK(cq_event(r.s.rcc, WAIT_MS));
	wc_expect(r.s.rcq, 4, IBV_WC_WR_FLUSH_ERR);
	wc_expect(r.s.rcq, 5, IBV_WC_WR_FLUSH_ERR);
	rig_close(&r);
}

static void cq_overflow(const void *arg)
{
	struct ep_attr ca = { .cqe = 4, .send_wr = 64 };
	struct op o = op_of(1, IBV_WR_RDMA_WRITE, NULL, 0);
	struct rig r, other;
	int i;

	rig_connect(&other);
	rig_connect_attr(&r, &ca, NULL);
	for (i = 0; i <= r.c.scq->cqe; i++)
		try_op(&r.c, &o);
	CHECK(async_seen(r.c.ctx, 1ULL << IBV_EVENT_CQ_ERR, TOLD_MS));
	rig_ping(&other);
	rig_close(&other);
}

static void srq_limit(const void *arg)
{
	struct ep_attr sa = { .srq_wr = 16 };
	struct op o = op_of(1, IBV_WR_SEND, NULL, 0);
	struct ibv_srq_attr at = { .srq_limit = 4 };
	uint64_t mask = 1ULL << IBV_EVENT_SRQ_LIMIT_REACHED;
	struct ibv_sge rs;
	struct buf b;
	struct rig r;
	int i;

	rig_connect_attr(&r, NULL, &sa);
	buf_new(&b, r.s.pd, 64, 0, RW_ACCESS);
	rs = buf_sge(&b, 0, 64);
	for (i = 0; i < 10; i++)
		post_recv(&r.s, i, &rs, 1);
	CHECK_OK(ibv_modify_srq(r.s.srq, &at, IBV_SRQ_LIMIT));
	for (i = 0; i < 5; i++) {
		post_op(&r.c, &o);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
	}
	CHECK(!async_seen(r.s.ctx, mask, 50));
	for (; i < 8; i++) {
		post_op(&r.c, &o);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
	}
	CHECK(async_seen(r.s.ctx, mask, WAIT_MS));
	/* Once only, until armed again. */
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
	CHECK(!async_seen(r.s.ctx, mask, 50));
	rig_close(&r);
}

/* One SRQ feeds several connections; each completion names its QP. */
static void srq_shared(const void *arg)
{
	struct ep_attr sa = { .srq_wr = 32 };
	struct op o = op_of(1, IBV_WR_SEND, NULL, 1);
	struct rig r[3];
	struct ibv_qp_init_attr ia = { 0 };
	struct rdma_conn_param p;
	struct ibv_sge ls, rs;
	struct buf a, b;
	struct ibv_wc wc;
	int i, k;

	rig_connect_attr(&r[0], NULL, &sa);
	ia.qp_type = IBV_QPT_RC;
	ia.send_cq = r[0].s.scq;
	ia.recv_cq = r[0].s.rcq;
	ia.srq = r[0].s.srq;
	ia.cap.max_send_wr = 4;
	ia.cap.max_send_sge = 1;
	for (i = 1; i < 3; i++) {
		memset(&r[i], 0, sizeof(r[i]));
		ep_resolve(&r[i].c, CLI, host_addr(SRV), r[0].port);
		ep_make_qp(&r[i].c, NULL);
		ep_connect(&r[i].c);
		r[i].creq = cm_expect(r[0].lch, RDMA_CM_EVENT_CONNECT_REQUEST,
				      WAIT_MS);
		ns_enter(SRV);
		r[i].s.id = r[i].creq.id;
		r[i].s.ch = cm_channel();
		CHECK_OK(rdma_migrate_id(r[i].s.id, r[i].s.ch));
		CHECK_OK(rdma_create_qp(r[i].s.id, r[0].s.pd, &ia));
		p = conn_param(&r[0].s.attr);
		CHECK_OK(rdma_accept(r[i].s.id, &p));
		cm_expect(r[i].c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	}
	buf_new(&b, r[0].s.pd, 30 * 3000, 0, RW_ACCESS);
	buf_new(&a, r[0].c.pd, 3000, 0, 0);
	buf_fill(&a, 5);
	for (i = 0; i < 30; i++) {
		rs = buf_sge(&b, i * 3000, 3000);
		post_recv(&r[0].s, i, &rs, 1);
	}
	o.sge = &ls;
	for (i = 0; i < 30; i++) {
		k = i % 3;
		ls = buf_sge(&a, 0, 3000 - i);
		if (k) {
			/* Another PD: send from an MR of its own. */
			ls.length = 0;
			o.nsge = 0;
		} else {
			o.nsge = 1;
		}
		post_op(&r[k].c, &o);
		wc = wc_get(r[0].s.rcq);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		CHECK_EQ(wc.byte_len, ls.length);
		CHECK_EQ(wc.qp_num, r[k].s.id->qp->qp_num);
		if (ls.length)
			buf_check(&b, wc.wr_id * 3000, ls.length, 5, 0);
		wc_expect(r[k].c.scq, 1, IBV_WC_SUCCESS);
	}
	_exit(0);
}

/* --- load ------------------------------------------------------------------ */

struct side {
	struct ep *e;
	struct ep *peer;
	struct buf src;
	struct buf dst;
	struct buf in;
	struct side *other;
	int total;
	int got;	/* read by the other side's thread */
};

#define SIDE_RECVS	16

static void side_init(struct side *s, struct ep *e, struct ep *peer)
{
	int i;

	s->e = e;
	s->peer = peer;
	s->total = 150;
	s->got = 0;
	buf_new(&s->src, e->pd, 40000, 3, RW_ACCESS);
	buf_new(&s->dst, peer->pd, 40000, 1, RW_ACCESS);
	buf_new(&s->in, e->pd, SIDE_RECVS * 40000, 5, RW_ACCESS);
	buf_fill(&s->src, 5);
	for (i = 0; i < SIDE_RECVS; i++) {
		struct ibv_sge g = buf_sge(&s->in, i * 40000, 40000);

		post_recv(e, i, &g, 1);
	}
}

/* iWARP has no flow control for Sends: never more than there are receives. */
static bool side_may_send(const struct side *s, int posted)
{
	int got = __atomic_load_n(&s->other->got, __ATOMIC_ACQUIRE);

	return posted % 3 || posted / 3 - got < SIDE_RECVS;
}

/* Each way: Writes, Reads and Sends of all sizes, several under way. */
static void *side_run(void *arg)
{
	struct side *s = arg;
	struct ibv_sge ls, g;
	struct op o = op_of(0, 0, &ls, 1);
	struct ibv_wc wc;
	int posted = 0, done = 0, sends = (s->total + 2) / 3;
	uint64_t end = now_ms() + 20000;
	uint32_t len;

	while (done < s->total || s->got < sends) {
		if (now_ms() > end)
			FAIL("stuck at %d done, %d received", done, s->got);
		while (posted < s->total && posted - done < 8 &&
		       side_may_send(s, posted)) {
			static const enum ibv_wr_opcode mix[] = {
				IBV_WR_SEND, IBV_WR_RDMA_WRITE,
				IBV_WR_RDMA_READ };

			len = posted * 263 % 40000 + 1;
			o.id = posted;
			o.opcode = mix[posted % 3];
			ls = buf_sge(&s->src, 0, len);
			o.raddr = (uintptr_t)s->dst.p;
			o.rkey = s->dst.mr->rkey;
			if (o.opcode == IBV_WR_RDMA_READ)
				ls.length = 0;
			post_op(s->e, &o);
			posted++;
		}
		if (ibv_poll_cq(s->e->scq, 1, &wc) == 1) {
			CHECK_EQ(wc.status, IBV_WC_SUCCESS);
			CHECK_EQ(wc.wr_id, done);
			done++;
		}
		if (ibv_poll_cq(s->e->rcq, 1, &wc) == 1) {
			CHECK_EQ(wc.status, IBV_WC_SUCCESS);
			CHECK_EQ(wc.byte_len, s->got * 3 * 263 % 40000 + 1);
			buf_check(&s->in, wc.wr_id * 40000, wc.byte_len, 5, 0);
			g = buf_sge(&s->in, wc.wr_id * 40000, 40000);
			post_recv(s->e, wc.wr_id, &g, 1);
			__atomic_add_fetch(&s->got, 1, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

static void both_ways(const void *arg)
{
	struct side a, b;
	pthread_t t;
	struct rig r;

	rig_connect(&r);
	side_init(&a, &r.c, &r.s);
	side_init(&b, &r.s, &r.c);
	a.other = &b;
	b.other = &a;
	/* A receive must be there before either end sends the first time. */
	CHECK_OK(pthread_create(&t, NULL, side_run, &a));
	side_run(&b);
	CHECK_OK(pthread_join(t, NULL));
	rig_close(&r);
}

static void *post_some(void *arg)
{
	struct op o = op_of(1, IBV_WR_RDMA_WRITE, NULL, 0);
	struct ep *e = arg;
	int i;

	for (i = 0; i < 100; i++)
		post_op(e, &o);
	return NULL;
}

static void threads(const void *arg)
{
	struct ep_attr ca = { .send_wr = 512, .cqe = 512 };
	pthread_t t[4];
	struct rig r;
	int i;

	rig_connect_attr(&r, &ca, NULL);
	for (i = 0; i < 4; i++)
		CHECK_OK(pthread_create(&t[i], NULL, post_some, &r.c));
	for (i = 0; i < 4; i++)
		CHECK_OK(pthread_join(t[i], NULL));
	for (i = 0; i < 400; i++)
		wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	rig_ping(&r);
	rig_close(&r);
}

/* The most memory a QP holds for sending, in chunks, as rdma shows it. */
static int tx_chunks(void)
{
	FILE *f = popen("rdma -dd resource show qp", "r");
	char line[2048], *p;
	int n, max = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, "drv_tx_chunks ");
		if (p && sscanf(p, "drv_tx_chunks %d", &n) == 1 && n > max)
			max = n;
	}
	pclose(f);
	return max;
}

/* A QP that sends nothing gives back what it sent from. */
static void idle_memory(const void *arg)
{
	struct buf src, dst;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&src, r.c.pd, 4 * MIB, 0, 0);
	buf_new(&dst, r.s.pd, 4 * MIB, 0, RW_ACCESS);
	buf_fill(&src, 5);
	transfer(&r.c, &r.s, IBV_WR_RDMA_WRITE, &src, 0, &dst, 0, 4 * MIB);
	i = tx_chunks();
	if (i < 0)
		skip_case("this module does not show it");
	CHECK(i > 0);
	for (i = 0; i < 100 && tx_chunks(); i++)
		sleep_ms(100);
	CHECK_EQ(tx_chunks(), 0);
	transfer(&r.c, &r.s, IBV_WR_RDMA_WRITE, &src, 0, &dst, 0, 4 * MIB);
	rig_ping(&r);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

/* Send and Write with immediate data, in one completion with the octets. */
static void immediate(const void *arg)
{
	enum ibv_wr_opcode opc = *(const enum ibv_wr_opcode *)arg;
	static const size_t lens[] = { 0, 1, 64, 1400, 70000 };
	bool write = opc == IBV_WR_RDMA_WRITE_WITH_IMM;
	struct ibv_send_wr wr = { .opcode = opc, .num_sge = 1,
				  .send_flags = IBV_SEND_SIGNALED }, *bad;
	struct ibv_sge s, d;
	struct buf src, dst;
	struct ibv_wc wc;
	struct rig r;
	size_t i;

	if (stock_provider())
		skip_case("libsiw cannot ask for it");
	rig_connect(&r);
	buf_new(&src, r.c.pd, 70000, 0, 0);
	buf_new(&dst, r.s.pd, 70000, 0, RW_ACCESS);
	buf_fill(&src, 5);
	wr.sg_list = &s;
	wr.wr.rdma.remote_addr = (uintptr_t)dst.p;
	wr.wr.rdma.rkey = dst.mr->rkey;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(dst.p, 0, lens[i]);
		s = buf_sge(&src, 0, lens[i]);
		d = buf_sge(&dst, 0, write ? 0 : lens[i]);
		wr.imm_data = htobe32(0xa0000000 + i);
		post_recv(&r.s, i, &d, 1);
		CHECK_OK(ibv_post_send(r.c.qp, &wr, &bad));
		wc = wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		CHECK_EQ(wc.opcode, write ? IBV_WC_RECV_RDMA_WITH_IMM :
			 IBV_WC_RECV);
		CHECK_EQ(wc.wc_flags, IBV_WC_WITH_IMM);
		CHECK_EQ(be32toh(wc.imm_data), 0xa0000000 + i);
		CHECK_EQ(wc.byte_len, lens[i]);
		buf_check(&dst, 0, lens[i], 5, 0);
		wc = wc_expect(r.c.scq, 0, IBV_WC_SUCCESS);
		CHECK_EQ(wc.opcode, write ? IBV_WC_RDMA_WRITE : IBV_WC_SEND);
	}
	/* what follows has none */
	rig_ping(&r);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

/*
 * Receives posted after their Sends came: the stream waits for them. @arg: of
 * an SRQ.
 */
static void late_receives(const void *arg)
{
	static const size_t lens[] = { 100, 1428, 20000, MIB };
	struct ep_attr sa = { .srq_wr = arg ? 16 : 0 };
	struct op o = op_of(0, IBV_WR_SEND, NULL, 1);
	struct buf src, dst;
	struct ibv_sge s, d;
	struct rig r;
	size_t i;

	if (access("/sys/module/siw/parameters/rnr_wait", F_OK))
		skip_case("this module waits for no receive");
	rig_connect_attr(&r, NULL, &sa);
	buf_new(&src, r.c.pd, MIB, 0, 0);
	buf_new(&dst, r.s.pd, MIB, 0, RW_ACCESS);
	buf_fill(&src, 5);
	o.sge = &s;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		s = buf_sge(&src, 0, lens[i]);
		o.id = i;
		post_op(&r.c, &o);
	}
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		sleep_ms(100);
		wc_none(r.s.rcq, 1);
		d = buf_sge(&dst, 0, lens[i]);
		post_recv(&r.s, i, &d, 1);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
		buf_check(&dst, 0, lens[i], 5, 0);
	}
	rig_ping(&r);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

/*
 * All of a message is sent at once, its short tail too: it arrives though the
 * receiver's acknowledgments do not, and though TCP probes for none.
 */
static void tail_sent_once(size_t len)
{
	struct op o = op_of(1, IBV_WR_SEND, NULL, 1);
	struct ibv_sge s, d;
	struct buf src, dst;
	struct rig r;

	rig_connect(&r);
	buf_new(&src, r.c.pd, len, 0, 0);
	buf_new(&dst, r.s.pd, len, 0, RW_ACCESS);
	s = buf_sge(&src, 0, len);
	d = buf_sge(&dst, 0, len);
	o.sge = &s;
	rig_ping(&r);
	post_recv(&r.s, 1, &d, 1);
	ns_enter(SRV);
	if (system("tc qdisc add dev eth1 root netem loss 100%"))
		skip_case("no netem");
	post_op(&r.c, &o);
	wc_expect(r.s.rcq, 1, IBV_WC_SUCCESS);
	ns_enter(SRV);
	CHECK_OK(system("tc qdisc del dev eth1 root"));
	wc_expect(r.c.scq, 1, IBV_WC_SUCCESS);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

static void tail_sent(const void *arg)
{
	/* within the first congestion window */
	static const size_t lens[] = { 2048, 4096, 12000 };
	size_t i;

	ns_enter(CLI);
	if (system("sysctl -qw net.ipv4.tcp_early_retrans=0"))
		skip_case("no sysctl");
	for (i = 0; i < ARRAY_SIZE(lens); i++)
		tail_sent_once(lens[i]);
	ns_enter(CLI);
	CHECK_OK(system("sysctl -qw net.ipv4.tcp_early_retrans=3"));
}

#define CLOSE_SENDS	32

/* Disconnects as soon as all is with the peer's TCP. */
static void *send_and_close(void *arg)
{
	struct ep *e = arg;
	struct op o = op_of(0, IBV_WR_SEND, NULL, 1);
	struct ibv_sge s;
	struct buf src;
	int i;

	buf_new(&src, e->pd, 65536, 0, 0);
	buf_fill(&src, 6);
	s = buf_sge(&src, 0, 65536);
	o.sge = &s;
	for (i = 0; i < CLOSE_SENDS; i++) {
		o.id = i;
		post_op(e, &o);
		if (i > 3)
			wc_expect(e->scq, i - 4, IBV_WC_SUCCESS);
	}
	for (i -= 4; i < CLOSE_SENDS; i++)
		wc_expect(e->scq, i, IBV_WC_SUCCESS);
	CHECK_OK(rdma_disconnect(e->id));
	buf_free(&src);
	return NULL;
}

/*
 * The end of the stream comes while Sends wait for receives, which are posted
 * one by one: each Send arrives all the same.
 */
static void close_behind_sends_once(void)
{
	pthread_t sender;
	struct ibv_sge d;
	struct buf dst;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&dst, r.s.pd, 65536, 0, RW_ACCESS);
	d = buf_sge(&dst, 0, 65536);
	CHECK_OK(pthread_create(&sender, NULL, send_and_close, &r.c));
	for (i = 0; i < CLOSE_SENDS; i++) {
		sleep_ms(1);
		post_recv(&r.s, i, &d, 1);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		buf_check(&dst, 0, 65536, 6, 0);
		buf_fill(&dst, 7);
	}
	CHECK_OK(pthread_join(sender, NULL));
	buf_free(&dst);
	rig_close(&r);
}

static void close_behind_sends(const void *arg)
{
	int i;

	if (access("/sys/module/siw/parameters/rnr_wait", F_OK))
		skip_case("this module waits for no receive");
	for (i = 0; i < 10; i++)
		close_behind_sends_once();
}

static void set_rnr_wait(struct ep *e, int ms)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/infiniband/%s/siw/rnr_wait",
		 ibv_get_device_name(e->ctx->device));
	f = fopen(path, "w");
	CHECK(f);
	CHECK(fprintf(f, "%d", ms) > 0);
	CHECK_OK(fclose(f));
}

/*
 * Nobody waits for the receive of a queue pair that is to be destroyed, or in
 * error, also if the peer's end of the connection waits behind the Send already.
 */
static void end_without_receive(const void *arg)
{
	struct ibv_qp_attr error = { .qp_state = IBV_QPS_ERR };
	struct op o = op_of(1, IBV_WR_SEND, NULL, 1);
	struct ibv_sge s;
	struct buf src;
	struct rig r;
	uint64_t t0;

	if (access("/sys/module/siw/parameters/rnr_wait", F_OK))
		skip_case("this module waits for no receive");
	rig_connect(&r);
	set_rnr_wait(&r.s, 60000);
	buf_new(&src, r.c.pd, 100, 0, 0);
	s = buf_sge(&src, 0, 100);
	o.sge = &s;
	post_op(&r.c, &o);
	sleep_ms(100);
	rdma_disconnect(r.c.id);
	sleep_ms(1000);
	t0 = now_ms();
	if (arg) {
		CHECK_OK(ibv_modify_qp(r.s.qp, &error, IBV_QP_STATE));
	} else {
		rdma_destroy_qp(r.s.id);
		r.s.qp = NULL;
	}
	CHECK(now_ms() - t0 < (uint64_t)TOLD_MS);
	set_rnr_wait(&r.s, 1000);
	buf_free(&src);
	rig_close(&r);
}

static const struct test_case cases[] = {
	{ "send_sizes", all_sizes, &opc_send, 60 },
	{ "write_sizes", all_sizes, &opc_write, 60 },
	{ "read_sizes", all_sizes, &opc_read, 60 },
	{ "alignments", alignments },
	{ "from_server", from_server },
	{ "sge_lists", sge_lists },
	{ "sge_empty_entries", sge_empty_entries },
	{ "inline_data", inline_data },
	{ "inline_lists", inline_lists },
	{ "inline_too_big", inline_too_big },
	{ "zero_length", zero_length },
	{ "zero_length_any_stag", zero_length_any_stag },
	{ "recv_no_sge", recv_no_sge },
	{ "mr_iova", mr_iova },
	{ "mr_cache", mr_cache },
	{ "read_sink_local_write", read_sink_local_write },
	{ "send_with_inv", send_with_inv },
	{ "unsignalled", unsignalled },
	{ "signal_all", signal_all },
	{ "order", order },
	{ "atomics", atomics },
	{ "fence", fence },
	{ "reads_beyond_depth", reads_beyond_depth },
	{ "no_depth", no_depth },
	{ "unsignalled_flush", unsignalled_flush },
	{ "sq_full", sq_full },
	{ "bad_wr", bad_wr },
	{ "post_early", post_early },
	{ "cq_notify", cq_notify },
	{ "cq_solicited", cq_solicited },
	{ "cq_overflow", cq_overflow },
	{ "srq_limit", srq_limit },
	{ "srq_shared", srq_shared },
	{ "idle_memory", idle_memory },
	{ "send_imm", immediate, &opc_send_imm },
	{ "write_imm", immediate, &opc_write_imm },
	{ "destroy_without_receive", end_without_receive },
	{ "error_without_receive", end_without_receive, "error" },
	{ "late_receives", late_receives },
	{ "late_receives_srq", late_receives, "srq" },
	{ "tail_sent", tail_sent },
	{ "close_behind_sends", close_behind_sends },
	{ "both_ways", both_ways },
	{ "threads", threads },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
