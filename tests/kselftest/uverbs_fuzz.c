// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Calls of verbs whose commands are altered on their way to the kernel:
 *
 *	uverbs_fuzz DEVICE SEED SECONDS
 *
 * A session is a process that opens the device, makes some forty random calls
 * of libibverbs, maps at random offsets and ends, with or without taking down what
 * it has. libibverbs finds our ioctl() and write() in place of libc's, and those
 * alter every second command: header, attributes, lengths, contents. So each
 * altered command is a neighbour of one that a library would send, about objects
 * that are there. A session may crash; the kernel may not, and every session can
 * be killed.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS		40
#define SLOTS		6
#define MEMORY		(64 * 4096)

/* --- what all sessions count ---------------------------------------------- */

static struct counts {
	unsigned long sessions;
	unsigned long crashes;
	unsigned long waits;
	unsigned long calls;
	unsigned long altered;
	unsigned long taken;	/* altered, and the kernel took it */
	unsigned long maps;
	unsigned long mapped;
} *counts;

/* --- randomness ------------------------------------------------------------ */

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 20) % below;
}

static uint64_t odd_value(void)
{
	static const uint64_t v[] = {
		0, 1, 2, 3, 7, 8, 63, 64, 255, 4095, 4096, 65535, 65536,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
		0xfffffffffffff000,
	};

	return rnd(3) ? v[rnd(ARRAY_SIZE(v))] :
		(uint64_t)rnd(1 << 30) << rnd(34);
}

/* --- altering ---------------------------------------------------------------- */

static bool armed;

static void alter_octets(void *p, size_t len)
{
	uint8_t *b = p;
	size_t at, n;
	uint64_t v;

	if (!len)
		return;
	switch (rnd(3)) {
	case 0:
		b[rnd(len)] ^= 1 << rnd(8);
		break;
	case 1:
		b[rnd(len)] = rnd(256);
		break;
	default:
		n = (size_t)1 << (1 + rnd(3));
		if (n > len)
			n = 1;
		at = rnd(len / n) * n;
		v = odd_value();
		memcpy(b + at, &v, n);
	}
}

static void alter_attr(struct ib_uverbs_ioctl_hdr *h)
{
	struct ib_uverbs_attr *a = &h->attrs[rnd(h->num_attrs)];

	switch (rnd(8)) {
	case 0:
		a->len = rnd(2) ? a->len + rnd(17) - 8 : odd_value();
		break;
	case 1:
		a->data = odd_value();
		break;
	case 2:
		a->attr_id = rnd(2) ? a->attr_id ^ 1U << rnd(16) : rnd(16);
		break;
	case 3:
		*a = h->attrs[rnd(h->num_attrs)];
		break;
	case 4:
		a->flags ^= 1 << rnd(16);
		break;
	default:
		/* short values are in the attribute itself */
		if (a->len > sizeof(a->data) && a->len <= 4096 && a->data)
			alter_octets((void *)(uintptr_t)a->data, a->len);
		else
			alter_octets(&a->data, sizeof(a->data));
	}
}

static void alter_ioctl(struct ib_uverbs_ioctl_hdr *h)
{
	switch (rnd(12)) {
	case 0:
		h->object_id = rnd(2) ? rnd(24) : odd_value();
		break;
	case 1:
		h->method_id = rnd(2) ? rnd(12) : odd_value();
		break;
	case 2:
		h->num_attrs = rnd(h->num_attrs + 1);
		h->length = sizeof(*h) + h->num_attrs * sizeof(h->attrs[0]);
		break;
	case 3:
		alter_octets(h, sizeof(*h));
		break;
	default:
		if (h->num_attrs)
			alter_attr(h);
	}
}

/* Reads past what the command says end in its page: what comes is no secret. */
int ioctl(int fd, unsigned long request, ...)
{
	bool alter = armed && request == RDMA_VERBS_IOCTL && rnd(2);
	va_list ap;
	void *arg;
	int rv;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (alter) {
		alter_ioctl(arg);
		if (!rnd(4))
			alter_ioctl(arg);
		counts->altered++;
	}
	rv = syscall(SYS_ioctl, fd, request, arg);
	if (alter && !rv)
		counts->taken++;
	return rv;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	bool alter = armed && fd > 2 && len >= 8 && len < 4096 && rnd(2);
	uint8_t copy[4096 + 64] = { 0 };
	ssize_t rv;

	if (!alter)
		return syscall(SYS_write, fd, buf, len);
	memcpy(copy, buf, len);
	alter_octets(copy, rnd(4) ? len : 8);
	if (!rnd(6))
		len = len + rnd(33) - 16;
	counts->altered++;
	rv = syscall(SYS_write, fd, copy, len);
	if (rv > 0)
		counts->taken++;
	return rv;
}

