// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * On-demand paging: regions that pin nothing and follow the process's memory
 * wherever it goes.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA	(1 << 20)
#define LEN	10000
/* begins and ends within pages */
#define OFF	5000
#define ODP	(RW_ACCESS | IBV_ACCESS_ON_DEMAND)

/**
 * struct odp - a client with pinned memory, a server with memory on demand
 * @r: the connection
 * @l: of the client
 * @p: of the server, AREA octets
 * @mr: region of @p
 */
struct odp {
	struct rig r;
	struct buf l;
	uint8_t *p;
	struct ibv_mr *mr;
};

static uint8_t *area(int fd, void *at)
{
	uint8_t *p = mmap(at, AREA, PROT_READ | PROT_WRITE,
			  (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) |
			  (at ? MAP_FIXED : 0), fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int file(void)
{
	int fd = memfd_create("odp", 0);

	CHECK(fd >= 0);
	CHECK_OK(ftruncate(fd, AREA));
	return fd;
}

static struct ibv_mr *reg(struct ibv_pd *pd, void *p, size_t len, int access)
{
	struct ibv_mr *mr = ibv_reg_mr(pd, p, len, access);

	if (!mr && (errno == EOPNOTSUPP || errno == EINVAL))
		skip_case("no on-demand paging here");
	CHECK(mr);
	return mr;
}

static void odp_new(struct odp *o, int fd, int access)
{
	rig_connect(&o->r);
	buf_new(&o->l, o->r.c.pd, LEN, 0, RW_ACCESS);
	o->p = area(fd, NULL);
	o->mr = reg(o->r.s.pd, o->p, AREA, access);
}

static void odp_free(struct odp *o)
{
	CHECK_OK(ibv_dereg_mr(o->mr));
	buf_free(&o->l);
	rig_close(&o->r);
	munmap(o->p, AREA);
}

static void post(struct odp *o, enum ibv_wr_opcode opcode, size_t len)
{
	struct ibv_sge s = buf_sge(&o->l, 0, len);
	struct op op = { .id = 1, .opcode = opcode, .sge = &s, .nsge = 1,
			 .flags = IBV_SEND_SIGNALED, .rkey = o->mr->rkey,
			 .raddr = (uintptr_t)o->p + OFF };

	post_op(&o->r.c, &op);
}

/* A Read's answer comes behind what was written before it. */
static void put(struct odp *o, unsigned int seed)
{
	buf_fill(&o->l, seed);
	post(o, IBV_WR_RDMA_WRITE, LEN);
	wc_expect(o->r.c.scq, 1, IBV_WC_SUCCESS);
}

static void get(struct odp *o)
{
	buf_clear(&o->l);
	post(o, IBV_WR_RDMA_READ, LEN);
	wc_expect(o->r.c.scq, 1, IBV_WC_SUCCESS);
}

static void reach(struct odp *o, unsigned int seed)
{
	put(o, seed);
	get(o);
	buf_check(&o->l, 0, LEN, seed, 0);
	CHECK(!memcmp(o->p + OFF, o->l.p, LEN));
}

/* Neither registration nor what lies beside a message brings a page. */
static void lazy(const void *arg)
{
	unsigned char there[AREA / 4096];
	struct odp o;
	size_t i;

	odp_new(&o, -1, ODP);
	CHECK_OK(mincore(o.p, AREA, there));
	for (i = 0; i < sizeof(there); i++)
		CHECK(!(there[i] & 1));
	reach(&o, 1);
	CHECK_OK(mincore(o.p, AREA, there));
	for (i = 0; i < sizeof(there); i++) {
		bool used = i >= OFF / 4096 && i <= (OFF + LEN - 1) / 4096;

		CHECK_EQ(there[i] & 1, used);
	}
	odp_free(&o);
}

/* Other memory at the same address: the old is left alone. */
static void remap(const void *arg)
{
	int a = file(), b = file();
	uint8_t *seen_a, *seen_b;
	struct odp o;
	int i;

	odp_new(&o, a, ODP);
	seen_a = area(a, NULL);
	seen_b = area(b, NULL);
	for (i = 0; i < 20; i++) {
		area(a, o.p);
		memset(seen_b, 'b', AREA);
		reach(&o, 2 * i);
		CHECK(!memcmp(seen_a + OFF, o.l.p, LEN));
		CHECK_EQ(seen_b[OFF], 'b');
		memset(seen_a, 'a', AREA);
		area(b, o.p);
		get(&o);
		CHECK_EQ(o.l.p[0], 'b');
		reach(&o, 2 * i + 1);
		CHECK(!memcmp(seen_b + OFF, o.l.p, LEN));
		CHECK_EQ(seen_a[OFF], 'a');
	}
	odp_free(&o);
}

/* Where the process has nothing, a peer has nothing. */
static void unmapped(const void *arg)
{
	struct odp o;

	odp_new(&o, -1, ODP);
	reach(&o, 1);
	CHECK_OK(munmap(o.p, AREA));
	post(&o, IBV_WR_RDMA_READ, LEN);
	wc_expect(o.r.c.scq, 1, *(const enum ibv_wc_status *)arg);
	CHECK_OK(ibv_dereg_mr(o.mr));
	buf_free(&o.l);
	rig_close(&o.r);
}

/* Nor can it write where the process may only read. */
static void protected(const void *arg)
{
	struct odp o;

	odp_new(&o, -1, ODP);
	reach(&o, 1);
	CHECK_OK(mprotect(o.p, AREA, PROT_READ));
	put(&o, 2);
	CHECK(cm_wait_end(o.r.c.ch, TOLD_MS));
	CHECK(o.p[OFF] != o.l.p[0]);
	odp_free(&o);
}

/* After a fork the pages are the child's as well: ours are the copies. */
static void forked(const void *arg)
{
	int go[2], status;
	struct odp o;
	pid_t child;
	char c;

	CHECK_OK(pipe(go));
	odp_new(&o, -1, ODP);
	reach(&o, 1);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(read(go[0], &c, 1) != 1 || o.p[OFF] != o.l.p[0]);
	memset(o.p, 'n', AREA);
	put(&o, 2);
	get(&o);
	buf_check(&o.l, 0, LEN, 2, 0);
	CHECK(!memcmp(o.p + OFF, o.l.p, LEN));
	/* what the child still has */
	buf_fill(&o.l, 1);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	odp_free(&o);
}

static atomic_bool churning;

static void *churn(void *arg)
{
	struct odp *o = arg;
	int n = 0;

	while (churning) {
		if (++n % 2)
			madvise(o->p, AREA, MADV_DONTNEED);
		else
			area(-1, o->p);
		usleep(200);
	}
	return NULL;
}

/* The memory changes all the time under traffic in both directions. */
static void churned(const void *arg)
{
	struct odp o;
	pthread_t t;
	int i;

	odp_new(&o, -1, ODP);
	churning = true;
	CHECK_OK(pthread_create(&t, NULL, churn, &o));
	for (i = 0; i < 200; i++) {
		put(&o, i);
		get(&o);
	}
	churning = false;
	pthread_join(t, NULL);
	reach(&o, 5);
	odp_free(&o);
}

/* Sends from, and receives into, elements none of whose pages is there. */
static void send_receive(const void *arg)
{
	struct ibv_sge from[3], to[3];
	struct ibv_mr *mr;
	struct odp o;
	uint8_t *p;
	int i, n;

	odp_new(&o, -1, ODP);
	p = area(-1, NULL);
	mr = reg(o.r.c.pd, p, AREA, ODP);
	for (n = 0; n < 5; n++) {
		struct op op = { .id = 3, .opcode = IBV_WR_SEND, .sge = from,
				 .nsge = 3, .flags = IBV_SEND_SIGNALED };

		madvise(o.p, AREA, MADV_DONTNEED);
		for (i = 0; i < AREA; i++)
			p[i] = i * 7 + n;
		for (i = 0; i < 3; i++) {
			from[i].addr = (uintptr_t)p + i * 50000 + 4000;
			from[i].length = 9000;
			from[i].lkey = mr->lkey;
			to[i].addr = (uintptr_t)o.p + i * 60000 + 4090;
			to[i].length = 9000;
			to[i].lkey = o.mr->lkey;
		}
		post_recv(&o.r.s, 4, to, 3);
		post_op(&o.r.c, &op);
		wc_expect(o.r.c.scq, 3, IBV_WC_SUCCESS);
		wc_expect(o.r.s.rcq, 4, IBV_WC_SUCCESS);
		for (i = 0; i < 3; i++)
			CHECK(!memcmp(p + i * 50000 + 4000,
				      o.p + i * 60000 + 4090, 9000));
	}
	CHECK_OK(ibv_dereg_mr(mr));
	munmap(p, AREA);
	odp_free(&o);
}

/* A Send whose source is gone is the sender's own mistake. */
static void source_gone(const void *arg)
{
	struct ibv_sge s;
	struct op op = { .id = 5, .opcode = IBV_WR_SEND, .sge = &s, .nsge = 1,
			 .flags = IBV_SEND_SIGNALED };
	struct odp o;

	odp_new(&o, -1, ODP);
	s.addr = (uintptr_t)o.p;
	s.length = LEN;
	s.lkey = o.mr->lkey;
	CHECK_OK(munmap(o.p, AREA));
	post_op(&o.r.s, &op);
	wc_expect(o.r.s.scq, 5, IBV_WC_LOC_PROT_ERR);
	CHECK_OK(ibv_dereg_mr(o.mr));
	buf_free(&o.l);
	rig_close(&o.r);
}

/* All memory, also what comes after the registration. */
static void implicit(const void *arg)
{
	struct odp o;
	uint8_t *late;

	odp_new(&o, -1, ODP);
	CHECK_OK(ibv_dereg_mr(o.mr));
	o.mr = reg(o.r.s.pd, NULL, SIZE_MAX, ODP);
	reach(&o, 1);
	late = o.p;
	o.p = area(-1, NULL);
	reach(&o, 2);
	munmap(late, AREA);
	reach(&o, 3);
	odp_free(&o);
}

static int advise(struct odp *o, enum ibv_advise_mr_advice advice, int flags,
		  size_t len)
{
	struct ibv_sge s = { .addr = (uintptr_t)o->p, .length = len,
			     .lkey = o->mr->lkey };

	return ibv_advise_mr(o->r.s.pd, advice, flags, &s, 1);
}

static int resident(const uint8_t *p)
{
	unsigned char there[AREA / 4096];
	int n = 0;
	size_t i;

	CHECK_OK(mincore((void *)p, AREA, there));
	for (i = 0; i < sizeof(there); i++)
		n += there[i] & 1;
	return n;
}

static void prefetch(const void *arg)
{
	const int flush = IBV_ADVISE_MR_FLAG_FLUSH;
	const enum ibv_advise_mr_advice wr =
		IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE;
	struct odp o;
	int rv;

	odp_new(&o, -1, ODP);
	rv = advise(&o, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, flush, AREA);
	if (rv == EOPNOTSUPP || rv == ENOSYS)
		skip_case("no advice");
	CHECK_EQ(rv, 0);
	CHECK_EQ(resident(o.p), 0);
	CHECK_EQ(advise(&o, wr, flush, 3 * 4096), 0);
	CHECK_EQ(resident(o.p), 3);
	CHECK_EQ(advise(&o, IBV_ADVISE_MR_ADVICE_PREFETCH, 0, AREA), 0);
	reach(&o, 1);
	CHECK_OK(munmap(o.p + AREA / 2, AREA / 2));
	CHECK_EQ(advise(&o, wr, flush, AREA), EFAULT);
	CHECK_EQ(advise(&o, wr, 0, AREA), 0);
	reach(&o, 2);
	odp_free(&o);
}

#define LONG	0xfffff000u

/* Takes minutes even where nothing is slow. */
static void advise_for_long(struct odp *o)
{
	struct ibv_sge s[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = (struct ibv_sge){ .addr = (uintptr_t)o->p,
					 .length = LONG, .lkey = o->mr->lkey };
	ibv_advise_mr(o->r.s.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, 0, s,
		      ARRAY_SIZE(s));
}

static int wait_for_end(pid_t pid)
{
	uint64_t end = now_ms() + TOLD_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ms() > end)
			FAIL("still there %d ms after it was killed", TOLD_MS);
		sleep_ms(10);
	}
	return status;
}

/* Nobody has to wait for the end of an advice once its process is killed. */
static void advise_killed(const void *arg)
{
	struct odp o;
	int status;
	pid_t pid;

	odp_new(&o, -1, ODP);
	if (advise(&o, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, 0, AREA))
		skip_case("no advice");
	CHECK_OK(ibv_dereg_mr(o.mr));
	CHECK_OK(munmap(o.p, AREA));
	/* address space alone, none of it memory */
	o.p = mmap(NULL, LONG, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(o.p != MAP_FAILED);
	o.mr = reg(o.r.s.pd, o.p, LONG, ODP);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		advise_for_long(&o);
		_exit(1);
	}
	sleep_ms(300);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK(WIFSIGNALED(wait_for_end(pid)));
	CHECK_OK(ibv_dereg_mr(o.mr));
	rig_close(&o.r);
}

/* What does not go together with pages that come and go. */
static void limits(const void *arg)
{
	struct odp o;

	odp_new(&o, -1, ODP);
	errno = 0;
	CHECK(!ibv_reg_mr(o.r.s.pd, o.p, AREA, ODP | IBV_ACCESS_MW_BIND));
	CHECK_EQ(errno, EOPNOTSUPP);
	errno = 0;
	CHECK(!ibv_reg_mr(o.r.s.pd, o.p, 0, ODP));
	CHECK_EQ(errno, EINVAL);
	errno = 0;
	CHECK(!ibv_reg_mr(o.r.s.pd, (void *)-4096L, 8192, ODP));
	CHECK_EQ(errno, EINVAL);
	/* an address with a tag, as some CPUs know them */
	errno = 0;
	CHECK(!ibv_reg_mr(o.r.s.pd, o.p + (0x5aUL << 56), AREA, ODP));
	CHECK_EQ(errno, EINVAL);
	reach(&o, 1);
	odp_free(&o);
}

static void *dereg(void *arg)
{
	struct odp *o = arg;

	usleep(2000);
	CHECK_OK(ibv_dereg_mr(o->mr));
	return NULL;
}

/* A region goes while its pages are looked up for a peer. */
static void dereg_busy(const void *arg)
{
	struct ibv_wc wc;
	struct odp o;
	pthread_t t;
	int i;

	for (i = 0; i < 10; i++) {
		odp_new(&o, -1, ODP);
		CHECK_OK(pthread_create(&t, NULL, dereg, &o));
		do {
			madvise(o.p, AREA, MADV_DONTNEED);
			post(&o, IBV_WR_RDMA_READ, LEN);
			wc = wc_get(o.r.c.scq);
		} while (wc.status == IBV_WC_SUCCESS);
		CHECK_EQ(wc.status, IBV_WC_REM_ACCESS_ERR);
		pthread_join(t, NULL);
		buf_free(&o.l);
		rig_close(&o.r);
		munmap(o.p, AREA);
	}
}

#define SLEEPING	270	/* connections; both ends send, a queue for all has 512 */
#define FILES		(16 * SLEEPING)
#define ALONE		128	/* fetches for nobody that the module lets a user have */

/* Who closes it ends the wait for area_never_there(). */
static int uffd;

/* Memory that whoever touches it waits for, until the process ends. */
static uint8_t *area_never_there(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	uint8_t *p = area(-1, NULL);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		skip_case("no userfaultfd");
	r.range.start = (uintptr_t)p;
	r.range.len = AREA;
	CHECK_OK(ioctl(fd, UFFDIO_REGISTER, &r));
	uffd = fd;
	return p;
}

/*
 * Likewise, until another process ends that could bring it and does not. SIGTERM
 * comes to that one when the caller ends.
 */
static uint8_t *area_of_another(pid_t *keeper)
{
	uint8_t *p = area_never_there();
	int fd = uffd;

	*keeper = fork();
	CHECK(*keeper >= 0);
	if (!*keeper) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* who reads what this program says waits for its end */
		CHECK_EQ(dup2(fd, 0), 0);
		CHECK_OK(close_range(1, ~0U, 0));
		for (;;)
			pause();
	}
	close(fd);
	return p;
}

