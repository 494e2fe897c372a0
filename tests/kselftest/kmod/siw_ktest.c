// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A user of the verbs inside the kernel, for kernel.sh: what processes reach by
 * other paths (fast registration, local_dma_lkey, CQs that the core polls) or
 * not with each provider (atomics, immediate data).
 *
 *	insmod siw_ktest.ko addr=10.0.0.1 test=atomic|refused|data|bw|lat
 *
 * runs one test between two queue pairs of the device that has the address, in
 * the network namespace of insmod, and ends with 0 or an error. What it found
 * out is in /sys/module/siw_ktest/parameters/result. How it failed is said by
 * pr_info(), as a louder word would look like a complaint of the kernel.
 */
#define pr_fmt(fmt) "siw_ktest: " fmt

#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_cm.h>

#define KT_WAIT_MS	10000
#define KT_WAIT		msecs_to_jiffies(KT_WAIT_MS)
#define KT_DEPTH	128	/* requests under way */
#define KT_RECVS	64
#define KT_EVERY	16	/* one of so many is signalled */
#define KT_MAX_SIZE	SZ_1M
#define KT_READS	16	/* Reads and atomics under way */
#define KT_IMM		0xcafe1234
#define KT_RIGHTS	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_READ | \
			 IB_ACCESS_REMOTE_WRITE)
#define KT_ALL_RIGHTS	(KT_RIGHTS | IB_ACCESS_REMOTE_ATOMIC)

static char *addr;
module_param(addr, charp, 0444);
MODULE_PARM_DESC(addr, "IPv4 address of the device");
static ushort port = 7400;
module_param(port, ushort, 0444);
MODULE_PARM_DESC(port, "first TCP port to listen on");
static char *test = "data";
module_param(test, charp, 0444);
MODULE_PARM_DESC(test, "atomic, refused, data, chain, bw or lat");
static uint size = 64;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "octets a message, for bw and lat");
static uint count = 1000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "messages, for bw and lat");
static char result[64];
module_param_string(result, result, sizeof(result), 0444);
MODULE_PARM_DESC(result, "what came out");

struct kt_mem {
	void *p;
	u32 len;
	u64 dma;
};

/*
 * A kind of request, of which several may be under way. Part of what outlives
 * the queue pair: after a timeout completions still come.
 */
struct kt_op {
	struct ib_cqe cqe;
	struct completion done;
	uint count;		/* in place of @done where time matters */
	struct ib_wc wc;	/* the last one, or the first that failed */
};

struct kt_end {
	struct rdma_cm_id *id;
	struct ib_cq *cq;
	struct completion event;
	int status;
	bool up;
	struct kt_mem mem;
	struct kt_op send, recv;
	unsigned long heard;	/* jiffies */
};

struct kt_pair {
	enum ib_poll_context poll;
	struct rdma_cm_id *listener;
	struct kt_end client, server;
	struct ib_mr *mr;	/* all of the server's memory */
	struct work_struct pong;
	int pong_status;
	u64 ns;			/* that the exchange took */
};

/* One for all pairs: each may use what another has registered. */
static struct ib_pd *kt_pd;

static int kt_eq(const char *what, u64 got, u64 want)
{
	if (got == want)
		return 0;
	pr_info("%s: %#llx, not %#llx\n", what, got, want);
	return -EBADMSG;
}

/* -------------------------------------------------------------- completions */

static void kt_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct kt_op *op = container_of(wc->wr_cqe, struct kt_op, cqe);

	if (op->wc.status == IB_WC_SUCCESS)
		op->wc = *wc;
	complete(&op->done);
}

static void kt_counted(struct ib_cq *cq, struct ib_wc *wc)
{
	struct kt_op *op = container_of(wc->wr_cqe, struct kt_op, cqe);

	if (wc->status != IB_WC_SUCCESS)
		op->wc = *wc;
	op->count++;
}

static void kt_arm(struct kt_op *op)
{
	reinit_completion(&op->done);
	memset(&op->wc, 0, sizeof(op->wc));
	op->count = 0;
}

/* One look at a CQ that nobody else polls; an error after 10 s of silence. */
static int kt_poll(struct kt_end *e)
{
	if (ib_process_cq_direct(e->cq, KT_EVERY) > 0) {
		e->heard = jiffies;
		return e->send.wc.status || e->recv.wc.status ? -EIO : 0;
	}
	if (time_after(jiffies, e->heard + KT_WAIT))
		return -ETIMEDOUT;
	cond_resched();
	return 0;
}

