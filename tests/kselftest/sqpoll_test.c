// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Send queues that a thread of the kernel looks at (SIW_SQ_POLL in the environment,
 * sq_poll of the device): what is posted is sent with and without doorbells, the
 * thread sleeps when it should, wakes up when it should, and ends.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define LEN	4096
/* Long enough for a thread that is awake to stay so throughout a case */
#define LONG_US	"1000000"
#define MAX_POLLERS 16

/* --- the threads ------------------------------------------------------------ */

static void read_line(const char *path, char *text, int len)
{
	FILE *f = fopen(path, "r");

	text[0] = 0;
	if (!f)
		return;
	if (!fgets(text, len, f))
		text[0] = 0;
	fclose(f);
}

/* Threads that work for this process. */
static int pollers(int *pids)
{
	char path[300], comm[32], name[32];
	struct dirent *d;
	DIR *dir = opendir("/proc");
	int n = 0;

	CHECK(dir);
	/* the kernel keeps 15 characters of a name */
	snprintf(name, 16, "siw_poll-%d", getpid());
	while ((d = readdir(dir))) {
		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		read_line(path, comm, sizeof(comm));
		comm[strcspn(comm, "\n")] = 0;
		if (!strcmp(comm, name) && n < MAX_POLLERS)
			pids[n++] = atoi(d->d_name);
	}
	closedir(dir);
	return n;
}

static int poller_count(void)
{
	int pids[MAX_POLLERS];

	return pollers(pids);
}

/* Milliseconds of CPU time that they have used. */
static long pollers_ran(void)
{
	int pids[MAX_POLLERS], i, n = pollers(pids);
	unsigned long user, sys;
	char path[64], stat[512];
	long sum = 0;

	CHECK(n);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/stat", pids[i]);
		read_line(path, stat, sizeof(stat));
		if (sscanf(strrchr(stat, ')'),
			   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			   &user, &sys) != 2)
			FAIL("%s: %s", path, stat);
		sum += user + sys;
	}
	return sum * 1000 / sysconf(_SC_CLK_TCK);
}

/* They must not run while nothing can be done, though others may. */
static void must_sleep(const char *why)
{
	long ran;

	/* in case it is awake now */
	sleep_ms(300);
	ran = pollers_ran();
	sleep_ms(1000);
	ran = pollers_ran() - ran;
	note("%ld ms of 1000 spent on polling %s", ran, why);
	CHECK(ran < 200);
}

static unsigned long counter(enum host h, const char *name)
{
	char path[128], text[64];

	/* the core keeps values for 10 ms */
	sleep_ms(30);
	snprintf(path, sizeof(path),
		 "/sys/class/infiniband/%s/ports/1/hw_counters/%s",
		 h == SRV ? "siw1" : "siw2", name);
	read_line(path, text, sizeof(text));
	CHECK(text[0]);
	return strtoul(text, NULL, 10);
}

static void ask_for(const char *us)
{
	setenv("SIW_SQ_POLL", us, 1);
}

/* --- traffic ------------------------------------------------------------------ */

struct work {
	struct rig r;
	struct buf src;
	struct buf dst;
	struct buf in;
	unsigned int seed;
};

static void work_new(struct work *w)
{
	rig_connect(&w->r);
	buf_new(&w->src, w->r.c.pd, LEN, 0, RW_ACCESS);
	buf_new(&w->dst, w->r.s.pd, LEN, 0, RW_ACCESS);
	buf_new(&w->in, w->r.s.pd, LEN, 0, RW_ACCESS);
}

static void work_free(struct work *w)
{
	buf_free(&w->src);
	buf_free(&w->dst);
	buf_free(&w->in);
	rig_close(&w->r);
}

/* A Write, a Send behind it, each request posted by itself; then compare. */
static void work_once(struct work *w, size_t len)
{
	struct ibv_sge s = buf_sge(&w->src, 0, len);
	struct ibv_sge in = buf_sge(&w->in, 0, len);
	struct op o = { .id = 1, .opcode = IBV_WR_RDMA_WRITE, .sge = &s,
			.nsge = 1, .raddr = (uintptr_t)w->dst.p,
			.rkey = w->dst.mr->rkey };

	buf_fill(&w->src, ++w->seed);
	buf_clear(&w->dst);
	buf_clear(&w->in);
	post_recv(&w->r.s, 2, &in, 1);
	post_op(&w->r.c, &o);
	o.opcode = IBV_WR_SEND;
	o.flags = IBV_SEND_SIGNALED;
	post_op(&w->r.c, &o);
	wc_expect(w->r.c.scq, 1, IBV_WC_SUCCESS);
	wc_expect(w->r.s.rcq, 2, IBV_WC_SUCCESS);
	buf_check(&w->dst, 0, len, w->seed, 0);
	buf_check(&w->in, 0, len, w->seed, 0);
}