static void send_what_is_not_there(struct ep *e, const struct ibv_mr *mr)
{
	struct ibv_sge s = { .addr = (uintptr_t)mr->addr, .length = 64,
			     .lkey = mr->lkey };
	struct op op = { .id = 1, .opcode = IBV_WR_SEND, .sge = &s, .nsge = 1 };

	post_op(e, &op);
}

/* As many Sends as shall wait for memory. Tells @fd, and stays. */
static void wait_for_memory(int fd)
{
	struct rlimit files = { FILES, FILES };
	struct ep_attr ca = { .send_wr = 2, .recv_wr = 2, .cqe = 4 }, sa = ca;
	static struct rig r[SLEEPING];
	struct ibv_mr *cmr, *smr;
	uint8_t *p;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
	/* files go from the last one on: the device's before what serves the memory */
	p = area_never_there();
	for (i = 0; i < SLEEPING; i++) {
		rig_connect_attr(&r[i], &ca, &sa);
		ca.domain = r[0].c.pd;
		sa.domain = r[0].s.pd;
	}
	cmr = reg(r[0].c.pd, p, AREA, ODP);
	smr = reg(r[0].s.pd, p, AREA, ODP);
	for (i = 0; i < SLEEPING; i++) {
		send_what_is_not_there(&r[i].c, cmr);
		send_what_is_not_there(&r[i].s, smr);
	}
	CHECK_EQ(write(fd, "", 1), 1);
	for (;;)
		pause();
}