static bool kt_wait_done(struct kt_end *e, struct kt_op *op)
{
	unsigned long end = jiffies + KT_WAIT;

	if (e->cq->poll_ctx != IB_POLL_DIRECT)
		return wait_for_completion_timeout(&op->done, KT_WAIT);
	while (!try_wait_for_completion(&op->done)) {
		if (time_after(jiffies, end))
			return false;
		ib_process_cq_direct(e->cq, KT_EVERY);
		cond_resched();
	}
	return true;
}

/* The next completion of @op must have this status. */
static int kt_expect(struct kt_end *e, struct kt_op *op, const char *what,
		     enum ib_wc_status status)
{
	if (!kt_wait_done(e, op)) {
		pr_info("%s: no completion\n", what);
		return -ETIMEDOUT;
	}
	if (op->wc.status == status)
		return 0;
	pr_info("%s: %s, not %s\n", what, ib_wc_status_msg(op->wc.status),
		ib_wc_status_msg(status));
	return -EIO;
}

/* -------------------------------------------------------------- connections */

static int kt_event(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct kt_end *e = id->context;

	switch (event->event) {
	case RDMA_CM_EVENT_ESTABLISHED:
		e->up = true;
		fallthrough;
	case RDMA_CM_EVENT_ADDR_RESOLVED:
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
	case RDMA_CM_EVENT_TIMEWAIT_EXIT:
	case RDMA_CM_EVENT_ADDR_CHANGE:
		return 0;
	default:
		pr_info("%s, status %d\n", rdma_event_msg(event->event),
			event->status);
		e->status = event->status < 0 ? event->status : -ECONNABORTED;
	}
	complete(&e->event);
	return 0;
}

static int kt_wait_event(struct kt_end *e)
{
	if (wait_for_completion_timeout(&e->event, KT_WAIT))
		return e->status;
	pr_info("no event of rdma_cm\n");
	return -ETIMEDOUT;
}

static int kt_mem_open(struct kt_mem *m)
{
	m->len = max_t(u32, PAGE_ALIGN(size), SZ_64K);
	m->p = kzalloc(m->len, GFP_KERNEL);
	if (!m->p)
		return -ENOMEM;
	m->dma = ib_dma_map_single(kt_pd->device, m->p, m->len,
				   DMA_BIDIRECTIONAL);
	if (!ib_dma_mapping_error(kt_pd->device, m->dma))
		return 0;
	kfree(m->p);
	m->p = NULL;
	return -ENOMEM;
}

static void kt_mem_close(struct kt_mem *m)
{
	if (!m->p)
		return;
	ib_dma_unmap_single(kt_pd->device, m->dma, m->len, DMA_BIDIRECTIONAL);
	kfree(m->p);
	m->p = NULL;
}

