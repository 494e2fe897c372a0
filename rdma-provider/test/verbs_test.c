// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * usage: verbs_test ADDRESS
 *
 * The provider on a real kernel: one process connects to itself through
 * ADDRESS (an address of a siw device's netdev) and uses the verbs that stock
 * libsiw does not have or gets wrong. KTAP on stdout; what the kernel cannot
 * do is skipped.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <infiniband/verbs.h>
#include <poll.h>
#include <pthread.h>
#include <rdma/rdma_cma.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUF_SIZE 65536
#define WRS 64
#define CQES (4 * WRS)
#define TIMEOUT_S 20

struct end {
	struct rdma_cm_id *id;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_cq_ex *cq_ex;
	struct ibv_qp *qp;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	char *buf;
};

/* How the two ends of a connection are made */
struct how {
	bool ex;		/* ibv_create_qp_ex, ibv_create_cq_ex */
	bool srq;
	bool no_recv;		/* active side: max_recv_wr 0 */
	bool domain;		/* parent domain, thread domain, allocators */
	bool early_post;	/* post a send before connecting */
	bool timestamps;	/* completion timestamps */
	uint32_t max_sge;	/* send and receive SGEs, default 4 */
	uint32_t max_inline;	/* default 64 */
};

static const char *address;
static int test_no;
static int failures;
static char skip_reason[128];
static bool case_failed;

#define CHECK(cond) do { \
	if (!(cond)) { \
		printf("# %s:%d: %s (errno %d)\n", __func__, __LINE__, \
		       #cond, errno); \
		case_failed = true; \
	} \
} while (0)

/* For what the rest of a case cannot do without */
#define NEED(cond) do { \
	if (!(cond)) { \
		printf("# %s:%d: %s (errno %d)\n", __func__, __LINE__, \
		       #cond, errno); \
		case_failed = true; \
		return; \
	} \
} while (0)

static void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(skip_reason, sizeof(skip_reason), fmt, args);
	va_end(args);
}

/*
 * The application's allocator
 */

static int allocs, frees;

static void *my_alloc(struct ibv_pd *pd, void *ctx, size_t size,
		      size_t alignment, uint64_t type)
{
	void *p;

	(void)pd;
	CHECK(type >> 32 == RDMA_DRIVER_SIW);
	if (ctx != &allocs)
		return NULL;
	/* Every other time, to see that either memory is freed rightly */
	if (allocs++ & 1)
		return IBV_ALLOCATOR_USE_DEFAULT;
	if (posix_memalign(&p, alignment, size))
		return NULL;
	memset(p, 0xaa, size);
	return p;
}

static void my_free(struct ibv_pd *pd, void *ctx, void *ptr, uint64_t type)
{
	(void)pd;
	(void)ctx;
	(void)type;
	frees++;
	free(ptr);
}

/*
 * Objects of one end
 */

static int make_cq(struct end *e, const struct how *how)
{
	struct ibv_cq_init_attr_ex attr = {
		.cqe = CQES,
		.wc_flags = IBV_WC_STANDARD_FLAGS,
	};

	if (!how->ex) {
		e->cq = ibv_create_cq(e->id->verbs, CQES, NULL, NULL, 0);
		return e->cq ? 0 : -1;
	}
	if (how->domain) {
		attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD;
		attr.parent_domain = e->pd;
	}
	if (how->timestamps)
		attr.wc_flags |= IBV_WC_EX_WITH_COMPLETION_TIMESTAMP;
	e->cq_ex = ibv_create_cq_ex(e->id->verbs, &attr);
	if (!e->cq_ex)
		return -1;
	e->cq = ibv_cq_ex_to_cq(e->cq_ex);
	return 0;
}

static int make_srq(struct end *e)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = WRS, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_PD | IBV_SRQ_INIT_ATTR_TYPE,
		.srq_type = IBV_SRQT_BASIC,
		.pd = e->pd,
	};

	e->srq = ibv_create_srq_ex(e->id->verbs, &attr);
	return e->srq ? 0 : -1;
}

static int make_qp(struct end *e, const struct how *how, bool active)
{
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = e->cq,
		.recv_cq = e->cq,
		.srq = e->srq,
		.cap = { .max_send_wr = WRS, .max_recv_wr = WRS,
			 .max_send_sge = 4, .max_recv_sge = 4,
			 .max_inline_data = 64 },
		.qp_type = IBV_QPT_RC,
		.comp_mask = IBV_QP_INIT_ATTR_PD,
		.pd = e->pd,
	};

	if (how->max_sge) {
		attr.cap.max_send_sge = how->max_sge;
		attr.cap.max_recv_sge = how->max_sge;
	}
	if (how->max_inline)
		attr.cap.max_inline_data = how->max_inline;
	if (how->no_recv && active) {
		attr.cap.max_recv_wr = 0;
		attr.cap.max_recv_sge = 0;
	}
	if (how->ex) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		attr.send_ops_flags = IBV_QP_EX_WITH_SEND |
				      IBV_QP_EX_WITH_RDMA_WRITE |
				      IBV_QP_EX_WITH_RDMA_READ |
				      IBV_QP_EX_WITH_SEND_WITH_INV;
	}
	if (rdma_create_qp_ex(e->id, &attr))
		return -1;
	e->qp = e->id->qp;
	CHECK(attr.cap.max_inline_data >= (how->max_inline ? : 64));
	return 0;
}

