// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Payload sent by reference: a buffer is the application's again when its request
 * is completed, not before, and nothing it does then reaches the peer.
 *
 * The script chooses the network, and whether there is a CRC, with which
 * everything is copied; "lent" and "copied" say which it is.
 */
#include "rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define SLOTS		4
#define LEN		300000
#define ROUNDS		60

static unsigned long counter(struct ep *e, const char *name)
{
	unsigned long v = 0;
	char path[150];
	FILE *f;

	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/%s/ports/1/hw_counters/%s",
		 ibv_get_device_name(e->ctx->device), name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	CHECK_EQ(fscanf(f, "%lu", &v), 1);
	fclose(f);
	return v;
}

/* Sizes and places on both sides of pages and segments. */
static size_t len_of(int i)
{
	return 40000 + (unsigned int)i * 37813 % (LEN - 40000);
}

static size_t off_of(int i)
{
	return (unsigned int)i * 1237 % 5000;
}

static void recv_slot(struct ep *e, struct buf *b, int i)
{
	struct ibv_sge g = buf_sge(&b[i % SLOTS], 0, LEN);

	post_recv(e, i, &g, 1);
}

static void send_slot(struct ep *e, struct buf *b, int i)
{
	struct ibv_sge g = buf_sge(&b[i % SLOTS], off_of(i), len_of(i));
	struct op o = { .id = i, .opcode = IBV_WR_SEND,
			.flags = IBV_SEND_SIGNALED, .sge = &g, .nsge = 1 };

	buf_fill(&b[i % SLOTS], i);
	post_op(e, &o);
}

static void slots_new(struct buf *b, struct ibv_pd *pd)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		buf_new(&b[i], pd, LEN + 5000, i * 100, IBV_ACCESS_LOCAL_WRITE);
}

static void slots_free(struct buf *b)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		buf_free(&b[i]);
}

/* The sender's side of a completion: the buffer is ours, spoil it. */
static void spoil(struct ep *e, struct buf *b, int i)
{
	wc_expect(e->scq, i, IBV_WC_SUCCESS);
	memset(b[i % SLOTS].p, 0xee, LEN + 5000);
}

static void arrived(struct ep *e, struct buf *b, int i)
{
	struct ibv_wc wc = wc_expect(e->rcq, i, IBV_WC_SUCCESS);

	CHECK_EQ(wc.byte_len, len_of(i));
	buf_check(&b[i % SLOTS], 0, len_of(i), i, off_of(i));
}

/* @arg: "lent" or "copied" */
static void sends(const void *arg)
{
	struct buf src[SLOTS], dst[SLOTS];
	struct rig r;
	unsigned long before;
	int i;

	rig_connect(&r);
	slots_new(src, r.c.pd);
	slots_new(dst, r.s.pd);
	before = counter(&r.c, "tx_lent_bytes");
	for (i = 0; i < SLOTS; i++)
		recv_slot(&r.s, dst, i);
	for (i = 0; i < SLOTS; i++)
		send_slot(&r.c, src, i);
	for (i = 0; i < ROUNDS; i++) {
		spoil(&r.c, src, i);
		arrived(&r.s, dst, i);
		if (i + SLOTS >= ROUNDS)
			continue;
		recv_slot(&r.s, dst, i + SLOTS);
		send_slot(&r.c, src, i + SLOTS);
	}
	if (!strcmp(arg, "lent"))
		CHECK(counter(&r.c, "tx_lent_bytes") - before > 1000000);
	else
		CHECK_EQ(counter(&r.c, "tx_lent_bytes"), before);
	slots_free(src);
	slots_free(dst);
	rig_close(&r);
}

/* Several elements, some empty or short, from two regions. */
static void lists(const void *arg)
{
	struct buf src[2], dst;
	struct ibv_sge g[4], d;
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED,
			.sge = g, .nsge = 4 };
	struct ibv_wc wc;
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&src[0], r.c.pd, LEN, 10, 0);
	buf_new(&src[1], r.c.pd, LEN, 4000, 0);
	buf_new(&dst, r.s.pd, LEN, 0, IBV_ACCESS_LOCAL_WRITE);
	for (i = 0; i < 20; i++) {
		buf_fill(&src[0], 2 * i);
		buf_fill(&src[1], 2 * i + 1);
		buf_clear(&dst);
		d = buf_sge(&dst, 0, LEN);
		post_recv(&r.s, i, &d, 1);
		g[0] = buf_sge(&src[0], i, 7);
		g[1] = buf_sge(&src[1], i * 100, 90000 + i);
		g[2] = buf_sge(&src[0], 0, 0);
		g[3] = buf_sge(&src[0], 5000, 30000);
		o.id = i;
		post_op(&r.c, &o);
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
		memset(src[0].p, 0xee, LEN);
		memset(src[1].p, 0xee, LEN);
		wc = wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		CHECK_EQ(wc.byte_len, 120007 + i);
		buf_check(&dst, 0, 7, 2 * i, i);
		buf_check(&dst, 7, 90000 + i, 2 * i + 1, i * 100);
		buf_check(&dst, 90007 + i, 30000, 2 * i, 5000);
	}
	buf_free(&src[0]);
	buf_free(&src[1]);
	buf_free(&dst);
	rig_close(&r);
}