static int kt_qp_open(struct kt_end *e, enum ib_poll_context poll)
{
	struct ib_qp_init_attr attr = {
		/* ib_drain_qp() wants one more of each */
		.cap = { .max_send_wr = KT_DEPTH + 1,
			 .max_recv_wr = KT_RECVS + 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.sq_sig_type = IB_SIGNAL_REQ_WR,
		.qp_type = IB_QPT_RC,
	};

	e->cq = ib_alloc_cq(e->id->device, NULL, KT_DEPTH + KT_RECVS + 2, 0,
			    poll);
	if (IS_ERR(e->cq)) {
		int rv = PTR_ERR(e->cq);

		e->cq = NULL;
		return rv;
	}
	attr.send_cq = e->cq;
	attr.recv_cq = e->cq;
	return kt_mem_open(&e->mem) ?: rdma_create_qp(e->id, kt_pd, &attr);
}

static void kt_qp_close(struct kt_end *e)
{
	if (e->id && e->id->qp) {
		if (e->up)
			ib_drain_qp(e->id->qp);
		rdma_destroy_qp(e->id);
	}
	if (e->cq)
		ib_free_cq(e->cq);
	e->cq = NULL;
	kt_mem_close(&e->mem);
}

static struct rdma_conn_param kt_param = {
	.responder_resources = KT_READS,
	.initiator_depth = KT_READS,
};

/* A new id that is refused is destroyed by rdma_cm, but only the id. */
static int kt_accept(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct kt_pair *p = id->context;
	int rv;

	if (event->event != RDMA_CM_EVENT_CONNECT_REQUEST)
		return 0;
	if (p->server.id || id->device != kt_pd->device)
		return -EBUSY;
	p->server.id = id;
	id->context = &p->server;
	id->event_handler = kt_event;
	rv = kt_qp_open(&p->server, p->poll) ?: rdma_accept(id, &kt_param);
	if (rv) {
		pr_info("not accepted: %d\n", rv);
		kt_qp_close(&p->server);
		p->server.id = NULL;
	}
	return rv;
}

static int kt_id_open(struct rdma_cm_id **to, rdma_cm_event_handler handler,
		      void *context)
{
	struct rdma_cm_id *id = rdma_create_id(current->nsproxy->net_ns,
					       handler, context, RDMA_PS_TCP,
					       IB_QPT_RC);

	if (IS_ERR(id))
		return PTR_ERR(id);
	*to = id;
	return 0;
}

static int kt_pd_open(struct ib_device *device)
{
	struct ib_pd *pd;

	if (kt_pd)
		return kt_pd->device == device ? 0 : -EXDEV;
	pd = ib_alloc_pd(device, 0);
	if (IS_ERR(pd))
		return PTR_ERR(pd);
	kt_pd = pd;
	return 0;
}

static int kt_connect(struct kt_pair *p, struct sockaddr *to)
{
	struct kt_end *e = &p->client;
	int rv;

	rv = kt_id_open(&e->id, kt_event, e) ?:
	     rdma_resolve_addr(e->id, NULL, to, KT_WAIT_MS) ?:
	     kt_wait_event(e) ?:
	     rdma_resolve_route(e->id, KT_WAIT_MS) ?: kt_wait_event(e);
	if (rv)
		return rv;
	return kt_pd_open(e->id->device) ?: kt_qp_open(e, p->poll) ?:
	       rdma_connect(e->id, &kt_param) ?: kt_wait_event(e) ?:
	       kt_wait_event(&p->server);
}

/* Fast registration of the server's memory, by the server. */
static int kt_register(struct kt_pair *p, int access)
{
	struct kt_mem *m = &p->server.mem;
	struct kt_op *op = &p->server.send;
	struct ib_reg_wr wr = {
		.wr = { .opcode = IB_WR_REG_MR, .wr_cqe = &op->cqe,
			.send_flags = IB_SEND_SIGNALED },
		.access = access,
	};
	struct scatterlist sg;
	struct ib_mr *mr;

	mr = ib_alloc_mr(kt_pd, IB_MR_TYPE_MEM_REG, m->len / PAGE_SIZE);
	if (IS_ERR(mr))
		return PTR_ERR(mr);
	p->mr = mr;
	sg_init_one(&sg, m->p, m->len);
	sg_dma_address(&sg) = m->dma;
	sg_dma_len(&sg) = m->len;
	if (ib_map_mr_sg(mr, &sg, 1, NULL, PAGE_SIZE) != 1)
		return -EINVAL;
	ib_update_fast_reg_key(mr, ib_inc_rkey(mr->rkey));
	wr.mr = mr;
	wr.key = mr->rkey;
	kt_arm(op);
	return ib_post_send(p->server.id->qp, &wr.wr, NULL) ?:
	       kt_expect(&p->server, op, "fast registration", IB_WC_SUCCESS);
}

static void kt_op_init(struct kt_op *op)
{
	init_completion(&op->done);
	op->cqe.done = kt_done;
}

static void kt_end_init(struct kt_end *e)
{
	init_completion(&e->event);
	kt_op_init(&e->send);
	kt_op_init(&e->recv);
}

static void kt_pair_close(struct kt_pair *p)
{
	if (!p)
		return;
	/* first, so that nobody gives us a server any more */
	if (p->listener)
		rdma_destroy_id(p->listener);
	if (p->client.up)
		rdma_disconnect(p->client.id);
	kt_qp_close(&p->client);
	kt_qp_close(&p->server);
	if (p->mr)
		ib_dereg_mr(p->mr);
	if (p->client.id)
		rdma_destroy_id(p->client.id);
	if (p->server.id)
		rdma_destroy_id(p->server.id);
	kfree(p);
}

/* The @n-th connection to ourselves, its server's memory with these rights. */
static struct kt_pair *kt_pair_open(int n, enum ib_poll_context poll,
				    int access)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port + n) };
	struct kt_pair *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int rv;

	if (!p)
		return NULL;
	kt_end_init(&p->client);
	kt_end_init(&p->server);
	p->poll = poll;
	if (!in4_pton(addr, -1, (u8 *)&sin.sin_addr.s_addr, -1, NULL))
		rv = -EINVAL;
	else
		rv = kt_id_open(&p->listener, kt_accept, p) ?:
		     rdma_bind_addr(p->listener, (struct sockaddr *)&sin) ?:
		     rdma_listen(p->listener, 1) ?:
		     kt_connect(p, (struct sockaddr *)&sin) ?:
		     kt_register(p, access);
	if (!rv)
		return p;
	pr_info("no connection to %s port %d: %d\n", addr, port + n, rv);
	kt_pair_close(p);
	return NULL;
}