/* --- a session --------------------------------------------------------------- */

static struct ibv_context *ctx;
static struct ibv_comp_channel *channel;
static struct ibv_pd *pds[SLOTS];
static struct ibv_cq *cqs[SLOTS];
static struct ibv_srq *srqs[SLOTS];
static struct ibv_qp *qps[SLOTS];
static struct ibv_mr *mrs[SLOTS];
static struct ibv_mw *mws[SLOTS];
static struct ibv_dm *dms[SLOTS];
static uint8_t *memory;

/* Where an object is, if there is any. */
static void *pick(void *set)
{
	void **objects = set;
	unsigned int i = rnd(SLOTS), n;

	for (n = 0; n < SLOTS && !objects[i]; n++)
		i = (i + 1) % SLOTS;
	return &objects[i];
}

#define ANY(set)	((*(__typeof__(set) *)pick(set))[0])
#define PUT(set, make)							\
	do {								\
		__auto_type slot_ = &(set)[rnd(SLOTS)];			\
									\
		if (!*slot_)						\
			*slot_ = (make);				\
	} while (0)
#define DROP(set, undo)							\
	do {								\
		__auto_type slot_ = &ANY(set);				\
									\
		if (*slot_) {						\
			undo(*slot_);					\
			*slot_ = NULL;					\
		}							\
	} while (0)

static void do_create_srq(void)
{
	struct ibv_srq_init_attr ia = { .attr = { .max_wr = 1 + rnd(64),
						  .max_sge = 1 + rnd(4) } };
	struct ibv_pd *pd = ANY(pds);

	if (pd)
		PUT(srqs, ibv_create_srq(pd, &ia));
}

static void do_create_qp(void)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = rnd(8) ? IBV_QPT_RC : 2 + rnd(8),
		.send_cq = ANY(cqs), .recv_cq = ANY(cqs),
		.srq = rnd(3) ? NULL : ANY(srqs), .sq_sig_all = rnd(2),
		.cap = { .max_send_wr = rnd(64), .max_recv_wr = rnd(64),
			 .max_send_sge = 1 + rnd(4),
			 .max_recv_sge = 1 + rnd(4) },
	};
	struct ibv_pd *pd = ANY(pds);

	if (pd && ia.send_cq && ia.recv_cq)
		PUT(qps, ibv_create_qp(pd, &ia));
}

static void do_modify_qp(void)
{
	struct ibv_qp_attr a = {
		.qp_state = rnd(7), .port_num = 1, .path_mtu = IBV_MTU_1024,
		.dest_qp_num = rnd(64), .max_rd_atomic = rnd(20),
		.max_dest_rd_atomic = rnd(20),
		.ah_attr = { .is_global = 1, .port_num = 1,
			     .grh = { .sgid_index = rnd(4) } },
	};
	struct ibv_qp *qp = ANY(qps);
	int mask = IBV_QP_STATE;

	if (a.qp_state == IBV_QPS_INIT)
		mask |= IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS;
	if (a.qp_state == IBV_QPS_RTR)
		mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
			IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			IBV_QP_MIN_RNR_TIMER;
	if (qp)
		ibv_modify_qp(qp, &a, rnd(4) ? mask : (int)rnd(1 << 22));
}

static void do_query_qp(void)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp *qp = ANY(qps);
	struct ibv_qp_attr a;

	if (qp)
		ibv_query_qp(qp, &a, rnd(1 << 21), &ia);
}

static void do_reg_mr(void)
{
	struct ibv_pd *pd = ANY(pds);
	size_t off = rnd(MEMORY / 2);

	if (pd)
		PUT(mrs, ibv_reg_mr_iova(pd, memory + off, rnd(MEMORY / 2),
					 rnd(2) ? off : odd_value(),
					 rnd(2) ? RW_ACCESS : rnd(512)));
}

static void do_rereg_mr(void)
{
	struct ibv_mr *mr = ANY(mrs);

	if (mr)
		ibv_rereg_mr(mr, rnd(8), ANY(pds), memory + rnd(MEMORY / 2),
			     rnd(MEMORY / 2), rnd(16));
}

static void do_cq(void)
{
	struct ibv_cq *cq = ANY(cqs);

	if (rnd(2))
		PUT(cqs, ibv_create_cq(ctx, 1 + rnd(200), NULL,
				       rnd(2) ? channel : NULL, 0));
	else if (cq && rnd(2))
		ibv_resize_cq(cq, 1 + rnd(500));
	else if (cq)
		ibv_req_notify_cq(cq, rnd(2));
}