/* Rights beyond those every kernel knows */
static int mr_access;

static int make_end(struct end *e, const struct how *how, bool active,
		    struct ibv_pd *pd)
{
	int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
		     IBV_ACCESS_REMOTE_READ | mr_access;

	e->pd = pd ? pd : ibv_alloc_pd(e->id->verbs);
	if (!e->pd || make_cq(e, how))
		return -1;
	if (how->srq && !active && make_srq(e))
		return -1;
	if (make_qp(e, how, active))
		return -1;
	e->buf = calloc(1, BUF_SIZE);
	if (!e->buf)
		return -1;
	e->mr = ibv_reg_mr(e->pd, e->buf, BUF_SIZE, access);
	return e->mr ? 0 : -1;
}

static void free_end(struct end *e, bool keep_pd)
{
	if (e->qp)
		rdma_destroy_qp(e->id);
	if (e->srq)
		CHECK(!ibv_destroy_srq(e->srq));
	if (e->cq)
		CHECK(!ibv_destroy_cq(e->cq));
	if (e->mr)
		CHECK(!ibv_dereg_mr(e->mr));
	if (e->pd && !keep_pd)
		CHECK(!ibv_dealloc_pd(e->pd));
	if (e->id)
		rdma_destroy_id(e->id);
	free(e->buf);
	memset(e, 0, sizeof(*e));
}

/*
 * Connecting the ends. The passive one is made in a thread of its own,
 * because synchronous ids block.
 */

static struct rdma_cm_id *listener;
static struct end active, passive;
static const struct how *passive_how;
static struct ibv_pd *domains[2];
static int passive_error;

static int post_recv(struct end *e, uint32_t off, uint32_t len, int num_sge)
{
	struct ibv_sge sge = { (uintptr_t)e->buf + off, len, e->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = off, .sg_list = &sge,
				  .num_sge = num_sge };
	struct ibv_recv_wr *bad;

	return e->srq ? ibv_post_srq_recv(e->srq, &wr, &bad) :
			ibv_post_recv(e->qp, &wr, &bad);
}

static void *accept_one(void *arg)
{
	struct rdma_conn_param param = {
		.responder_resources = 4, .initiator_depth = 4,
	};

	(void)arg;
	passive_error = -1;
	if (rdma_get_request(listener, &passive.id))
		return NULL;
	if (make_end(&passive, passive_how, false, domains[0]))
		return NULL;
	/* What was posted early arrives as soon as the peer may send */
	if (passive_how->early_post && post_recv(&passive, 0, 4096, 1))
		return NULL;
	if (rdma_accept(passive.id, &param))
		return NULL;
	passive_error = 0;
	return NULL;
}

static int listen_on(uint16_t *port)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE,
				       .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *res;
	int ret;

	if (rdma_getaddrinfo(address, NULL, &hints, &res))
		return -1;
	ret = rdma_create_ep(&listener, res, NULL, NULL);
	rdma_freeaddrinfo(res);
	if (ret || rdma_listen(listener, 4))
		return -1;
	*port = ntohs(rdma_get_src_port(listener));
	return 0;
}

static int resolve(struct end *e, uint16_t port)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *res;
	char service[8];
	int ret;

	snprintf(service, sizeof(service), "%u", port);
	if (rdma_getaddrinfo(address, service, &hints, &res))
		return -1;
	ret = rdma_create_ep(&e->id, res, NULL, NULL);
	rdma_freeaddrinfo(res);
	return ret;
}

static struct ibv_send_wr send_wr(struct end *e, struct ibv_sge *sge,
				  uint32_t off, uint32_t len)
{
	*sge = (struct ibv_sge){ (uintptr_t)e->buf + off, len, e->mr->lkey };
	return (struct ibv_send_wr){
		.wr_id = off, .sg_list = sge, .num_sge = 1,
		.opcode = IBV_WR_SEND, .send_flags = IBV_SEND_SIGNALED,
	};
}

static int early_result;

static int connect_ends(const struct how *how)
{
	struct rdma_conn_param param = {
		.responder_resources = 4, .initiator_depth = 4,
		.retry_count = 7,
	};
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	pthread_t thread;
	uint16_t port;
	int ret;

	passive_how = how;
	if (listen_on(&port) || resolve(&active, port))
		return -1;
	if (make_end(&active, how, true, domains[1]))
		return -1;
	if (how->early_post) {
		wr = send_wr(&active, &sge, 0, 16);
		early_result = ibv_post_send(active.qp, &wr, &bad);
	}
	pthread_create(&thread, NULL, accept_one, NULL);
	ret = rdma_connect(active.id, &param);
	if (ret)
		pthread_cancel(thread);
	pthread_join(thread, NULL);
	return ret || passive_error;
}

static void disconnect_ends(void)
{
	if (active.qp)
		rdma_disconnect(active.id);
	free_end(&active, domains[1]);
	free_end(&passive, domains[0]);
	if (listener)
		rdma_destroy_ep(listener);
	listener = NULL;
}

/*
 * Traffic
 */

static bool timed_out(time_t *start)
{
	if (!*start)
		*start = time(NULL);
	return time(NULL) - *start > TIMEOUT_S;
}

static bool poll_one(struct end *e, struct ibv_wc *wc)
{
	time_t start = 0;
	int n;

	while (!(n = ibv_poll_cq(e->cq, 1, wc)))
		if (timed_out(&start))
			return false;
	return n == 1;
}