/* ------------------------------------------------------------------ atomics */

struct kt_atomic {
	enum ib_wr_opcode opcode;
	u64 compare_add, swap;
	const struct kt_pair *to;	/* whose memory */
	u32 off;
};

static int kt_post_atomic(struct kt_pair *p, const struct kt_atomic *a)
{
	struct ib_sge sge = { .addr = p->client.mem.dma, .length = sizeof(u64),
			      .lkey = kt_pd->local_dma_lkey };
	struct ib_atomic_wr wr = {
		.wr = { .opcode = a->opcode, .sg_list = &sge, .num_sge = 1,
			.wr_cqe = &p->client.send.cqe,
			.send_flags = IB_SEND_SIGNALED },
		.remote_addr = a->to->mr->iova + a->off,
		.rkey = a->to->mr->rkey,
		.compare_add = a->compare_add,
		.swap = a->swap,
	};

	return ib_post_send(p->client.id->qp, &wr.wr, NULL);
}

/* One atomic of the word at the start: what was there, and is there then. */
static int kt_one_atomic(struct kt_pair *p, enum ib_wr_opcode opcode,
			 u64 compare_add, u64 swap, u64 was, u64 is)
{
	bool add = opcode == IB_WR_ATOMIC_FETCH_AND_ADD;
	struct kt_atomic a = { opcode, compare_add, swap, p };
	u64 *old = p->client.mem.p, *word = p->server.mem.p;

	*old = ~was;
	kt_arm(&p->client.send);
	return kt_post_atomic(p, &a) ?:
	       kt_expect(&p->client, &p->client.send, "atomic",
			 IB_WC_SUCCESS) ?:
	       kt_eq("opcode", p->client.send.wc.opcode,
		     add ? IB_WC_FETCH_ADD : IB_WC_COMP_SWAP) ?:
	       kt_eq("value returned", READ_ONCE(*old), was) ?:
	       kt_eq("value left", READ_ONCE(*word), is);
}

/* Adds by two queue pairs, eight of each under way. */
static int kt_sum(struct kt_pair *a, struct kt_pair *b)
{
	struct kt_atomic add[2] = {
		{ IB_WR_ATOMIC_FETCH_AND_ADD, 1, 0, a },
		{ IB_WR_ATOMIC_FETCH_AND_ADD, 1ULL << 32, 0, a },
	};
	struct kt_pair *by[2] = { a, b };
	u64 *word = a->server.mem.p;
	int i, k, rv = 0;

	*word = 0;
	kt_arm(&a->client.send);
	kt_arm(&b->client.send);
	for (i = 0; i < 500 + 8 && !rv; i++) {
		for (k = 0; k < 2 && !rv; k++) {
			struct kt_end *e = &by[k]->client;

			if (i >= 8)
				rv = kt_expect(e, &e->send, "one of many adds",
					       IB_WC_SUCCESS);
			if (!rv && i < 500)
				rv = kt_post_atomic(by[k], &add[k]);
		}
	}
	return rv ?: kt_eq("sum", READ_ONCE(*word), 500 * ((1ULL << 32) + 1));
}

static int kt_atomics(struct kt_pair *p)
{
	const enum ib_wr_opcode add = IB_WR_ATOMIC_FETCH_AND_ADD;
	const enum ib_wr_opcode cas = IB_WR_ATOMIC_CMP_AND_SWP;
	u64 *word = p->server.mem.p, high = 0x8877665544332211;

	*word = 5;
	return kt_one_atomic(p, add, 7, 0, 5, 12) ?:
	       kt_one_atomic(p, cas, 12, high, 12, high) ?:
	       /* does not compare */
	       kt_one_atomic(p, cas, 12, 1, high, high) ?:
	       kt_one_atomic(p, cas, high + 1, 1, high, high) ?:
	       kt_one_atomic(p, add, -high - 1, 0, high, -1) ?:
	       kt_one_atomic(p, add, 1, 0, -1, 0) ?:
	       kt_eq("word behind", word[1], 0);
}

static int kt_test_atomic(void)
{
	struct kt_pair *a = kt_pair_open(0, IB_POLL_SOFTIRQ, KT_ALL_RIGHTS);
	struct kt_pair *b = kt_pair_open(1, IB_POLL_WORKQUEUE, KT_RIGHTS);
	int rv = -ENOTCONN;

	if (a && b)
		rv = kt_atomics(a) ?: kt_sum(a, b);
	kt_pair_close(b);
	kt_pair_close(a);
	return rv;
}