static void work_read(struct work *w, size_t len)
{
	struct ibv_sge s = buf_sge(&w->src, 0, len);
	struct op o = { .id = 3, .opcode = IBV_WR_RDMA_READ, .sge = &s,
			.nsge = 1, .flags = IBV_SEND_SIGNALED,
			.raddr = (uintptr_t)w->dst.p,
			.rkey = w->dst.mr->rkey };

	buf_fill(&w->dst, ++w->seed);
	buf_clear(&w->src);
	post_op(&w->r.c, &o);
	wc_expect(w->r.c.scq, 3, IBV_WC_SUCCESS);
	buf_check(&w->src, 0, len, w->seed, 0);
}

/* By itself a doorbell wakes the thread; wait until it has said so. */
static void work_warm(struct work *w)
{
	rig_ping(&w->r);
	sleep_ms(50);
}

/* --- cases ---------------------------------------------------------------------- */

/* The administrator has not allowed it, or nobody has asked for it. */
static void doorbells(const void *arg)
{
	unsigned long rung = counter(CLI, "doorbells");
	unsigned long polled = counter(CLI, "sq_polled");
	struct work w = { 0 };
	int i;

	ask_for(arg ? arg : "");
	work_new(&w);
	CHECK_EQ(poller_count(), 0);
	work_warm(&w);
	for (i = 0; i < 50; i++)
		work_once(&w, LEN);
	CHECK(counter(CLI, "doorbells") - rung >= 50);
	CHECK_EQ(counter(CLI, "sq_polled"), polled);
	work_free(&w);
}

static void few_doorbells(const void *arg)
{
	unsigned long rung, polled;
	struct work w = { 0 };
	int i;

	ask_for(LONG_US);
	work_new(&w);
	/* one for each end, which are two devices */
	CHECK_EQ(poller_count(), 2);
	work_warm(&w);
	rung = counter(CLI, "doorbells");
	polled = counter(CLI, "sq_polled");
	for (i = 0; i < 200; i++)
		work_once(&w, 1 + i * 20);
	for (i = 0; i < 50; i++)
		work_read(&w, 1 + i * 80);
	rung = counter(CLI, "doorbells") - rung;
	polled = counter(CLI, "sq_polled") - polled;
	note("450 requests, %lu doorbells, %lu polled", rung, polled);
	CHECK(rung <= 20);
	CHECK(polled >= 400);
	work_free(&w);
	CHECK_EQ(poller_count(), 0);
}

static void spin_us(unsigned int us)
{
	struct timespec ts;
	uint64_t end, now = 0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	end = ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000 + us;
	while (now < end) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		now = ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
	}
}

/*
 * Pauses about as long as the thread stays awake: a request that falls between
 * its last look and its sleep must not be lost.
 */
static void wake_ups(const void *arg)
{
	unsigned int us = atoi(arg), i, rounds = 1500;
	unsigned long rung, polled;
	struct work w = { 0 };

	ask_for(arg);
	work_new(&w);
	work_warm(&w);
	rung = counter(CLI, "doorbells");
	polled = counter(CLI, "sq_polled");
	srandom(1);
	for (i = 0; i < rounds; i++) {
		work_once(&w, 64);
		if (i % 100 == 99)
			sleep_ms(5);
		else
			spin_us(random() % (2 * us));
	}
	rung = counter(CLI, "doorbells") - rung;
	polled = counter(CLI, "sq_polled") - polled;
	note("%u requests, %lu doorbells, %lu polled", 2 * rounds, rung,
	     polled);
	/* it did sleep */
	CHECK(rung >= rounds / 100);
	CHECK(rung < 2 * rounds);
	CHECK(polled);
	work_free(&w);
}

static void *work_thread(void *arg)
{
	struct work *w = arg;
	int i;

	for (i = 0; i < 150; i++) {
		work_once(w, 1 + i * 27);
		if (i % 8 == 7)
			spin_us(400);
	}
	return NULL;
}