static bool poll_ex(struct end *e, struct ibv_wc *wc)
{
	struct ibv_poll_cq_attr attr = {};
	time_t start = 0;
	int ret;

	while ((ret = ibv_start_poll(e->cq_ex, &attr)) == ENOENT)
		if (timed_out(&start))
			return false;
	if (ret)
		return false;
	wc->wr_id = e->cq_ex->wr_id;
	wc->status = e->cq_ex->status;
	wc->opcode = ibv_wc_read_opcode(e->cq_ex);
	wc->byte_len = ibv_wc_read_byte_len(e->cq_ex);
	wc->qp_num = ibv_wc_read_qp_num(e->cq_ex);
	wc->wc_flags = ibv_wc_read_wc_flags(e->cq_ex);
	ibv_end_poll(e->cq_ex);
	return true;
}

/* One message each way of @len bytes, contents compared */
static void ping(uint32_t len, unsigned int flags)
{
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;

	memset(active.buf, 0x5a, len);
	memset(passive.buf + 4096, 0, len);
	NEED(!post_recv(&passive, 4096, 8192, 1));
	wr = send_wr(&active, &sge, 0, len);
	wr.send_flags |= flags;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc));
	CHECK(wc.status == IBV_WC_SUCCESS && wc.opcode == IBV_WC_SEND);
	NEED(poll_one(&passive, &wc));
	CHECK(wc.status == IBV_WC_SUCCESS && wc.opcode == IBV_WC_RECV);
	CHECK(wc.byte_len == len && wc.wr_id == 4096);
	CHECK(wc.qp_num == passive.qp->qp_num);
	CHECK(!memcmp(active.buf, passive.buf + 4096, len));
}

/*
 * Cases
 */

static void case_device(void)
{
	struct ibv_device_attr_ex attr;
	struct ibv_port_attr port;

	NEED(!resolve(&active, 9));
	CHECK(!ibv_query_device_ex(active.id->verbs, NULL, &attr));
	CHECK(attr.orig_attr.max_qp > 0 && attr.orig_attr.max_sge >= 6);
	CHECK(attr.orig_attr.fw_ver[0]);
	CHECK(!ibv_query_port(active.id->verbs, 1, &port));
	CHECK(port.max_msg_sz > 0);
}

static void case_send(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;

	NEED(!connect_ends(&how));
	ping(1, 0);
	ping(8000, IBV_SEND_SOLICITED);
	ping(64, IBV_SEND_INLINE);
	ping(0, 0);
	ping(0, IBV_SEND_INLINE);

	/* A receive without SGEs takes an empty message */
	NEED(!post_recv(&passive, 7, 0, 0));
	wr = send_wr(&active, &sge, 0, 0);
	wr.num_sge = 0;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&passive, &wc) && poll_one(&active, &wc));
	CHECK(wc.status == IBV_WC_SUCCESS);
}

static void case_rdma(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;

	NEED(!connect_ends(&how));
	memset(active.buf, 0x11, 4096);
	wr = send_wr(&active, &sge, 0, 4096);
	wr.opcode = IBV_WR_RDMA_WRITE;
	wr.wr.rdma.rkey = passive.mr->rkey;
	wr.wr.rdma.remote_addr = (uintptr_t)passive.buf;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_RDMA_WRITE);

	/* Fenced, which would block the SQ of a stock kernel */
	wr = send_wr(&active, &sge, 8192, 4096);
	wr.opcode = IBV_WR_RDMA_READ;
	wr.send_flags |= IBV_SEND_FENCE;
	wr.wr.rdma.rkey = passive.mr->rkey;
	wr.wr.rdma.remote_addr = (uintptr_t)passive.buf;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_RDMA_READ);
	CHECK(!memcmp(active.buf, active.buf + 8192, 4096));
	ping(100, IBV_SEND_FENCE);
}

static void case_errno(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad = NULL;
	struct ibv_sge sge[7] = {};
	struct ibv_recv_wr rwr = { .num_sge = 5, .sg_list = sge }, *rbad;

	NEED(!connect_ends(&how));
	wr = send_wr(&active, sge, 0, 8);
	wr.num_sge = 5;
	CHECK(ibv_post_send(active.qp, &wr, &bad) == EINVAL && bad == &wr);
	wr.num_sge = 1;
	wr.opcode = IBV_WR_TSO;
	CHECK(ibv_post_send(active.qp, &wr, &bad) == EOPNOTSUPP);
	wr.opcode = 1000;
	CHECK(ibv_post_send(active.qp, &wr, &bad) == EINVAL);
	wr.opcode = IBV_WR_RDMA_READ;
	wr.send_flags = IBV_SEND_INLINE;
	CHECK(ibv_post_send(active.qp, &wr, &bad) == EINVAL);
	CHECK(ibv_post_recv(active.qp, &rwr, &rbad) == EINVAL);
	CHECK(!ibv_create_cq(active.id->verbs, 0, NULL, NULL, 0) &&
	      errno == EINVAL);
	ping(10, 0);
}