/*
 * However many requests of one process wait for its memory, others' go on; and it
 * can be killed.
 */
static void others(const void *arg)
{
	int told[2], status;
	struct odp o;
	char c;
	pid_t pid;

	CHECK_OK(pipe(told));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(told[0]);
		wait_for_memory(told[1]);
	}
	close(told[1]);
	if (read(told[0], &c, 1) != 1) {
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status));
		if (WEXITSTATUS(status) == KSFT_SKIP)
			skip_case("no memory that is never there");
		FAIL("the process that shall wait ended");
	}
	odp_new(&o, -1, ODP);
	reach(&o, 1);
	odp_free(&o);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK(WIFSIGNALED(wait_for_end(pid)));
}

/* A region of the server that whoever touches it waits for. */
static void odp_never(struct odp *o, pid_t *keeper)
{
	o->p = area_of_another(keeper);
	rig_connect(&o->r);
	buf_new(&o->l, o->r.c.pd, LEN, 0, RW_ACCESS);
	o->mr = reg(o->r.s.pd, o->p, AREA, ODP);
}

static void keeper_ends(pid_t keeper)
{
	CHECK_OK(kill(keeper, SIGKILL));
	CHECK_EQ(waitpid(keeper, NULL, 0), keeper);
}

/* Nobody waits for pages that do not come: not for the region, nor the connection. */
static void never(const void *arg)
{
	const enum ibv_wr_opcode *peers = arg;
	struct odp o;
	pid_t keeper;
	int64_t start;

	odp_never(&o, &keeper);
	if (peers)
		post(&o, *peers, LEN);
	else
		send_what_is_not_there(&o.r.s, o.mr);
	sleep_ms(300);
	start = now_ms();
	CHECK_OK(ibv_dereg_mr(o.mr));
	rdma_destroy_qp(o.r.s.id);
	CHECK((int64_t)now_ms() - start < TOLD_MS);
	rdma_destroy_qp(o.r.c.id);
	keeper_ends(keeper);
}

