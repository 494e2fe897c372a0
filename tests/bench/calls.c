// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What one call of the verbs costs its caller, in nanoseconds of the monotonic
 * clock; in a guest with --icount these are instructions. Between two hosts in
 * one guest, as rig.h has them.
 *
 *	calls ROUNDS	prints lines "call,nanoseconds", one a round
 *
 * A post's time has the doorbell in it, and so what the kernel sends at once.
 */
#include <sys/mman.h>
#include <time.h>

#include "../kselftest/rig.h"

#define DEPTH	4096
#define LIST	16
#define LOOPS	64
#define POLLS	20000

static struct rig rig;
static struct buf src, dst;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void result(const char *call, uint64_t ns, unsigned int calls)
{
	printf("%s,%.1f\n", call, (double)ns / calls);
	fflush(stdout);
}

/* Until @n requests have completed, with success. */
static void drain(int n)
{
	struct ibv_wc wc;

	while (n--) {
		wc = wc_get(rig.c.scq);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	}
}

/* ------------------------------------------------------------ data path --- */

static uint64_t write_list(int n)
{
	struct ibv_sge sge = buf_sge(&src, 0, 64);
	struct ibv_send_wr wr[LIST] = { 0 }, *bad;
	uint64_t t;
	int i;

	for (i = 0; i < n; i++) {
		wr[i].sg_list = &sge;
		wr[i].num_sge = 1;
		wr[i].opcode = IBV_WR_RDMA_WRITE;
		wr[i].send_flags = IBV_SEND_SIGNALED;
		wr[i].wr.rdma.remote_addr = (uintptr_t)dst.p;
		wr[i].wr.rdma.rkey = dst.mr->rkey;
		wr[i].next = i + 1 < n ? &wr[i + 1] : NULL;
	}
	t = now_ns();
	CHECK_OK(ibv_post_send(rig.c.qp, wr, &bad));
	return now_ns() - t;
}

static uint64_t write_ex(int n)
{
	struct ibv_qp_ex *qpx = ibv_qp_to_qp_ex(rig.c.qp);
	uint64_t t = now_ns();
	int i;

	ibv_wr_start(qpx);
	for (i = 0; i < n; i++) {
		qpx->wr_id = i;
		qpx->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_rdma_write(qpx, dst.mr->rkey, (uintptr_t)dst.p);
		ibv_wr_set_sge(qpx, src.mr->lkey, (uintptr_t)src.p, 64);
	}
	CHECK_OK(ibv_wr_complete(qpx));
	return now_ns() - t;
}

static void posts(const char *call, uint64_t (*post)(int n), int n)
{
	uint64_t t = 0;
	int i;

	for (i = 0; i < LOOPS; i++) {
		t += post(n);
		drain(n);
	}
	result(call, t, LOOPS * n);
}

static void post_recvs(void)
{
	struct ibv_sge sge = buf_sge(&dst, 0, 64);
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;
	uint64_t t = now_ns();
	int i;

	for (i = 0; i < 256; i++)
		CHECK_OK(ibv_post_recv(rig.s.qp, &wr, &bad));
	result("post_recv", now_ns() - t, 256);
}

static void polls(void)
{
	struct ibv_wc wc[LIST];
	uint64_t t = now_ns();
	int i;

	for (i = 0; i < POLLS; i++)
		CHECK_EQ(ibv_poll_cq(rig.c.scq, LIST, wc), 0);
	result("poll_cq, empty", now_ns() - t, POLLS);
	for (i = 0, t = 0; i < 8; i++) {
		write_list(LIST);
		sleep_ms(20);
		t -= now_ns();
		CHECK_EQ(ibv_poll_cq(rig.c.scq, LIST, wc), LIST);
		t += now_ns();
	}
	result("poll_cq, a completion", t, 8 * LIST);
}

/* -------------------------------------------------------- registrations --- */

static void reg(const char *call, const char *undo, size_t len, int loops,
		int flags)
{
	uint64_t t_reg = 0, t_dereg = 0;
	struct ibv_mr *mr;
	void *p;
	int i;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "%s: no memory\n", call);
		return;
	}
	for (i = 0; i < loops; i++) {
		t_reg -= now_ns();
		mr = ibv_reg_mr(rig.c.pd, p, len, RW_ACCESS);
		t_reg += now_ns();
		CHECK(mr);
		t_dereg -= now_ns();
		CHECK_OK(ibv_dereg_mr(mr));
		t_dereg += now_ns();
	}
	munmap(p, len);
	result(call, t_reg, loops);
	result(undo, t_dereg, loops);
}

static void one_round(void)
{
	polls();
	posts("post_send, one", write_list, 1);
	posts("post_send, each of 16", write_list, LIST);
	if (ibv_qp_to_qp_ex(rig.c.qp)) {
		posts("ibv_wr_*, one", write_ex, 1);
		posts("ibv_wr_*, each of 16", write_ex, LIST);
	}
	post_recvs();
	reg("reg_mr, 4 KiB", "dereg_mr, 4 KiB", 4096, 16, 0);
	reg("reg_mr, 1 MiB", "dereg_mr, 1 MiB", 1 << 20, 4, 0);
	reg("reg_mr, 1 GiB", "dereg_mr, 1 GiB", 1 << 30, 1, 0);
	reg("reg_mr, 1 GiB, huge pages", "dereg_mr, 1 GiB, huge pages", 1 << 30,
	    1, MAP_HUGETLB);
}

static int rounds;

static void run(const void *arg)
{
	struct ep_attr attr = {
		.recv_wr = DEPTH,
		.send_ops = IBV_QP_EX_WITH_RDMA_WRITE,
	};
	int i;

	if (stock_provider())
		attr.send_ops = 0;
	rig_connect_attr(&rig, &attr, &attr);
	buf_new(&src, rig.c.pd, 64, 0, RW_ACCESS);
	buf_new(&dst, rig.s.pd, 64, 0, RW_ACCESS);
	/* some MPA peers wait for the initiator's first message */
	write_list(1);
	drain(1);
	for (i = 0; i < rounds; i++)
		one_round();
	buf_free(&src);
	buf_free(&dst);
	rig_close(&rig);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = { { "calls", run, NULL, 1500 } };

	rounds = argc > 1 ? atoi(argv[1]) : 0;
	if (rounds < 1) {
		fprintf(stderr, "usage: calls ROUNDS\n");
		return 2;
	}
	return ktap_main(cases, 1, 1, argv);
}