static void case_wr_api(void)
{
	static const struct how how = { .ex = true };
	struct ibv_qp_ex *qp;
	struct ibv_wc wc;

	NEED(!connect_ends(&how));
	qp = ibv_qp_to_qp_ex(active.qp);
	NEED(qp);
	NEED(!post_recv(&passive, 0, 4096, 1));
	NEED(!post_recv(&passive, 4096, 4096, 1));
	memset(active.buf, 0x77, 1000);
	ibv_wr_start(qp);
	qp->wr_id = 1;
	qp->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_rdma_write(qp, passive.mr->rkey, (uintptr_t)passive.buf + 9000);
	ibv_wr_set_sge(qp, active.mr->lkey, (uintptr_t)active.buf, 1000);
	qp->wr_id = 2;
	ibv_wr_send(qp);
	ibv_wr_set_inline_data(qp, "inline", 6);
	qp->wr_id = 3;
	ibv_wr_send(qp);
	ibv_wr_set_sge(qp, active.mr->lkey, (uintptr_t)active.buf, 10);
	qp->wr_id = 4;
	ibv_wr_rdma_read(qp, passive.mr->rkey, (uintptr_t)passive.buf + 9000);
	ibv_wr_set_sge(qp, active.mr->lkey, (uintptr_t)active.buf + 2000, 1000);
	NEED(!ibv_wr_complete(qp));

	NEED(poll_ex(&active, &wc));
	CHECK(wc.wr_id == 1 && wc.opcode == IBV_WC_RDMA_WRITE && !wc.status);
	NEED(poll_ex(&active, &wc));
	CHECK(wc.wr_id == 2 && wc.opcode == IBV_WC_SEND && !wc.status);
	NEED(poll_ex(&active, &wc));
	CHECK(wc.wr_id == 3 && wc.opcode == IBV_WC_SEND && !wc.status);
	NEED(poll_ex(&active, &wc));
	CHECK(wc.wr_id == 4 && wc.opcode == IBV_WC_RDMA_READ && !wc.status);
	CHECK(active.buf[2000] == 0x77 && active.buf[2999] == 0x77);
	NEED(poll_ex(&passive, &wc));
	CHECK(wc.opcode == IBV_WC_RECV && wc.byte_len == 6);
	CHECK(!memcmp(passive.buf, "inline", 6));
	CHECK(wc.qp_num == passive.qp->qp_num);
	NEED(poll_ex(&passive, &wc));
	CHECK(wc.byte_len == 10);

	/* An aborted and a failed batch leave nothing behind */
	ibv_wr_start(qp);
	ibv_wr_send(qp);
	ibv_wr_abort(qp);
	ibv_wr_start(qp);
	ibv_wr_send(qp);
	ibv_wr_set_inline_data(qp, active.buf, 60000);
	CHECK(ibv_wr_complete(qp) == EINVAL);
	ping(33, 0);
}

static void case_srq(void)
{
	static const struct how how = { .srq = true };
	struct ibv_srq_attr attr = { .srq_limit = 5 };
	struct ibv_wc wc;
	int i;

	NEED(!connect_ends(&how));
	/* Below the limit it would fire at once and be disarmed */
	for (i = 0; i < 10; i++)
		NEED(!post_recv(&passive, 4096, 8192, 1));
	CHECK(!ibv_modify_srq(passive.srq, &attr, IBV_SRQ_LIMIT));
	memset(&attr, 0, sizeof(attr));
	CHECK(!ibv_query_srq(passive.srq, &attr));
	CHECK(attr.max_wr >= WRS && attr.srq_limit == 5);
	attr.srq_limit = 0;
	CHECK(!ibv_modify_srq(passive.srq, &attr, IBV_SRQ_LIMIT));
	for (i = 0; i < 20; i++)
		ping(500, 0);
	CHECK(!ibv_poll_cq(passive.cq, 1, &wc));
	CHECK(ibv_post_recv(passive.qp, &(struct ibv_recv_wr){},
			    &(struct ibv_recv_wr *){ NULL }) == EINVAL);
}

static void case_no_recv(void)
{
	static const struct how how = { .no_recv = true };
	struct ibv_recv_wr wr = {}, *bad;

	NEED(!connect_ends(&how));
	CHECK(ibv_post_recv(active.qp, &wr, &bad) == ENOMEM);
	ping(500, 0);
}

static void case_domain(void)
{
	static const struct how how = { .domain = true, .ex = true };
	struct ibv_parent_domain_init_attr attr = {
		.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
			     IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT,
		.alloc = my_alloc, .free = my_free, .pd_context = &allocs,
	};
	struct ibv_td_init_attr td_attr = {};
	struct ibv_pd *base[2];
	int i;

	NEED(!resolve(&active, 9));
	for (i = 0; i < 2; i++) {
		base[i] = ibv_alloc_pd(active.id->verbs);
		attr.pd = base[i];
		attr.td = ibv_alloc_td(active.id->verbs, &td_attr);
		NEED(attr.pd && attr.td);
		domains[i] = ibv_alloc_parent_domain(active.id->verbs, &attr);
		NEED(domains[i]);
		CHECK(ibv_dealloc_pd(base[i]) == EBUSY);
		CHECK(ibv_dealloc_td(attr.td) == EBUSY);
	}
	rdma_destroy_ep(active.id);
	active.id = NULL;
	NEED(!connect_ends(&how));
	ping(500, 0);
	CHECK(ibv_dealloc_pd(domains[0]) == EBUSY);
	disconnect_ends();
	CHECK(allocs == 4 && frees == 2);
	for (i = 0; i < 2; i++) {
		CHECK(!ibv_dealloc_pd(domains[i]));
		CHECK(!ibv_dealloc_pd(base[i]));
		domains[i] = NULL;
	}
}

