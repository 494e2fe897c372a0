// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A small application for the scripts that hurt one: it holds a device open,
 * or keeps both directions of a connection busy, and says what it is told.
 *
 *	app hold DEVICE
 *	app serve ADDRESS PORT
 *	app stream ADDRESS PORT
 *
 * Prints "running" once it works and "told WHAT" when it learns of the end.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <poll.h>
#include <unistd.h>

#define CHUNK	65536
#define DEPTH	8

static void say(const char *text)
{
	printf("%s\n", text);
	fflush(stdout);
}

/* --- hold ------------------------------------------------------------------ */

/* Use everything once more after the device is gone: nothing may crash. */
static void use_dead(struct ibv_cq *cq, struct ibv_qp *qp, struct ibv_pd *pd)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_SEND }, *bad;
	struct ibv_wc wc;

	ibv_poll_cq(cq, 1, &wc);
	ibv_post_send(qp, &wr, &bad);
	ibv_req_notify_cq(cq, 0);
	if (ibv_alloc_pd(pd->context))
		FAIL("a dead device gives PDs");
	ibv_destroy_qp(qp);
	ibv_destroy_cq(cq);
	ibv_dealloc_pd(pd);
}

static int hold(const char *name)
{
	struct ibv_context *ctx = dev_open(name);
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};
	struct ibv_pd *pd = ibv_alloc_pd(ctx);
	struct ibv_cq *cq = ibv_create_cq(ctx, 16, NULL, NULL, 0);
	struct buf b;

	CHECK(pd && cq);
	ia.send_cq = cq;
	ia.recv_cq = cq;
	struct ibv_qp *qp = ibv_create_qp(pd, &ia);

	CHECK(qp);
	buf_new(&b, pd, 65536, 0, RW_ACCESS);
	say("running");
	if (!async_seen(ctx, 1ULL << IBV_EVENT_DEVICE_FATAL, 20000))
		FAIL("no word of the end of the device");
	say("told device fatal");
	use_dead(cq, qp, pd);
	ibv_dereg_mr(b.mr);
	ibv_close_device(ctx);
	return 0;
}

/* --- traffic ----------------------------------------------------------------- */

struct region {
	uint64_t addr;
	uint32_t rkey;
	uint32_t len;
} __attribute__((packed));

struct traffic {
	struct ep e;
	struct buf src;
	struct buf dst;
	struct region mine;
	struct region peer;
	unsigned long done;
};

static void traffic_buffers(struct traffic *t)
{
	buf_new(&t->src, t->e.pd, CHUNK, 0, 0);
	buf_new(&t->dst, t->e.pd, CHUNK, 0, RW_ACCESS);
	t->mine.addr = (uintptr_t)t->dst.p;
	t->mine.rkey = t->dst.mr->rkey;
	t->mine.len = CHUNK;
	t->e.attr.pd = &t->mine;
	t->e.attr.pdlen = sizeof(t->mine);
}

/* Every eighth request is a Read, so that both ends answer as well. */
static bool traffic_post(struct traffic *t, unsigned long n)
{
	struct ibv_sge ls = buf_sge(&t->src, 0, CHUNK);
	struct op o = { .id = n, .opcode = IBV_WR_RDMA_WRITE,
			.flags = IBV_SEND_SIGNALED, .sge = &ls, .nsge = 1,
			.raddr = t->peer.addr, .rkey = t->peer.rkey };

	if (n % 8 == 7) {
		ls = buf_sge(&t->dst, 0, CHUNK);
		o.opcode = IBV_WR_RDMA_READ;
	}
	return !try_op(&t->e, &o);
}

static const char *traffic_end(struct traffic *t, int ms)
{
	struct cmev ev;

	while (cm_wait(t->e.ch, &ev, ms)) {
		if (ev.type == RDMA_CM_EVENT_DISCONNECTED)
			return "told disconnected";
		if (ev.type == RDMA_CM_EVENT_DEVICE_REMOVAL)
			return "told device removal";
	}
	return NULL;
}

static int traffic_run(struct traffic *t)
{
	unsigned long posted = 0;
	const char *end = NULL;
	bool failed = false;
	struct ibv_wc wc;

	while (!end) {
		while (!failed && posted - t->done < DEPTH)
			if (traffic_post(t, posted))
				posted++;
			else
				failed = true;
		if (ibv_poll_cq(t->e.scq, 1, &wc) == 1) {
			if (wc.status != IBV_WC_SUCCESS)
				failed = true;
			else if (++t->done == 10)
				say("running");
			if (!(t->done % 64))
				end = traffic_end(t, 0);
			continue;
		}
		end = traffic_end(t, failed ? 100 : 1);
	}
	say(end);
	printf("done %lu\n", t->done);
	if (getenv("APP_EXIT"))
		_exit(0);
	rdma_destroy_qp(t->e.id);
	rdma_destroy_id(t->e.id);
	return 0;
}

static int serve(const char *addr, int port)
{
	struct traffic t = { 0 };
	struct rdma_conn_param p;
	struct rig r = { 0 };
	struct cmev ev;

	listen_on(&r, SRV, addr, port, 4);
	say("listening");
	/* the crowd of cm.sh may be served first */
	ev = cm_expect(r.lch, RDMA_CM_EVENT_CONNECT_REQUEST, 600000);
	CHECK(ev.pdlen >= sizeof(t.peer));
	memcpy(&t.peer, ev.pd, sizeof(t.peer));
	t.e.host = SRV;
	t.e.id = ev.id;
	t.e.ch = cm_channel();
	CHECK_OK(rdma_migrate_id(ev.id, t.e.ch));
	ep_make_qp(&t.e, NULL);
	traffic_buffers(&t);
	p = conn_param(&t.e.attr);
	CHECK_OK(rdma_accept(ev.id, &p));
	cm_expect(t.e.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	return traffic_run(&t);
}

static int stream(const char *addr, int port)
{
	struct traffic t = { 0 };
	struct cmev ev;

	ep_resolve(&t.e, CLI, addr, port);
	ep_make_qp(&t.e, NULL);
	traffic_buffers(&t);
	ep_connect(&t.e);
	ev = cm_expect(t.e.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	CHECK(ev.pdlen >= sizeof(t.peer));
	memcpy(&t.peer, ev.pd, sizeof(t.peer));
	return traffic_run(&t);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "stream"))
		return stream(argv[2], atoi(argv[3]));
	fputs("usage: app hold DEVICE|serve ADDR PORT|stream ADDR PORT\n",
	      stderr);
	return KSFT_FAIL;
}