/* An atomic that must end with this status and change nothing. */
static int kt_refused(const char *what, int access, u32 off,
		      enum ib_wc_status status)
{
	struct kt_pair *p = kt_pair_open(0, IB_POLL_SOFTIRQ, access);
	struct kt_atomic a = { IB_WR_ATOMIC_FETCH_AND_ADD, 1, 0, p, off };
	int rv;

	if (!p)
		return -ENOTCONN;
	kt_arm(&p->client.send);
	rv = kt_post_atomic(p, &a) ?:
	     kt_expect(&p->client, &p->client.send, what, status) ?:
	     kt_eq(what, !!memchr_inv(p->server.mem.p, 0, p->server.mem.len),
		   0);
	kt_pair_close(p);
	return rv;
}

static int kt_test_refused(void)
{
	u32 len = max_t(u32, PAGE_ALIGN(size), SZ_64K);

	return kt_refused("unaligned", KT_ALL_RIGHTS, 4,
			  IB_WC_REM_INV_REQ_ERR) ?:
	       kt_refused("no right", KT_RIGHTS, 0, IB_WC_REM_ACCESS_ERR) ?:
	       kt_refused("beyond the end", KT_ALL_RIGHTS, len,
			  IB_WC_REM_ACCESS_ERR);
}

/* --------------------------------------------------------------------- data */

static int kt_post_recv(struct kt_end *e, u32 len)
{
	struct ib_sge sge = { .addr = e->mem.dma, .length = len,
			      .lkey = kt_pd->local_dma_lkey };
	struct ib_recv_wr wr = { .wr_cqe = &e->recv.cqe, .sg_list = &sge,
				 .num_sge = len ? 1 : 0 };

	return ib_post_recv(e->id->qp, &wr, NULL);
}

/* A message of any kind from memory to memory, and another one behind it. */
static int kt_post(struct kt_pair *p, struct kt_end *e,
		   enum ib_wr_opcode opcode, u32 len, int flags,
		   struct ib_send_wr *next)
{
	struct ib_sge sge = { .addr = e->mem.dma, .length = len,
			      .lkey = kt_pd->local_dma_lkey };
	struct ib_rdma_wr wr = {
		.wr = { .opcode = opcode, .sg_list = &sge,
			.num_sge = len ? 1 : 0, .wr_cqe = &e->send.cqe,
			.send_flags = flags, .next = next },
		.remote_addr = p->mr->iova,
		.rkey = p->mr->rkey,
	};

	if (opcode == IB_WR_SEND_WITH_INV || opcode == IB_WR_LOCAL_INV)
		wr.wr.ex.invalidate_rkey = p->mr->rkey;
	else
		wr.wr.ex.imm_data = cpu_to_be32(KT_IMM);
	return ib_post_send(e->id->qp, &wr.wr, NULL);
}

/* Post it, and it must end so. */
static int kt_do(struct kt_pair *p, struct kt_end *e, enum ib_wr_opcode opcode,
		 u32 len, enum ib_wc_status status, const char *what)
{
	kt_arm(&e->send);
	return kt_post(p, e, opcode, len, IB_SEND_SIGNALED, NULL) ?:
	       kt_expect(e, &e->send, what, status);
}

static void kt_fill(struct kt_mem *m, u32 len, u8 seed)
{
	u8 *p = m->p;
	u32 i;

	for (i = 0; i < len; i++)
		p[i] = (i >> 8) * 13 + i * 7 + seed;
	memset(p + len, 0, m->len - len);
	ib_dma_sync_single_for_device(kt_pd->device, m->dma, m->len,
				      DMA_BIDIRECTIONAL);
}

static int kt_same(struct kt_pair *p, const char *what)
{
	struct kt_mem *a = &p->client.mem, *b = &p->server.mem;

	ib_dma_sync_single_for_cpu(kt_pd->device, a->dma, a->len,
				   DMA_BIDIRECTIONAL);
	ib_dma_sync_single_for_cpu(kt_pd->device, b->dma, b->len,
				   DMA_BIDIRECTIONAL);
	if (!memcmp(a->p, b->p, a->len))
		return 0;
	pr_info("%s: other data\n", what);
	return -EBADMSG;
}

static const struct kt_kind {
	enum ib_wr_opcode opcode;
	enum ib_wc_opcode received;
	const char *name;
	bool send, imm;
} kt_kinds[] = {
	{ IB_WR_SEND, IB_WC_RECV, "Send", true },
	{ IB_WR_SEND_WITH_IMM, IB_WC_RECV, "Send with immediate", true, true },
	{ IB_WR_RDMA_WRITE, IB_WC_RECV, "Write" },
	{ IB_WR_RDMA_WRITE_WITH_IMM, IB_WC_RECV_RDMA_WITH_IMM,
	  "Write with immediate", false, true },
};