/* Writes, each told of by a Send behind it, whose completion waits for both. */
static void writes(const void *arg)
{
	struct buf src, dst, note, in;
	struct ibv_sge g, n, d;
	struct op w = { .opcode = IBV_WR_RDMA_WRITE, .sge = &g, .nsge = 1 };
	struct op s = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED,
			.sge = &n, .nsge = 1 };
	struct rig r;
	int i;

	rig_connect(&r);
	buf_new(&src, r.c.pd, LEN + 5000, 0, 0);
	buf_new(&note, r.c.pd, 8, 0, 0);
	buf_new(&in, r.s.pd, 8, 0, IBV_ACCESS_LOCAL_WRITE);
	buf_new(&dst, r.s.pd, LEN, 0, RW_ACCESS);
	w.raddr = (uintptr_t)dst.p;
	w.rkey = dst.mr->rkey;
	n = buf_sge(&note, 0, 8);
	d = buf_sge(&in, 0, 8);
	for (i = 0; i < ROUNDS; i++) {
		buf_fill(&src, i);
		buf_clear(&dst);
		post_recv(&r.s, i, &d, 1);
		g = buf_sge(&src, off_of(i), len_of(i));
		post_op(&r.c, &w);
		s.id = i;
		post_op(&r.c, &s);
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
		memset(src.p, 0xee, LEN + 5000);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		buf_check(&dst, 0, len_of(i), i, off_of(i));
	}
	buf_free(&src);
	buf_free(&note);
	buf_free(&in);
	buf_free(&dst);
	rig_close(&r);
}

static atomic_bool stop;

static void *scribble(void *arg)
{
	struct buf *b = arg;
	unsigned int i;

	for (i = 0; !atomic_load(&stop); i++)
		memset(b->p, i, b->len);
	return NULL;
}

/* Memory may be written to while a peer reads it: a Read takes what it finds. */
static void reads_of_moving_memory(const void *arg)
{
	struct buf src, dst;
	struct ibv_sge g;
	struct op o = { .opcode = IBV_WR_RDMA_READ, .flags = IBV_SEND_SIGNALED,
			.sge = &g, .nsge = 1 };
	unsigned long errors;
	struct rig r;
	pthread_t t;
	int i;

	rig_connect(&r);
	errors = counter(&r.c, "rx_crc_errors");
	buf_new(&src, r.s.pd, LEN, 0, RW_ACCESS);
	buf_new(&dst, r.c.pd, LEN, 0, RW_ACCESS);
	o.raddr = (uintptr_t)src.p;
	o.rkey = src.mr->rkey;
	CHECK_OK(pthread_create(&t, NULL, scribble, &src));
	for (i = 0; i < ROUNDS; i++) {
		g = buf_sge(&dst, 0, len_of(i));
		o.id = i;
		post_op(&r.c, &o);
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	}
	atomic_store(&stop, true);
	CHECK_OK(pthread_join(t, NULL));
	CHECK_EQ(counter(&r.c, "rx_crc_errors"), errors);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

static void shape(const char *how)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd),
		 "tc -n h2 qdisc replace dev eth2 root netem limit 10000 %s",
		 how);
	CHECK_OK(system(cmd));
}

/*
 * Nothing reaches the peer while requests are under way, and the connection is
 * ended, or the queue pair destroyed. From then on the buffer is ours: what the peer gets
 * later must not be what is in it now.
 */
static void end_under_way(const void *arg)
{
	struct buf src[SLOTS], dst[SLOTS];
	struct ibv_wc wc;
	struct rig r;
	uint64_t t0;
	int i;

	rig_connect(&r);
	slots_new(src, r.c.pd);
	slots_new(dst, r.s.pd);
	for (i = 0; i < SLOTS; i++)
		recv_slot(&r.s, dst, i);
	send_slot(&r.c, src, 0);
	arrived(&r.s, dst, 0);
	spoil(&r.c, src, 0);
	shape("loss 100%");
	for (i = 1; i < SLOTS; i++)
		send_slot(&r.c, src, i);
	wc_none(r.c.scq, 300);
	t0 = now_ms();
	if (arg) {
		rdma_destroy_qp(r.c.id);
		r.c.qp = NULL;
	} else {
		CHECK_OK(rdma_disconnect(r.c.id));
		for (i = 1; i < SLOTS; i++)
			wc_expect(r.c.scq, i, IBV_WC_WR_FLUSH_ERR);
	}
	CHECK(now_ms() - t0 < (uint64_t)TOLD_MS);
	for (i = 0; i < SLOTS; i++)
		memset(src[i].p, 0xee, LEN + 5000);
	shape("loss 0%");
	/* what came before the end is what was sent */
	for (i = 1; i < SLOTS && wc_wait(r.s.rcq, &wc, 4000); i++) {
		if (wc.status != IBV_WC_SUCCESS)
			break;
		CHECK_EQ(wc.wr_id, i);
		buf_check(&dst[i], 0, len_of(i), i, off_of(i));
	}
	slots_free(src);
	slots_free(dst);
	rig_close(&r);
}