/* One thread for many queue pairs, each with its own pauses. */
static void many_qps(const void *arg)
{
	struct work w[6] = { 0 };
	pthread_t t[6];
	unsigned int i;

	ask_for("300");
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		work_new(&w[i]);
		/* what the rig makes when it is first used is no thread's to make */
		work_once(&w[i], LEN);
	}
	CHECK_EQ(poller_count(), 2);
	for (i = 0; i < ARRAY_SIZE(w); i++)
		CHECK_OK(pthread_create(&t[i], NULL, work_thread, &w[i]));
	for (i = 0; i < ARRAY_SIZE(w); i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		CHECK_EQ(poller_count(), 2);
		work_free(&w[i]);
	}
	CHECK_EQ(poller_count(), 0);
}

static void idle_sleeps(const void *arg)
{
	struct work w = { 0 };

	ask_for("2000");
	work_new(&w);
	work_warm(&w);
	work_once(&w, LEN);
	must_sleep("with nothing posted");
	work_once(&w, LEN);
	work_free(&w);
}

/* For how long a Send may find no receive at the server. */
static void set_rnr_wait(const char *ms)
{
	FILE *f = fopen("/sys/class/infiniband/siw1/siw/rnr_wait", "w");

	CHECK(f);
	fputs(ms, f);
	CHECK_OK(fclose(f));
}

/* TCP is full because the peer does not take: many requests wait in the ring. */
static void full_socket(const void *arg)
{
	enum { BIG = 1024 * 1024, N = 24 };
	struct buf src, dst;
	struct ibv_sge s, d;
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED,
			.sge = &s, .nsge = 1 };
	struct rig r;
	int i;

	ask_for("2000");
	set_rnr_wait("20000");
	rig_connect(&r);
	rig_ping(&r);
	buf_new(&src, r.c.pd, BIG, 0, 0);
	buf_new(&dst, r.s.pd, BIG, 0, RW_ACCESS);
	buf_fill(&src, 7);
	s = buf_sge(&src, 0, BIG);
	d = buf_sge(&dst, 0, BIG);
	for (i = 0; i < N; i++) {
		o.id = i;
		post_op(&r.c, &o);
	}
	must_sleep("with a peer that does not receive");
	set_rnr_wait("1000");
	for (i = 0; i < N; i++) {
		buf_clear(&dst);
		post_recv(&r.s, i, &d, 1);
		wc_expect(r.s.rcq, i, IBV_WC_SUCCESS);
		buf_check(&dst, 0, BIG, 7, 0);
	}
	for (i = 0; i < N; i++)
		wc_expect(r.c.scq, i, IBV_WC_SUCCESS);
	rig_ping(&r);
	buf_free(&src);
	buf_free(&dst);
	rig_close(&r);
}

static void to_error(struct ep *e)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_ERR };

	CHECK_OK(ibv_modify_qp(e->qp, &a, IBV_QP_STATE));
}

/* In error, before and after, everything is completed, in order. */
static void error_flushes(const void *arg)
{
	struct op o = { .opcode = IBV_WR_SEND, .flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;
	struct rig r;
	int i, k;

	ask_for(LONG_US);
	for (k = 0; k < 10; k++) {
		memset(&r, 0, sizeof(r));
		rig_connect(&r);
		rig_ping(&r);
		/* 16 that nobody receives, then 8 afterwards */
		for (i = 0; i < 16; i++) {
			o.id = i;
			post_op(&r.c, &o);
		}
		to_error(&r.c);
		for (; i < 24; i++) {
			o.id = i;
			post_op(&r.c, &o);
		}
		for (i = 0; i < 24; i++) {
			wc = wc_get(r.c.scq);
			CHECK_EQ(wc.wr_id, i);
			CHECK(i < 16 || wc.status == IBV_WC_WR_FLUSH_ERR);
		}
		rig_close(&r);
	}
	CHECK_EQ(poller_count(), 0);
}

static void destroy_busy(const void *arg)
{
	struct work w;
	struct op o = { .opcode = IBV_WR_RDMA_WRITE, .nsge = 1 };
	struct ibv_sge s;
	int i, k;

	ask_for(LONG_US);
	for (k = 0; k < 20; k++) {
		memset(&w, 0, sizeof(w));
		work_new(&w);
		rig_ping(&w.r);
		s = buf_sge(&w.src, 0, LEN);
		o.sge = &s;
		o.raddr = (uintptr_t)w.dst.p;
		o.rkey = w.dst.mr->rkey;
		for (i = 0; i < 30; i++)
			post_op(&w.r.c, &o);
		work_free(&w);
	}
	CHECK_EQ(poller_count(), 0);
}

struct scribbler {
	pthread_t thread;
	bool ready;
	bool stop;
};

/* All rings that are mapped when it begins look posted all the time. */
static void *write_valid(void *arg)
{
	struct scribbler *sc = arg;
	char line[512], *end;
	uint8_t *ring[16];
	size_t len[16], at;
	int i, n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f);
	while (n < 16 && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "/dev/infiniband/uverbs"))
			continue;
		ring[n] = (uint8_t *)(uintptr_t)strtoull(line, &end, 16);
		len[n] = strtoull(end + 1, NULL, 16) - (uintptr_t)ring[n];
		n++;
	}
	fclose(f);
	CHECK(n);
	__atomic_store_n(&sc->ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&sc->stop, __ATOMIC_RELAXED))
		for (i = 0; i < n; i++)
			for (at = 8; at < len[i]; at += 64)
				__atomic_store_n((uint16_t *)(ring[i] + at), 1,
						 __ATOMIC_RELAXED);
	return NULL;
}