/*
 * A stock kernel refuses the doorbell before the connection is up and then
 * never looks at the request. Either it is refused and gone, or accepted and
 * sent once there is a connection. Later requests work in both cases.
 */
static void case_early_post(void)
{
	static const struct how how = { .early_post = true };
	struct ibv_wc wc;

	NEED(!connect_ends(&how));
	printf("# post before connect: %d\n", early_result);
	if (early_result) {
		struct ibv_send_wr wr, *bad;
		struct ibv_sge sge;

		CHECK(early_result == ENOTCONN);
		wr = send_wr(&active, &sge, 0, 16);
		NEED(!ibv_post_send(active.qp, &wr, &bad));
	}
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	NEED(poll_one(&passive, &wc) && wc.byte_len == 16);
	ping(100, 0);
}

#define THREAD_SENDS 500

/* Receives that wait at the peer: iWARP ends a connection that runs out */
static int credits;

/*
 * Completions that fit the senders' CQ. A send leaves its place in the SQ when
 * it is started, so that the SQ's size does not keep senders from overrunning
 * the CQ while the thread that drains it has no CPU.
 */
static int cq_room;

static void take_one(int *count)
{
	while (__atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST) < 0) {
		__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
		sched_yield();
	}
}

static void give(int *count, int n)
{
	__atomic_add_fetch(count, n, __ATOMIC_SEQ_CST);
}

static void *send_many(void *arg)
{
	struct ibv_send_wr *bad, wr = {
		.wr_id = (uintptr_t)arg, .opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_SIGNALED,
	};
	int i;

	for (i = 0; i < THREAD_SENDS && !case_failed; i++) {
		take_one(&credits);
		take_one(&cq_room);
		while (ibv_post_send(active.qp, &wr, &bad) && !case_failed)
			sched_yield();
	}
	return NULL;
}

static void *drain_sends(void *arg)
{
	struct ibv_wc wc;
	int left = 2 * THREAD_SENDS;

	(void)arg;
	for (; left; left--) {
		bool got = poll_one(&active, &wc);

		if (got && !wc.status) {
			give(&cq_room, 1);
			continue;
		}
		printf("# %d completions missing, %s\n", left, got ?
		       ibv_wc_status_str(wc.status) : "none came in time");
		break;
	}
	give(&cq_room, left);
	return (void *)(intptr_t)left;
}

/*
 * Completions of one SQ come in order, a Read's too. A stock kernel completes
 * what is behind a Read before it, which is said here, not judged.
 */
static void case_order(void)
{
	static const struct how how;
	struct ibv_send_wr wr[2], *bad;
	struct ibv_sge sge[2];
	struct ibv_wc wc[2];

	NEED(!connect_ends(&how));
	NEED(!post_recv(&passive, 0, 4096, 1));
	wr[0] = send_wr(&active, &sge[0], 1, 60000);
	wr[0].opcode = IBV_WR_RDMA_READ;
	wr[0].wr.rdma.rkey = passive.mr->rkey;
	wr[0].wr.rdma.remote_addr = (uintptr_t)passive.buf;
	wr[1] = send_wr(&active, &sge[1], 2, 10);
	wr[0].next = &wr[1];
	NEED(!ibv_post_send(active.qp, wr, &bad));
	NEED(poll_one(&active, &wc[0]) && poll_one(&active, &wc[1]));
	CHECK(!wc[0].status && !wc[1].status);
	printf("# completed: %d %d\n", (int)wc[0].wr_id, (int)wc[1].wr_id);
	if (wc[0].wr_id != 1)
		skip("this kernel completes out of order");
}

/* Two threads post to one QP, one polls, one receives */
static void case_threads(void)
{
	static const struct how how;
	int left = 2 * THREAD_SENDS, posted = 0;
	pthread_t thread[3];
	struct ibv_wc wc;
	void *undrained;

	NEED(!connect_ends(&how));
	for (; posted < WRS; posted++)
		NEED(!post_recv(&passive, 0, 16, 1));
	credits = WRS;
	cq_room = CQES;
	pthread_create(&thread[0], NULL, drain_sends, NULL);
	pthread_create(&thread[1], NULL, send_many, (void *)1);
	pthread_create(&thread[2], NULL, send_many, (void *)2);
	for (; left && poll_one(&passive, &wc); left--) {
		CHECK(wc.status == IBV_WC_SUCCESS);
		CHECK(!post_recv(&passive, 0, 16, 1));
		give(&credits, 1);
	}
	CHECK(!left);
	give(&credits, 2 * THREAD_SENDS);
	pthread_join(thread[1], NULL);
	pthread_join(thread[2], NULL);
	pthread_join(thread[0], &undrained);
	CHECK(!undrained);
}

/* The core then refuses write() on the command file */
static void case_credentials(void)
{
	static const struct how how;
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid) {
		NEED(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		return;
	}
	case_failed = false;
	if (connect_ends(&how))
		_exit(2);
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		_exit(3);
	ping(100, 0);
	ping(100, 0);
	fflush(stdout);
	_exit(case_failed);
}

/* What a child does with its copies of buffers and rings is its own affair. */
static void forked_child(int told, int asked)
{
	char c = 0;

	memset(active.buf, 0x33, BUF_SIZE);
	memset(passive.buf, 0x33, BUF_SIZE);
	if (write(told, &c, 1) != 1 || read(asked, &c, 1) != 1)
		_exit(1);
	_exit(0);
}