/* The peer goes, and the rest of what it sent waits for pages that do not come. */
static void never_to_the_end(const void *arg)
{
	struct ibv_sge sge;
	struct ibv_wc wc;
	struct odp o;
	pid_t keeper;

	odp_never(&o, &keeper);
	sge = (struct ibv_sge){ .addr = (uintptr_t)o.p, .length = LEN,
				.lkey = o.mr->lkey };
	post_recv(&o.r.s, 7, &sge, 1);
	post(&o, IBV_WR_RDMA_WRITE, LEN);
	sleep_ms(300);
	CHECK_OK(rdma_disconnect(o.r.c.id));
	CHECK(wc_wait(o.r.s.rcq, &wc, TOLD_MS));
	CHECK_EQ(wc.wr_id, 7);
	CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(ep_state(&o.r.s), IBV_QPS_ERR);
	CHECK_OK(ibv_dereg_mr(o.mr));
	rig_close(&o.r);
	keeper_ends(keeper);
}

/* Destroyed queue pairs leave no more fetches behind than a user may have. */
static void never_often(const void *arg)
{
	struct ep_attr ca = { .send_wr = 2, .recv_wr = 2, .cqe = 4 }, sa = ca;
	struct ibv_wc wc;
	struct odp o;
	struct rig r;
	pid_t keeper;
	int i;

	odp_never(&o, &keeper);
	ca.domain = o.r.c.pd;
	sa.domain = o.r.s.pd;
	for (i = 0; i <= ALONE; i++) {
		rig_connect_attr(&r, &ca, &sa);
		send_what_is_not_there(&r.s, o.mr);
		if (wc_wait(r.s.scq, &wc, i < ALONE ? 20 : TOLD_MS))
			break;
		rig_close(&r);
	}
	CHECK_EQ(i, ALONE);
	CHECK_EQ(wc.status, IBV_WC_LOC_PROT_ERR);
	rig_close(&r);
	CHECK_OK(ibv_dereg_mr(o.mr));
	rig_close(&o.r);
	keeper_ends(keeper);
	/* they end, and the user has others again */
	sleep_ms(500);
	odp_new(&o, -1, ODP);
	reach(&o, 1);
	odp_free(&o);
}