/*
 * A message that the server gets to know of: a Write by an empty Send that is
 * posted with it.
 */
static int kt_move(struct kt_pair *p, const struct kt_kind *k, u32 len)
{
	struct kt_end *c = &p->client, *s = &p->server;
	struct ib_send_wr tail = { .opcode = IB_WR_SEND,
				   .wr_cqe = &c->send.cqe,
				   .send_flags = IB_SEND_SIGNALED };
	bool bare = k->opcode == IB_WR_RDMA_WRITE;
	int rv;

	kt_fill(&c->mem, len, len + k->opcode);
	kt_fill(&s->mem, 0, 0);
	kt_arm(&c->send);
	kt_arm(&s->recv);
	rv = kt_post_recv(s, k->send ? s->mem.len : 0) ?:
	     kt_post(p, c, k->opcode, len, bare ? 0 : IB_SEND_SIGNALED,
		     bare ? &tail : NULL) ?:
	     kt_expect(c, &c->send, k->name, IB_WC_SUCCESS) ?:
	     kt_expect(s, &s->recv, k->name, IB_WC_SUCCESS) ?:
	     kt_eq(k->name, s->recv.wc.opcode, k->received) ?:
	     kt_eq(k->name, s->recv.wc.wc_flags, k->imm ? IB_WC_WITH_IMM : 0);
	if (!rv && k->imm)
		rv = kt_eq(k->name, be32_to_cpu(s->recv.wc.ex.imm_data), KT_IMM);
	if (!rv && k->send)
		rv = kt_eq(k->name, s->recv.wc.byte_len, len);
	return rv ?: kt_same(p, k->name);
}

static int kt_read(struct kt_pair *p, u32 len)
{
	struct kt_end *c = &p->client;

	kt_fill(&p->server.mem, len, len);
	kt_fill(&c->mem, 0, 0);
	return kt_do(p, c, IB_WR_RDMA_READ, len, IB_WC_SUCCESS, "Read") ?:
	       kt_eq("Read", c->send.wc.opcode, IB_WC_RDMA_READ) ?:
	       kt_same(p, "Read");
}

static int kt_all_kinds(struct kt_pair *p)
{
	static const u32 lens[] = { 1, 64, 1448, 4097, SZ_64K };
	int i, k, rv = 0;

	for (i = 0; i < ARRAY_SIZE(lens) && !rv; i++) {
		for (k = 0; k < ARRAY_SIZE(kt_kinds) && !rv; k++)
			rv = kt_move(p, &kt_kinds[k], lens[i]);
		rv = rv ?: kt_read(p, lens[i]);
	}
	return rv;
}

/*
 * Afterwards nobody may read there: the connection ends by that. (A Write would
 * tell its sender nothing, it is done when it is sent.)
 */
static int kt_invalid(struct kt_pair *p)
{
	struct kt_mem *m = &p->client.mem;

	kt_fill(m, 0, 0);
	kt_fill(&p->server.mem, 64, 1);
	return kt_do(p, &p->client, IB_WR_RDMA_READ, 64, IB_WC_REM_ACCESS_ERR,
		     "Read of what is invalid") ?:
	       kt_eq("octets of it", !!memchr_inv(m->p, 0, m->len), 0);
}

static int kt_send_inv(struct kt_pair *p)
{
	struct kt_end *s = &p->server;
	const char *what = "Send with invalidate";

	kt_fill(&p->client.mem, 64, 2);
	kt_fill(&s->mem, 0, 0);
	kt_arm(&s->recv);
	return kt_post_recv(s, s->mem.len) ?:
	       kt_do(p, &p->client, IB_WR_SEND_WITH_INV, 64, IB_WC_SUCCESS,
		     what) ?:
	       kt_expect(s, &s->recv, what, IB_WC_SUCCESS) ?:
	       kt_eq(what, s->recv.wc.wc_flags, IB_WC_WITH_INVALIDATE) ?:
	       kt_eq(what, s->recv.wc.ex.invalidate_rkey, p->mr->rkey) ?:
	       kt_same(p, what) ?: kt_invalid(p);
}

static int kt_local_inv(struct kt_pair *p)
{
	return kt_do(p, &p->server, IB_WR_LOCAL_INV, 0, IB_WC_SUCCESS,
		     "local invalidation") ?:
	       kt_eq("its opcode", p->server.send.wc.opcode,
		     IB_WC_LOCAL_INV) ?:
	       kt_invalid(p);
}