static void do_cq_ex(void)
{
	struct ibv_cq_init_attr_ex ia = {
		.cqe = 1 + rnd(100), .wc_flags = rnd(1 << 12),
		.comp_mask = rnd(4), .flags = rnd(4),
	};
	struct ibv_modify_cq_attr ma = {
		.attr_mask = 1, .moderate = { rnd(65536), rnd(65536) },
	};
	struct ibv_cq *cq = ANY(cqs);

	if (rnd(2))
		PUT(cqs, (struct ibv_cq *)ibv_create_cq_ex(ctx, &ia));
	else if (cq)
		ibv_modify_cq(cq, &ma);
}

static void do_srq(void)
{
	struct ibv_srq_attr a = { .max_wr = rnd(200), .srq_limit = rnd(200) };
	struct ibv_srq *srq = ANY(srqs);

	if (srq && rnd(2))
		ibv_modify_srq(srq, &a, rnd(4));
	else if (srq)
		ibv_query_srq(srq, &a);
}

static void do_dm(void)
{
	struct ibv_alloc_dm_attr da = { .length = rnd(3 * 65536) };
	struct ibv_dm *dm = ANY(dms);
	struct ibv_pd *pd = ANY(pds);

	switch (rnd(3)) {
	case 0:
		PUT(dms, ibv_alloc_dm(ctx, &da));
		break;
	case 1:
		if (dm)
			ibv_memcpy_to_dm(dm, rnd(65536), memory, rnd(65536));
		break;
	default:
		if (dm && pd)
			PUT(mrs, ibv_reg_dm_mr(pd, dm, rnd(4096), rnd(65536),
					       IBV_ACCESS_ZERO_BASED |
					       IBV_ACCESS_LOCAL_WRITE));
	}
}

static void do_query(void)
{
	struct ibv_device_attr_ex da;
	struct ibv_gid_entry ge[8];
	struct ibv_port_attr pa;
	union ibv_gid gid;

	switch (rnd(4)) {
	case 0:
		ibv_query_device_ex(ctx, NULL, &da);
		break;
	case 1:
		ibv_query_port(ctx, rnd(3), &pa);
		break;
	case 2:
		ibv_query_gid(ctx, 1, rnd(12), &gid);
		break;
	default:
		ibv_query_gid_table(ctx, ge, ARRAY_SIZE(ge), 0);
	}
}

/* Verbs this transport has not, or has only in part. */
static void do_foreign(void)
{
	struct ibv_counters_init_attr ca = { 0 };
	struct ibv_ah_attr aa = { .port_num = 1, .is_global = 1 };
	struct ibv_sge sge = { (uintptr_t)memory, 4096, 1 };
	struct ibv_xrcd_init_attr xa = { .comp_mask = 3, .fd = -1,
					 .oflags = O_CREAT };
	union ibv_gid gid = { .raw = { 0xff } };
	struct ibv_pd *pd = ANY(pds);
	struct ibv_qp *qp = ANY(qps);

	switch (rnd(6)) {
	case 0:
		if (pd)
			ibv_create_ah(pd, &aa);
		break;
	case 1:
		if (qp)
			ibv_attach_mcast(qp, &gid, 0);
		break;
	case 2:
		ibv_create_counters(ctx, &ca);
		break;
	case 3:
		ibv_open_xrcd(ctx, &xa);
		break;
	case 4:
		if (pd)
			ibv_advise_mr(pd, rnd(3), 0, &sge, 1);
		break;
	default:
		if (pd)
			PUT(mrs, ibv_reg_dmabuf_mr(pd, 0, 4096, 0,
						   channel ? channel->fd : 1,
						   RW_ACCESS));
	}
}

static void do_alloc(void)
{
	struct ibv_pd *pd = ANY(pds);

	if (rnd(2))
		PUT(pds, ibv_alloc_pd(ctx));
	else if (pd)
		PUT(mws, ibv_alloc_mw(pd, 1 + rnd(2)));
}

static void do_drop(void)
{
	switch (rnd(7)) {
	case 0:
		DROP(pds, ibv_dealloc_pd);
		break;
	case 1:
		DROP(cqs, ibv_destroy_cq);
		break;
	case 2:
		DROP(srqs, ibv_destroy_srq);
		break;
	case 3:
		DROP(qps, ibv_destroy_qp);
		break;
	case 4:
		DROP(mrs, ibv_dereg_mr);
		break;
	case 5:
		DROP(mws, ibv_dealloc_mw);
		break;
	default:
		DROP(dms, ibv_free_dm);
	}
}