static void scribble_start(struct scribbler *sc)
{
	memset(sc, 0, sizeof(*sc));
	CHECK_OK(pthread_create(&sc->thread, NULL, write_valid, sc));
	while (!__atomic_load_n(&sc->ready, __ATOMIC_ACQUIRE))
		sleep_ms(1);
}

static void scribble_stop(struct scribbler *sc)
{
	__atomic_store_n(&sc->stop, true, __ATOMIC_RELAXED);
	pthread_join(sc->thread, NULL);
}

/* Of a queue pair whose connection is over. */
static void scribbler(const void *arg)
{
	struct scribbler sc;
	struct rig r;

	/* awake until the ring is scribbled over, asleep soon after that */
	ask_for("100000");
	rig_connect(&r);
	rig_ping(&r);
	scribble_start(&sc);
	/* there is always something to send */
	sleep_ms(100);
	to_error(&r.c);
	CHECK(cm_wait_end(r.s.ch, WAIT_MS));
	must_sleep("with rings that are scribbled over");
	scribble_stop(&sc);
	rig_close(&r);
	CHECK_EQ(poller_count(), 0);
}

/* The same of one that is connected: it never ends, but others have their turn. */
static void scribbler_up(const void *arg)
{
	struct rig good = { 0 }, r = { 0 };
	struct scribbler sc;
	int i;

	ask_for("100000");
	rig_connect(&r);
	rig_ping(&r);
	scribble_start(&sc);
	rig_connect(&good);
	for (i = 0; i < 20; i++)
		rig_ping(&good);
	scribble_stop(&sc);
	rig_close(&r);
	rig_ping(&good);
	rig_close(&good);
	CHECK_EQ(poller_count(), 0);
}

/* More contexts than CPUs: the others have no thread, and work. */
static void too_many(const void *arg)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};
	int i, n = sysconf(_SC_NPROCESSORS_ONLN) + 2;
	struct ibv_context *ctx[n];
	struct ibv_qp *qp[n];
	struct ibv_pd *pd[n];
	struct ibv_cq *cq[n];

	ask_for("100");
	for (i = 0; i < n; i++) {
		ctx[i] = dev_open("siw1");
		pd[i] = ibv_alloc_pd(ctx[i]);
		cq[i] = ibv_create_cq(ctx[i], 8, NULL, NULL, 0);
		CHECK(pd[i] && cq[i]);
		ia.send_cq = cq[i];
		ia.recv_cq = cq[i];
		qp[i] = ibv_create_qp(pd[i], &ia);
		CHECK(qp[i]);
	}
	CHECK_EQ(poller_count(), n - 2);
	for (i = 0; i < n; i++) {
		CHECK_OK(ibv_destroy_qp(qp[i]));
		CHECK_OK(ibv_destroy_cq(cq[i]));
		CHECK_OK(ibv_dealloc_pd(pd[i]));
		CHECK_OK(ibv_close_device(ctx[i]));
	}
	CHECK_EQ(poller_count(), 0);
}

static const struct test_case cases[] = {
	{ "unasked", doorbells },
	{ "refused", doorbells, "1000" },
	{ "nonsense", doorbells, "12x" },
	{ "few_doorbells", few_doorbells },
	{ "wake_ups_1ms", wake_ups, "1000", 90 },
	{ "wake_ups_4ms", wake_ups, "4000", 90 },
	{ "many_qps", many_qps, NULL, 60 },
	{ "idle_sleeps", idle_sleeps },
	{ "full_socket", full_socket },
	{ "error_flushes", error_flushes },
	{ "destroy_busy", destroy_busy },
	{ "scribbler_down", scribbler },
	{ "scribbler_up", scribbler_up },
	{ "too_many", too_many },
};

int main(int argc, char **argv)
{
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