/* Nothing succeeds behind a request that failed. */
static int kt_read_inv(struct kt_pair *p)
{
	return kt_do(p, &p->client, IB_WR_RDMA_READ_WITH_INV, 64,
		     IB_WC_LOC_QP_OP_ERR, "invalidation of the key of all") ?:
	       kt_do(p, &p->client, IB_WR_RDMA_READ, 64, IB_WC_WR_FLUSH_ERR,
		     "Read behind it");
}

static int kt_with_pair(enum ib_poll_context poll, int (*f)(struct kt_pair *p))
{
	struct kt_pair *p = kt_pair_open(0, poll, KT_RIGHTS);
	int rv = p ? f(p) : -ENOTCONN;

	kt_pair_close(p);
	return rv;
}

static int kt_test_data(void)
{
	return kt_with_pair(IB_POLL_SOFTIRQ, kt_all_kinds) ?:
	       kt_with_pair(IB_POLL_WORKQUEUE, kt_all_kinds) ?:
	       kt_with_pair(IB_POLL_DIRECT, kt_all_kinds) ?:
	       kt_with_pair(IB_POLL_SOFTIRQ, kt_send_inv) ?:
	       kt_with_pair(IB_POLL_SOFTIRQ, kt_local_inv) ?:
	       kt_with_pair(IB_POLL_SOFTIRQ, kt_read_inv);
}

/* ---------------------------------------------------------------- call chains */

/* Who posts just now; set by a handler that was called by it. */
static struct task_struct *kt_poster;
static bool kt_chained;

static void kt_called(struct ib_cq *cq, void *context)
{
	struct kt_end *e = context;

	if (!in_interrupt() && current == READ_ONCE(kt_poster))
		kt_chained = true;
	complete(&e->event);
}

/* One request to a queue pair in error; its completion's event is awaited. */
static int kt_flushed(struct kt_pair *p, bool recv, const char *what)
{
	struct kt_end *e = &p->client;
	struct kt_op *op = recv ? &e->recv : &e->send;
	int rv;

	kt_arm(op);
	reinit_completion(&e->event);
	ib_req_notify_cq(e->cq, IB_CQ_NEXT_COMP);
	WRITE_ONCE(kt_poster, current);
	rv = recv ? kt_post_recv(e, 64) :
		    kt_post(p, e, IB_WR_SEND, 64, IB_SEND_SIGNALED, NULL);
	WRITE_ONCE(kt_poster, NULL);
	if (!rv && !wait_for_completion_timeout(&e->event, KT_WAIT)) {
		pr_info("%s: no event\n", what);
		rv = -ETIMEDOUT;
	}
	return rv ?: kt_expect(e, op, what, IB_WC_WR_FLUSH_ERR);
}

/*
 * core_locking.rst: no handler is called from the call that gave it something to
 * tell. A queue pair in error completes at once what is posted.
 */
static int kt_chain(struct kt_pair *p)
{
	struct ib_qp_attr attr = { .qp_state = IB_QPS_ERR };
	struct kt_end *e = &p->client;
	void *context = e->cq->cq_context;
	ib_comp_handler handler = e->cq->comp_handler;
	int rv = ib_modify_qp(e->id->qp, &attr, IB_QP_STATE);

	e->cq->cq_context = e;
	e->cq->comp_handler = kt_called;
	kt_chained = false;
	rv = rv ?: kt_flushed(p, true, "receive") ?:
	     kt_flushed(p, false, "Send") ?:
	     kt_eq("calls from posting", kt_chained, 0);
	e->cq->comp_handler = handler;
	e->cq->cq_context = context;
	return rv;
}

static int kt_test_chain(void)
{
	return kt_with_pair(IB_POLL_DIRECT, kt_chain);
}

/* -------------------------------------------------------------------- speed */

static void kt_timed(struct kt_end *e)
{
	kt_arm(&e->send);
	kt_arm(&e->recv);
	e->send.cqe.done = kt_counted;
	e->recv.cqe.done = kt_counted;
	e->heard = jiffies;
}

/* Request number @i, from 0; so many are signalled in all: kt_signals(). */
static int kt_post_timed(struct kt_pair *p, struct kt_end *e,
			 enum ib_wr_opcode opcode, uint i)
{
	bool signal = i % KT_EVERY == KT_EVERY - 1 || i == count - 1;

	return kt_post(p, e, opcode, size, signal ? IB_SEND_SIGNALED : 0, NULL);
}

static uint kt_signals(void)
{
	return DIV_ROUND_UP(count, KT_EVERY);
}