static void case_fork(void)
{
	static const struct how how;
	int told[2], asked[2], status;
	char c = 0;
	pid_t pid;

	NEED(!pipe(told) && !pipe(asked));
	NEED(!connect_ends(&how));
	ping(100, 0);
	fflush(stdout);
	pid = fork();
	NEED(pid >= 0);
	if (!pid)
		forked_child(told[1], asked[0]);
	CHECK(read(told[0], &c, 1) == 1);
	ping(4000, 0);
	ping(4000, 0);
	CHECK(write(asked[1], &c, 1) == 1);
	NEED(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* the child's end took nothing of ours with it */
	ping(4000, 0);
	close(told[0]);
	close(told[1]);
	close(asked[0]);
	close(asked[1]);
}

static void case_import(void)
{
	struct ibv_context *ctx;
	struct ibv_pd *pd, *imported;
	struct ibv_mr *mr, *mr2;
	char buf[64];
	int fd;

	NEED(!resolve(&active, 9));
	fd = dup(active.id->verbs->cmd_fd);
	ctx = ibv_import_device(fd);
	if (!ctx && (errno == EOPNOTSUPP || errno == ENOSYS)) {
		skip("the kernel cannot import contexts");
		return;
	}
	NEED(ctx);
	pd = ibv_alloc_pd(active.id->verbs);
	NEED(pd);
	imported = ibv_import_pd(ctx, pd->handle);
	NEED(imported);
	mr = ibv_reg_mr(pd, buf, sizeof(buf), IBV_ACCESS_LOCAL_WRITE);
	NEED(mr);
	mr2 = ibv_import_mr(imported, mr->handle);
	NEED(mr2);
	CHECK(mr2->lkey == mr->lkey);
	ibv_unimport_mr(mr2);
	ibv_unimport_pd(imported);
	CHECK(!ibv_dereg_mr(mr));
	CHECK(!ibv_dealloc_pd(pd));
	CHECK(!ibv_close_device(ctx));
}

/* More one-page mappings than stock libsiw can have: one has key 0x90000 */
static void case_many_cqs(void)
{
	struct ibv_cq *cq[300] = {};
	int i;

	NEED(!resolve(&active, 9));
	for (i = 0; i < 300; i++) {
		cq[i] = ibv_create_cq(active.id->verbs, 8, NULL, NULL, 0);
		CHECK(cq[i]);
	}
	for (i = 0; i < 300; i++)
		CHECK(!cq[i] || !ibv_destroy_cq(cq[i]));
}

/*
 * What takes a kernel with the extended ABI. The kernel is asked, not told: a
 * case that finds EOPNOTSUPP (or EINVAL for sizes) skips itself.
 */

static bool unsupported(int err, const char *what)
{
	if (err != EOPNOTSUPP && err != EINVAL)
		return false;
	skip("%s: %s", what, strerror(err));
	return true;
}

/* Does the kernel have extended rings? Their inline data go beyond 80 bytes */
static bool connect_extended(void)
{
	static const struct how how = { .max_sge = 12, .max_inline = 200 };

	if (!connect_ends(&how))
		return true;
	case_failed |= !unsupported(errno, "extended queue pair");
	return false;
}

static void case_large_wr(void)
{
	struct ibv_sge sge[12], rsge[12];
	struct ibv_recv_wr rwr = { .sg_list = rsge, .num_sge = 12 }, *rbad;
	struct ibv_send_wr wr, *bad;
	struct ibv_wc wc;
	int i;

	if (!connect_extended())
		return;
	ping(200, IBV_SEND_INLINE);
	for (i = 0; i < 12; i++) {
		sge[i] = (struct ibv_sge){ (uintptr_t)active.buf + 100 * i,
					   50, active.mr->lkey };
		rsge[i] = (struct ibv_sge){ (uintptr_t)passive.buf + 200 * i,
					    50, passive.mr->lkey };
		memset(active.buf + 100 * i, 'a' + i, 50);
	}
	NEED(!ibv_post_recv(passive.qp, &rwr, &rbad));
	wr = send_wr(&active, sge, 0, 50);
	wr.num_sge = 12;
	sge[0].length = 50;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	NEED(poll_one(&passive, &wc) && wc.byte_len == 600);
	for (i = 0; i < 12; i++)
		CHECK(!memcmp(active.buf + 100 * i, passive.buf + 200 * i, 50));
}

/* Requests posted after the QP has failed complete, too */
static void case_flush(void)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;
	int i;

	if (!connect_extended())
		return;
	NEED(!ibv_modify_qp(active.qp, &attr, IBV_QP_STATE));
	for (i = 0; i < 3; i++) {
		wr = send_wr(&active, &sge, 100 + i, 10);
		NEED(!ibv_post_send(active.qp, &wr, &bad));
		NEED(poll_one(&active, &wc));
		CHECK(wc.status == IBV_WC_WR_FLUSH_ERR && wc.wr_id == 100U + i);
		NEED(!post_recv(&active, 200 + i, 10, 1));
		NEED(poll_one(&active, &wc));
		CHECK(wc.status == IBV_WC_WR_FLUSH_ERR && wc.wr_id == 200U + i);
	}
}