/* For link_del_never() of odp.sh. */
static void wait_and_say(void)
{
	struct odp o;
	pid_t keeper;

	signal(SIGTERM, SIG_IGN);
	odp_never(&o, &keeper);
	send_what_is_not_there(&o.r.s, o.mr);
	post(&o, IBV_WR_RDMA_WRITE, LEN);
	sleep_ms(300);
	printf("%d\n", keeper);
	fflush(stdout);
	for (;;)
		pause();
}

static const enum ibv_wc_status refused = IBV_WC_REM_ACCESS_ERR;
static const enum ibv_wr_opcode peer_writes = IBV_WR_RDMA_WRITE;
static const enum ibv_wr_opcode peer_reads = IBV_WR_RDMA_READ;

static const struct test_case cases[] = {
	{ "odp_lazy", lazy },
	{ "odp_remap", remap },
	{ "odp_unmapped", unmapped, &refused },
	{ "odp_protected", protected },
	{ "odp_forked", forked },
	{ "odp_churned", churned },
	{ "odp_send_receive", send_receive },
	{ "odp_source_gone", source_gone },
	{ "odp_implicit", implicit },
	{ "odp_prefetch", prefetch },
	{ "odp_advise_killed", advise_killed },
	{ "odp_limits", limits },
	{ "odp_dereg_busy", dereg_busy },
	{ "odp_others", others, .seconds = 120 },
	{ "odp_never_sent", never },
	{ "odp_never_written", never, &peer_writes },
	{ "odp_never_read", never, &peer_reads },
	{ "odp_never_to_the_end", never_to_the_end },
	{ "odp_never_often", never_often, .seconds = 120 },
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "wait"))
		wait_and_say();
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