/*
 * TCP is full when the connection is ended: what it has not taken holds up
 * nothing, and what it has arrives in front of a FIN, not a reset.
 */
static void ended_when_full(const void *arg)
{
	struct ep_attr a = { .send_wr = 64, .cqe = 64 };
	struct buf src, dst;
	struct ibv_sge g;
	struct op o = { .opcode = IBV_WR_RDMA_WRITE, .sge = &g, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	unsigned long lost;
	struct ibv_wc wc;
	struct rig r;
	int i;

	shape("rate 100mbit");
	rig_connect_attr(&r, &a, NULL);
	lost = counter(&r.s, "connections_lost");
	buf_new(&src, r.c.pd, LEN, 0, 0);
	buf_new(&dst, r.s.pd, LEN, 0, RW_ACCESS);
	g = buf_sge(&src, 0, LEN);
	o.raddr = (uintptr_t)dst.p;
	o.rkey = dst.mr->rkey;
	for (i = 0; i < 60; i++) {
		o.id = i;
		post_op(&r.c, &o);
	}
	CHECK_OK(rdma_disconnect(r.c.id));
	for (i = 0; i < 60; i++) {
		wc = wc_get(r.c.scq);
		CHECK_EQ(wc.wr_id, i);
	}
	CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
	cm_expect(r.s.ch, RDMA_CM_EVENT_DISCONNECTED, TOLD_MS);
	CHECK_EQ(counter(&r.s, "connections_lost"), lost);
	shape("loss 0%");
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

/*
 * A Write fails half-way, for its region is gone; the part of it that is with TCP
 * is not the application's before it is acknowledged.
 */
static void failed_half_way(const void *arg)
{
	const size_t len = 16 << 20;
	struct buf src, dst;
	struct ibv_sge g;
	struct op o = { .opcode = IBV_WR_RDMA_WRITE, .sge = &g, .nsge = 1,
			.flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;
	struct rig r;
	size_t k;

	rig_connect(&r);
	buf_new(&src, r.c.pd, len, 0, 0);
	buf_new(&dst, r.s.pd, len, 0, RW_ACCESS);
	memset(src.p, 0x11, len);
	memset(dst.p, 0, len);
	g = buf_sge(&src, 0, len);
	o.raddr = (uintptr_t)dst.p;
	o.rkey = dst.mr->rkey;
	shape("rate 200mbit loss 10%");
	post_op(&r.c, &o);
	sleep_ms(100);
	CHECK_OK(ibv_dereg_mr(src.mr));
	wc = wc_get(r.c.scq);
	memset(src.p, 0xee, len);
	note("the Write ended with status %d", wc.status);
	shape("loss 0%");
	sleep_ms(3000);
	for (k = 0; k < len; k++)
		if (dst.p[k] == 0xee)
			FAIL("octet %zu was sent after the completion", k);
	src.mr = ibv_reg_mr(r.c.pd, src.p, len, 0);
	CHECK(src.mr);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

/* Memory that goes while it is under way. */
static void unmapped_under_way(const void *arg)
{
	struct buf src, dst[SLOTS];
	struct ibv_sge g;
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED,
			.sge = &g, .nsge = 1 };
	struct ibv_wc wc;
	struct rig r;
	int i;

	rig_connect(&r);
	slots_new(dst, r.s.pd);
	for (i = 0; i < SLOTS; i++)
		recv_slot(&r.s, dst, i);
	for (i = 0; i < SLOTS; i++) {
		buf_new(&src, r.c.pd, LEN, 0, 0);
		buf_fill(&src, i);
		g = buf_sge(&src, 0, 60000);
		o.id = i;
		post_op(&r.c, &o);
		CHECK_OK(ibv_dereg_mr(src.mr));
		CHECK_OK(munmap(src.map, src.maplen));
		wc = wc_get(r.c.scq);
		CHECK_EQ(wc.wr_id, i);
		if (wc.status)
			break;
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		buf_check(&dst[i], 0, 60000, i, 0);
	}
	note("%d of %d were sent before", i, SLOTS);
	slots_free(dst);
	rig_close(&r);
}

static const struct test_case cases[] = {
	{ "sends_lent", sends, "lent", 120 },
	{ "sends_copied", sends, "copied", 120 },
	{ "lists", lists, NULL, 120 },
	{ "writes", writes, NULL, 120 },
	{ "reads_of_moving_memory", reads_of_moving_memory, NULL, 120 },
	{ "disconnected_under_way", end_under_way, NULL, 60 },
	{ "destroyed_under_way", end_under_way, "destroy", 60 },
	{ "ended_when_full", ended_when_full, NULL, 60 },
	{ "failed_half_way", failed_half_way, NULL, 60 },
	{ "unmapped_under_way", unmapped_under_way, NULL, 60 },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