/* Whatever is mapped may be read and written. */
static void do_mmap(void)
{
	size_t len = 4096 * (size_t)(1 + rnd(1 + rnd(16)));
	int prot = rnd(8);
	uint64_t off = rnd(4) ? (uint64_t)rnd(24) << 12 :
		odd_value() & ~(uint64_t)4095;
	uint8_t *p;

	counts->maps++;
	p = mmap(NULL, len, prot, rnd(4) ? MAP_SHARED : MAP_PRIVATE,
		 ctx->cmd_fd, off);
	if (p == MAP_FAILED)
		return;
	counts->mapped++;
	if (prot & PROT_WRITE)
		p[rnd(len)] = rnd(256);
	else if (prot & PROT_READ)
		alter_octets(memory, p[rnd(len)]);
	if (rnd(2))
		munmap(p, len);
	else if (rnd(2))
		mremap(p, len, len * 2, MREMAP_MAYMOVE);
}

static void (* const calls[])(void) = {
	do_alloc, do_alloc, do_cq, do_cq, do_cq_ex, do_create_srq, do_srq,
	do_create_qp, do_create_qp, do_modify_qp, do_modify_qp, do_query_qp,
	do_reg_mr, do_reg_mr, do_rereg_mr, do_dm, do_query, do_foreign,
	do_drop, do_drop, do_mmap, do_mmap,
};

static void session(const char *device)
{
	struct rlimit rl = { 512 << 20, 512 << 20 };
	int i;

	setrlimit(RLIMIT_AS, &rl);
	ctx = dev_open(device);
	channel = ibv_create_comp_channel(ctx);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	PUT(pds, ibv_alloc_pd(ctx));
	PUT(cqs, ibv_create_cq(ctx, 64, NULL, NULL, 0));
	armed = true;
	for (i = 0; i < CALLS; i++) {
		counts->calls++;
		calls[rnd(ARRAY_SIZE(calls))]();
	}
	if (rnd(2))
		for (i = 0; i < CALLS; i++) {
			counts->calls++;
			do_drop();
		}
	_exit(0);
}

/* --- the sessions -------------------------------------------------------------- */

/*
 * libibverbs believes the answer to a destroy how many events there were, and waits
 * for as many: for ever, if the answer was altered.
 */
static bool waits_in_library(pid_t pid)
{
	char path[40];
	long nr = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "r");
	CHECK(f);
	if (fscanf(f, "%ld", &nr) != 1)
		nr = -1;
	fclose(f);
	return nr == SYS_futex;
}

static void one(const char *device, uint64_t seed)
{
	uint64_t patience = 20000 * slow_factor(), quiet, last = now_ms();
	bool waits = false, killed = false;
	unsigned long calls = 0;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		state = seed * 0x9e3779b97f4a7c15 + 1;
		session(device);
	}
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (calls != counts->calls) {
			calls = counts->calls;
			last = now_ms();
		}
		quiet = now_ms() - last;
		if (quiet > 2 * patience)
			FAIL("the session of seed %llu cannot be ended",
			     (unsigned long long)seed);
		if (!killed && quiet > patience / 10) {
			waits = waits_in_library(pid);
			killed = waits || quiet > patience;
			if (killed)
				kill(pid, SIGKILL);
		}
		usleep(1000);
	}
	counts->sessions++;
	counts->waits += waits;
	counts->crashes += WIFSIGNALED(status) && !killed;
	if (killed && !waits && WIFSIGNALED(status))
		FAIL("the session of seed %llu hangs",
		     (unsigned long long)seed);
}

int main(int argc, char **argv)
{
	uint64_t seed, end;

	if (argc != 4) {
		fputs("usage: uverbs_fuzz DEVICE SEED SECONDS\n", stderr);
		return KSFT_FAIL;
	}
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counts != MAP_FAILED);
	seed = strtoull(argv[2], NULL, 10);
	end = now_ms() + 1000 * atoi(argv[3]);
	do
		one(argv[1], seed++);
	while (now_ms() < end);
	printf("%lu sessions, %lu crashed, %lu waited, %lu calls, %lu of %lu maps; ",
	       counts->sessions, counts->crashes, counts->waits,
	       counts->calls, counts->mapped, counts->maps);
	printf("%lu altered commands, %lu taken\n", counts->altered,
	       counts->taken);
	/* a random offset seldom is one that can be mapped */
	if (!counts->taken || counts->taken == counts->altered ||
	    counts->waits == counts->sessions)
		FAIL("this cannot be");
	return 0;
}