static void case_atomic(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad;
	uint64_t *target, *result;
	struct ibv_sge sge;
	struct ibv_wc wc;
	int ret;

	mr_access = IBV_ACCESS_REMOTE_ATOMIC;
	ret = connect_ends(&how);
	mr_access = 0;
	if (ret) {
		case_failed |= !unsupported(errno, "MR for atomics");
		return;
	}
	target = (uint64_t *)passive.buf;
	result = (uint64_t *)active.buf;
	*target = 40;
	wr = send_wr(&active, &sge, 0, 8);
	wr.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	wr.wr.atomic.remote_addr = (uintptr_t)target;
	wr.wr.atomic.rkey = passive.mr->rkey;
	wr.wr.atomic.compare_add = 2;
	ret = ibv_post_send(active.qp, &wr, &bad);
	if (ret) {
		case_failed |= !unsupported(ret, "fetch and add");
		return;
	}
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_FETCH_ADD && *result == 40 && *target == 42);
	wr.opcode = IBV_WR_ATOMIC_CMP_AND_SWP;
	wr.wr.atomic.compare_add = 42;
	wr.wr.atomic.swap = 0x1122334455667788;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_COMP_SWAP && *result == 42);
	CHECK(*target == 0x1122334455667788);
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(*result == 0x1122334455667788 && *target == *result);
}