static int kt_bw(struct kt_pair *p)
{
	struct kt_end *c = &p->client;
	uint posted = 0;
	u64 ns, rate;
	int rv = 0;

	kt_timed(c);
	ns = ktime_get_ns();
	while (!rv && c->send.count < kt_signals()) {
		if (posted < count &&
		    posted - c->send.count * KT_EVERY < KT_DEPTH)
			rv = kt_post_timed(p, c, IB_WR_RDMA_WRITE, posted++);
		else
			rv = kt_poll(c);
	}
	ns = ktime_get_ns() - ns;
	if (rv)
		return rv;
	/* octets a millisecond */
	rate = div64_u64((u64)size * count * NSEC_PER_MSEC, ns ?: 1);
	snprintf(result, sizeof(result), "%llu.%03llu MB/s", rate / 1000,
		 rate % 1000);
	return 0;
}

/* One end of the ping-pong; the one that begins is the client. */
static int kt_pingpong(struct kt_pair *p, struct kt_end *e)
{
	bool begins = e == &p->client;
	u64 ns = ktime_get_ns();
	int rv = 0;
	uint i;

	for (i = 0; i < count && !rv; i++) {
		if (begins)
			rv = kt_post_timed(p, e, IB_WR_SEND, i);
		while (!rv && e->recv.count <= i)
			rv = kt_poll(e);
		rv = rv ?: kt_post_recv(e, size);
		if (!begins)
			rv = rv ?: kt_post_timed(p, e, IB_WR_SEND, i);
	}
	if (begins)
		p->ns = ktime_get_ns() - ns;
	while (!rv && e->send.count < kt_signals())
		rv = kt_poll(e);
	return rv;
}

static void kt_pong(struct work_struct *work)
{
	struct kt_pair *p = container_of(work, struct kt_pair, pong);

	p->pong_status = kt_pingpong(p, &p->server);
}

/* Both at once, each on a CPU of its own as two processes would be. */
static int kt_both(struct kt_pair *p)
{
	uint cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	struct workqueue_struct *wq;
	int rv;

	wq = alloc_workqueue("siw_ktest", WQ_CPU_INTENSIVE, 0);
	if (!wq)
		return -ENOMEM;
	INIT_WORK(&p->pong, kt_pong);
	if (cpu >= nr_cpu_ids)
		cpu = WORK_CPU_UNBOUND;
	queue_work_on(cpu, wq, &p->pong);
	rv = kt_pingpong(p, &p->client);
	destroy_workqueue(wq);
	return rv ?: p->pong_status;
}

static int kt_lat(struct kt_pair *p)
{
	int i, rv = 0;

	kt_timed(&p->client);
	kt_timed(&p->server);
	for (i = 0; i < KT_RECVS / 2 && !rv; i++)
		rv = kt_post_recv(&p->client, size) ?:
		     kt_post_recv(&p->server, size);
	rv = rv ?: kt_both(p);
	if (!rv)
		snprintf(result, sizeof(result), "%llu ns",
			 div64_u64(p->ns, 2 * (u64)count));
	return rv;
}

static int kt_test_bw(void)
{
	return kt_with_pair(IB_POLL_DIRECT, kt_bw);
}

static int kt_test_lat(void)
{
	return kt_with_pair(IB_POLL_DIRECT, kt_lat);
}

/* ------------------------------------------------------------------- module */

static const struct {
	const char *name;
	int (*run)(void);
} kt_tests[] = {
	{ "atomic", kt_test_atomic },
	{ "refused", kt_test_refused },
	{ "data", kt_test_data },
	{ "chain", kt_test_chain },
	{ "bw", kt_test_bw },
	{ "lat", kt_test_lat },
};

static int __init kt_init(void)
{
	int i, rv = -EINVAL;

	if (!addr || !size || size > KT_MAX_SIZE || !count)
		return -EINVAL;
	strscpy(result, "ok", sizeof(result));
	for (i = 0; i < ARRAY_SIZE(kt_tests); i++) {
		if (!strcmp(test, kt_tests[i].name))
			rv = kt_tests[i].run();
	}
	if (kt_pd)
		ib_dealloc_pd(kt_pd);
	kt_pd = NULL;
	if (rv)
		pr_info("%s: failed, %d\n", test, rv);
	else
		pr_info("%s: %s\n", test, result);
	return rv;
}

static void __exit kt_exit(void)
{
}

module_init(kt_init);
module_exit(kt_exit);
MODULE_DESCRIPTION("Kernel verbs user that tests siw");
MODULE_LICENSE("Dual BSD/GPL");