static void case_imm(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;
	int ret;

	NEED(!connect_ends(&how));
	NEED(!post_recv(&passive, 0, 4096, 1));
	NEED(!post_recv(&passive, 0, 4096, 1));
	memset(active.buf, 0x42, 1000);
	wr = send_wr(&active, &sge, 0, 1000);
	wr.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	wr.imm_data = htonl(0x12345678);
	wr.wr.rdma.rkey = passive.mr->rkey;
	wr.wr.rdma.remote_addr = (uintptr_t)passive.buf + 8192;
	ret = ibv_post_send(active.qp, &wr, &bad);
	if (ret) {
		case_failed |= !unsupported(ret, "immediate data");
		return;
	}
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_RDMA_WRITE);
	NEED(poll_one(&passive, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_RECV_RDMA_WITH_IMM);
	CHECK(wc.wc_flags & IBV_WC_WITH_IMM && wc.imm_data == wr.imm_data);
	CHECK(passive.buf[8192] == 0x42 && passive.buf[9191] == 0x42);

	wr = send_wr(&active, &sge, 0, 100);
	wr.opcode = IBV_WR_SEND_WITH_IMM;
	wr.imm_data = htonl(0xcafe);
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	NEED(poll_one(&passive, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(wc.opcode == IBV_WC_RECV && wc.byte_len == 100);
	CHECK(wc.wc_flags & IBV_WC_WITH_IMM && wc.imm_data == wr.imm_data);
	CHECK(!memcmp(passive.buf, active.buf, 100));
}

static int write_through(uint32_t rkey, uint64_t raddr, enum ibv_wc_status *st)
{
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_wc wc;

	wr = send_wr(&active, &sge, 0, 8);
	wr.opcode = IBV_WR_RDMA_WRITE;
	wr.wr.rdma.rkey = rkey;
	wr.wr.rdma.remote_addr = raddr;
	if (ibv_post_send(active.qp, &wr, &bad) || !poll_one(&active, &wc))
		return -1;
	*st = wc.status;
	return 0;
}

/* Bind a window of the passive side, write through it, invalidate it */
static void case_mw(void)
{
	static const struct how how;
	struct ibv_send_wr wr = { .opcode = IBV_WR_BIND_MW,
				  .send_flags = IBV_SEND_SIGNALED }, *bad;
	enum ibv_wc_status status;
	struct ibv_mw *mw;
	struct ibv_wc wc;
	int ret;

	mr_access = IBV_ACCESS_MW_BIND;
	ret = connect_ends(&how);
	mr_access = 0;
	if (ret) {
		case_failed |= !unsupported(errno, "MR for windows");
		return;
	}
	mw = ibv_alloc_mw(passive.pd, IBV_MW_TYPE_2);
	if (!mw) {
		case_failed |= !unsupported(errno, "memory window");
		return;
	}
	wr.bind_mw.mw = mw;
	wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	wr.bind_mw.bind_info = (struct ibv_mw_bind_info){
		passive.mr, (uintptr_t)passive.buf + 64, 64,
		IBV_ACCESS_REMOTE_WRITE };
	NEED(!ibv_post_send(passive.qp, &wr, &bad));
	NEED(poll_one(&passive, &wc));
	CHECK(wc.status == IBV_WC_SUCCESS && wc.opcode == IBV_WC_BIND_MW);
	active.buf[0] = 0x66;
	NEED(!write_through(wr.bind_mw.rkey, (uintptr_t)passive.buf + 64,
			    &status));
	CHECK(!status);
	ping(4, 0);
	CHECK(passive.buf[64] == 0x66);
	wr.opcode = IBV_WR_LOCAL_INV;
	wr.invalidate_rkey = wr.bind_mw.rkey;
	NEED(!ibv_post_send(passive.qp, &wr, &bad));
	NEED(poll_one(&passive, &wc));
	CHECK(wc.status == IBV_WC_SUCCESS && wc.opcode == IBV_WC_LOCAL_INV);
	CHECK(!ibv_dealloc_mw(mw));
}

static void case_timestamps(void)
{
	static const struct how how = { .ex = true, .timestamps = true };
	struct ibv_values_ex values = { .comp_mask = IBV_VALUES_MASK_RAW_CLOCK };
	struct ibv_poll_cq_attr attr = {};
	struct ibv_send_wr wr, *bad;
	uint64_t before, after, ts;
	struct ibv_sge sge;
	time_t start = 0;

	if (connect_ends(&how)) {
		case_failed |= !unsupported(errno, "timestamps");
		return;
	}
	NEED(!ibv_query_rt_values_ex(active.id->verbs, &values));
	before = values.raw_clock.tv_sec * 1000000000ULL +
		 values.raw_clock.tv_nsec;
	NEED(!post_recv(&passive, 0, 4096, 1));
	wr = send_wr(&active, &sge, 0, 10);
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	while (ibv_start_poll(active.cq_ex, &attr) && !timed_out(&start))
		;
	ts = ibv_wc_read_completion_ts(active.cq_ex);
	ibv_end_poll(active.cq_ex);
	NEED(!ibv_query_rt_values_ex(active.id->verbs, &values));
	after = values.raw_clock.tv_sec * 1000000000ULL +
		values.raw_clock.tv_nsec;
	CHECK(before <= ts && ts <= after);
}

static void case_resize_cq(void)
{
	static const struct how how;
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	struct ibv_wc wc;
	int i, ret;

	NEED(!connect_ends(&how));
	for (i = 0; i < 3; i++)
		NEED(!post_recv(&active, 10 + i, 16, 1));
	NEED(!ibv_modify_qp(active.qp, &attr, IBV_QP_STATE));
	/* Three completions wait in the ring while it is replaced */
	ret = ibv_resize_cq(active.cq, 1000);
	if (ret) {
		case_failed |= !unsupported(ret, "resize");
		return;
	}
	CHECK(active.cq->cqe >= 1000);
	for (i = 0; i < 3; i++) {
		NEED(poll_one(&active, &wc));
		CHECK(wc.wr_id == 10U + i && wc.status == IBV_WC_WR_FLUSH_ERR);
	}
}

static void case_null_mr(void)
{
	static const struct how how;
	struct ibv_send_wr wr, *bad;
	struct ibv_mr *null;
	struct ibv_sge sge;
	struct ibv_wc wc;

	NEED(!connect_ends(&how));
	null = ibv_alloc_null_mr(active.pd);
	if (!null) {
		case_failed |= !unsupported(errno, "null MR");
		return;
	}
	memset(passive.buf, 0x33, 100);
	NEED(!post_recv(&passive, 0, 4096, 1));
	wr = send_wr(&active, &sge, 0, 100);
	sge.lkey = null->lkey;
	sge.addr = 0;
	NEED(!ibv_post_send(active.qp, &wr, &bad));
	NEED(poll_one(&active, &wc) && wc.status == IBV_WC_SUCCESS);
	NEED(poll_one(&passive, &wc) && wc.status == IBV_WC_SUCCESS);
	CHECK(passive.buf[0] == 0 && passive.buf[99] == 0);
	CHECK(!ibv_dereg_mr(null));
}

/* An MR at another address than its buffer's */
static void case_iova(void)
{
	static const struct how how;
	const uint64_t iova = 0x700000000000ULL;
	enum ibv_wc_status status;
	struct ibv_mr *mr;
	void *page;

	NEED(!connect_ends(&how));
	NEED(!posix_memalign(&page, 4096, 4096));
	memset(page, 0, 4096);
	mr = ibv_reg_mr_iova(passive.pd, page, 4096, iova,
			     IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	if (!mr) {
		case_failed |= !unsupported(errno, "iova");
		free(page);
		return;
	}
	active.buf[0] = 0x21;
	NEED(!write_through(mr->rkey, iova + 8, &status));
	CHECK(!status);
	ping(4, 0);
	CHECK(((char *)page)[8] == 0x21);
	CHECK(!ibv_dereg_mr(mr));
	free(page);
}

static void run(const char *name, void (*fn)(void))
{
	const char *verdict = "ok", *mark = "";

	case_failed = false;
	skip_reason[0] = 0;
	fn();
	disconnect_ends();
	failures += case_failed;
	if (skip_reason[0])
		mark = " # SKIP ";
	if (case_failed)
		verdict = "not ok";
	printf("%s %d %s%s%s\n", verdict, ++test_no, name, mark, skip_reason);
	fflush(stdout);
}

static const struct {
	const char *name;
	void (*fn)(void);
} cases[] = {
	{ "device", case_device },
	{ "many CQs", case_many_cqs },
	{ "send", case_send },
	{ "write and read", case_rdma },
	{ "errno values", case_errno },
	{ "ibv_wr_* and extended CQ", case_wr_api },
	{ "SRQ", case_srq },
	{ "QP without receives", case_no_recv },
	{ "parent and thread domain", case_domain },
	{ "post before connect", case_early_post },
	{ "order of completions", case_order },
	{ "threads", case_threads },
	{ "changed credentials", case_credentials },
	{ "fork", case_fork },
	{ "import", case_import },
	{ "large requests", case_large_wr },
	{ "posts after an error", case_flush },
	{ "atomics", case_atomic },
	{ "immediate data", case_imm },
	{ "memory windows", case_mw },
	{ "timestamps", case_timestamps },
	{ "resize CQ", case_resize_cq },
	{ "null MR", case_null_mr },
	{ "iova", case_iova },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: %s ADDRESS\n", argv[0]);
		return 2;
	}
	address = argv[1];
	printf("KTAP version 1\n1..%zu\n", sizeof(cases) / sizeof(cases[0]));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(cases[i].name, cases[i].fn);
	return failures != 0;
}
