// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The provider's data path against a simulated kernel: queue pairs and CQs are
 * built by hand on anonymous memory, the system call and the library's commands are
 * replaced by functions of this file. Covers ring-full and wrap-around, the
 * doorbell rule, failing doorbells, both layouts, the ibv_wr_* interface,
 * polling of wild CQEs, and producer and consumer in parallel threads.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The units under test, with the system call in our hands */
static long test_syscall(long nr, int fd, const void *buf, size_t len);
#define syscall test_syscall
#include "../doorbell.c"
#undef syscall
#include "../send.c"
#include "../recv.c"
#include "../wr.c"
#include "../cq.c"

#define NUM 8
#define THREAD_WRS 200000

static int failed;
static int test_no;

#define CHECK(cond) do { \
	if (!(cond)) { \
		printf("# %s:%d: %s\n", __func__, __LINE__, #cond); \
		failed = 1; \
	} \
} while (0)

/* The simulated kernel: what it was told, what it answers */
static int doorbells;
static int doorbell_errno;
static int doorbell_failures;
static int cmd_doorbells;
static const void *doorbell_buf;
static void (*on_doorbell)(void);

static long test_syscall(long nr, int fd, const void *buf, size_t len)
{
	(void)fd;
	CHECK(nr == SYS_write);
	__atomic_fetch_add(&doorbells, 1, __ATOMIC_SEQ_CST);
	doorbell_buf = buf;
	if (on_doorbell)
		on_doorbell();
	if (doorbell_failures) {
		doorbell_failures--;
		errno = doorbell_errno;
		return -1;
	}
	return len;
}

int ibv_cmd_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
		      struct ibv_send_wr **bad_wr)
{
	(void)qp;
	(void)bad_wr;
	CHECK(!wr);
	cmd_doorbells++;
	return 0;
}

static struct siw_context ctx;

static void init_ring(struct siw_ring *ring, uint32_t num, uint32_t stride,
		      size_t tail)
{
	size_t len = (size_t)num * stride + tail;

	ring->base = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring->base == MAP_FAILED)
		abort();
	ring->mask = num - 1;
	ring->stride = stride;
	ring->map_len = len;
	/* Start near the wrap of the 32 bit count */
	ring->pos = (uint32_t)-3;
}

static struct siw_qp *new_qp(bool ext, uint32_t num)
{
	struct siw_qp *qp = calloc(1, sizeof(*qp));

	if (!qp)
		abort();
	ctx.features = ext ? ~0U : 0;
	ctx.no_write = false;
	qp->ext = ext;
	qp->vqp.qp.context = &ctx.vctx.context;
	siw_lock_init(&qp->sq.lock, false);
	siw_lock_init(&qp->rq.lock, false);
	init_ring(&qp->sq.ring, num, ext ? 128 : sizeof(struct siw_sqe),
		  ext ? sizeof(struct siw_qp_ctrl) : 0);
	init_ring(&qp->rq.ring, num, ext ? 128 : sizeof(struct siw_rqe), 0);
	qp->sq.flags = calloc(num, sizeof(*qp->sq.flags));
	qp->sq.max_sge = 4;
	qp->rq.max_sge = 4;
	qp->sq.max_inline = ext ? 96 : 80;
	qp->sq.data_off = ext ? 32 : 24;
	qp->sq.inline_off = ext ? 32 : 40;
	if (ext)
		qp->ctrl = siw_ring_tail(&qp->sq.ring);
	qp->sq.ops = siw_send_ops(qp);
	doorbells = 0;
	cmd_doorbells = 0;
	doorbell_failures = 0;
	on_doorbell = NULL;
	return qp;
}

static void free_qp(struct siw_qp *qp)
{
	siw_ring_unmap(&qp->sq.ring);
	siw_ring_unmap(&qp->rq.ring);
	siw_lock_destroy(&qp->sq.lock);
	siw_lock_destroy(&qp->rq.lock);
	free(qp->sq.flags);
	free(qp);
}

static struct siw_cq *new_cq_on(bool ext, uint32_t num)
{
	struct siw_cq *cq = calloc(1, sizeof(*cq));

	if (!cq)
		abort();
	cq->ext = ext;
	siw_lock_init(&cq->lock, false);
	siw_lock_init(&cq->arm, false);
	init_ring(&cq->ring, num, sizeof(struct siw_cqe),
		  sizeof(struct siw_cq_ctrl));
	cq->ctrl = siw_ring_tail(&cq->ring);
	set_poll_functions(&cq->vcq.cq_ex);
	return cq;
}

static void free_cq_on(struct siw_cq *cq)
{
	siw_ring_unmap(&cq->ring);
	siw_lock_destroy(&cq->lock);
	free(cq);
}

static struct siw_sqe *sqe_at(struct siw_qp *qp, uint32_t pos)
{
	return siw_ring_at(&qp->sq.ring, pos);
}

/* The kernel starts the element at @pos */
static void start_sqe(struct siw_qp *qp, uint32_t pos)
{
	__atomic_store_n(&sqe_at(qp, pos)->flags, 0, __ATOMIC_SEQ_CST);
}

static int send_n(struct siw_qp *qp, int n, int *posted)
{
	struct ibv_send_wr wr[2 * NUM] = {};
	struct ibv_send_wr *bad = NULL;
	int i, ret;

	for (i = 0; i < n; i++) {
		wr[i].wr_id = 100 + i;
		wr[i].opcode = IBV_WR_SEND;
		wr[i].next = i + 1 < n ? &wr[i + 1] : NULL;
	}
	ret = siw_post_send(&qp->vqp.qp, wr, &bad);
	*posted = ret ? (int)(bad - wr) : n;
	return ret;
}

/* A full ring refuses the rest of a list, and takes it when there is room */
static void test_ring_full(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	uint32_t first = qp->sq.ring.pos;
	int posted, i;

	CHECK(send_n(qp, NUM + 3, &posted) == ENOMEM);
	CHECK(posted == NUM);
	for (i = 0; i < NUM; i++)
		CHECK(sqe_at(qp, first + i)->id == 100U + i);
	CHECK(send_n(qp, 1, &posted) == ENOMEM && posted == 0);
	start_sqe(qp, first);
	CHECK(send_n(qp, 1, &posted) == 0);
	CHECK(sqe_at(qp, first)->flags & SIW_WQE_VALID);
	free_qp(qp);
}

static void test_doorbell_rule(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	uint32_t first = qp->sq.ring.pos;
	int posted;

	send_n(qp, 3, &posted);
	CHECK(doorbells == 1);
	CHECK(doorbell_buf == &qp->db);
	send_n(qp, 1, &posted);		/* the slot before is waiting */
	CHECK(doorbells == 1);
	start_sqe(qp, first + 3);
	send_n(qp, 1, &posted);
	CHECK(doorbells == 2);
	free_qp(qp);

	/* A batch as large as the ring: the slot before it is its own last */
	qp = new_qp(ext, NUM);
	send_n(qp, NUM, &posted);
	CHECK(posted == NUM && doorbells == 1);
	free_qp(qp);
}

static void test_ctrl_word(void)
{
	struct siw_qp *qp = new_qp(true, NUM);
	struct ibv_recv_wr rwr = { .wr_id = 1 };
	struct ibv_recv_wr *bad;
	int posted;

	qp->ctrl->flags = SIW_QP_CTRL_TX_ACTIVE;
	send_n(qp, 1, &posted);
	CHECK(doorbells == 0);
	CHECK(!siw_post_recv(&qp->vqp.qp, &rwr, &bad));
	CHECK(doorbells == 0);
	qp->ctrl->flags |= SIW_QP_CTRL_ERROR;
	send_n(qp, 1, &posted);
	CHECK(doorbells == 1);
	CHECK(!siw_post_recv(&qp->vqp.qp, &rwr, &bad));
	CHECK(doorbells == 2);
	free_qp(qp);
}

static struct siw_qp *racing_qp;

static void start_first_sqe(void)
{
	start_sqe(racing_qp, (uint32_t)-3);
}

static void test_doorbell_fails(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	uint32_t first = qp->sq.ring.pos;
	int posted;

	/* Refused for good: nothing stays in the ring */
	doorbell_errno = EINVAL;
	doorbell_failures = 1;
	CHECK(send_n(qp, 3, &posted) == EINVAL && posted == 0);
	CHECK(qp->sq.ring.pos == first);
	CHECK(!sqe_at(qp, first)->flags && !sqe_at(qp, first + 2)->flags);

	/* A busy state lock passes, a QP that is not connected does not */
	doorbell_errno = ENOTCONN;
	doorbell_failures = 2;
	CHECK(send_n(qp, 1, &posted) == 0);
	start_sqe(qp, first);
	doorbell_failures = 1000;
	CHECK(send_n(qp, 1, &posted) == ENOTCONN);
	CHECK(qp->sq.ring.pos == first + 1);

	/* The kernel was at work all the same: everything is posted */
	free_qp(qp);
	qp = new_qp(ext, NUM);
	racing_qp = qp;
	on_doorbell = start_first_sqe;
	doorbell_errno = ENOMEM;
	doorbell_failures = 1;
	CHECK(send_n(qp, 3, &posted) == 0);
	CHECK(qp->sq.ring.pos == first + 3);
	CHECK(sqe_at(qp, first + 1)->flags & SIW_WQE_VALID);
	CHECK(sqe_at(qp, first + 2)->flags & SIW_WQE_VALID);
	on_doorbell = NULL;

	/* Changed credentials: the library's command from now on */
	start_sqe(qp, first + 2);
	doorbell_errno = EACCES;
	doorbell_failures = 1;
	CHECK(send_n(qp, 1, &posted) == 0);
	CHECK(ctx.no_write && cmd_doorbells == 1);
	free_qp(qp);
}

static void test_fields_v1(void)
{
	struct siw_qp *qp = new_qp(false, NUM);
	struct ibv_sge sg[2] = { { 0x1000, 16, 7 }, { 0x2000, 32, 9 } };
	struct ibv_send_wr wr = {
		.wr_id = 42, .sg_list = sg, .num_sge = 2,
		.opcode = IBV_WR_SEND_WITH_INV, .invalidate_rkey = 0xabcd,
		.send_flags = IBV_SEND_SIGNALED | IBV_SEND_SOLICITED |
			      IBV_SEND_FENCE,
	};
	struct siw_sqe *sqe = sqe_at(qp, qp->sq.ring.pos);
	struct ibv_send_wr *bad;

	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->id == 42 && sqe->num_sge == 2 && sqe->rkey == 0xabcd);
	CHECK(sqe->opcode == SIW_OP_SEND_REMOTE_INV);
	CHECK(sqe->flags == (SIW_WQE_VALID | SIW_WQE_SIGNALLED |
			     SIW_WQE_SOLICITED | SIW_WQE_READ_FENCE));
	CHECK(sqe->sge[1].laddr == 0x2000 && sqe->sge[1].length == 32 &&
	      sqe->sge[1].lkey == 9);

	/* A fenced Read blocks a stock kernel's SQ */
	sqe = sqe_at(qp, qp->sq.ring.pos);
	wr.opcode = IBV_WR_RDMA_READ;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	wr.num_sge = 1;
	wr.wr.rdma.rkey = 5;
	wr.wr.rdma.remote_addr = 0x123456789a;
	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->flags == (SIW_WQE_VALID | SIW_WQE_SIGNALLED));
	CHECK(sqe->rkey == 5 && sqe->raddr == 0x123456789a);

	wr.num_sge = 5;
	wr.opcode = IBV_WR_SEND;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL && bad == &wr);
	wr.num_sge = -1;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	wr.num_sge = 0;
	wr.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EOPNOTSUPP);
	wr.opcode = 77;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	free_qp(qp);
}

static void test_inline(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	char data[100] = "inline data of two pieces";
	struct ibv_sge sg[2] = { { (uintptr_t)data, 7, 0 },
				 { (uintptr_t)data + 7, 18, 0 } };
	struct ibv_send_wr wr = {
		.sg_list = sg, .num_sge = 2, .opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_INLINE,
	};
	struct siw_sqe *sqe = sqe_at(qp, qp->sq.ring.pos);
	struct ibv_send_wr *bad;

	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->flags == (SIW_WQE_VALID | SIW_WQE_INLINE));
	CHECK(!memcmp((char *)sqe + qp->sq.inline_off, data, 25));
	CHECK((ext ? siw_sqe_to_ext(sqe)->inline_len : sqe->sge[0].length) ==
	      25);
	sg[1].length = qp->sq.max_inline - 7;
	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	sg[1].length++;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	sg[1].length = (uint32_t)-7;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	sg[1].length = 1;
	wr.opcode = IBV_WR_RDMA_READ;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	wr.opcode = IBV_WR_SEND_WITH_INV;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == (ext ? 0 : EINVAL));
	free_qp(qp);
}

static void test_fields_ext(void)
{
	struct siw_qp *qp = new_qp(true, NUM);
	struct ibv_sge sg = { 0x1000, 8, 7 };
	struct ibv_mw mw = { .type = IBV_MW_TYPE_2, .rkey = 0x1234501 };
	struct ibv_mr mr = { .lkey = 0x777 };
	struct ibv_send_wr wr = {
		.sg_list = &sg, .num_sge = 1,
		.opcode = IBV_WR_ATOMIC_CMP_AND_SWP,
		.wr.atomic = { .remote_addr = 0x5000, .compare_add = 1,
			       .swap = 2, .rkey = 3 },
	};
	struct siw_sqe_ext *sqe;
	struct siw_sqe_atomic *atomic;
	struct siw_sqe_bind *bind;
	struct ibv_send_wr *bad;

	sqe = siw_sqe_to_ext(sqe_at(qp, qp->sq.ring.pos));
	atomic = (void *)sqe->sge;
	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->opcode == SIW_OP_COMP_AND_SWAP && sqe->rkey == 3 &&
	      sqe->raddr == 0x5000);
	CHECK(atomic->compare_add == 1 && atomic->swap == 2 &&
	      atomic->result.laddr == 0x1000);

	sqe = siw_sqe_to_ext(sqe_at(qp, qp->sq.ring.pos));
	wr.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	wr.imm_data = 0xdeadbeef;
	wr.wr.rdma.rkey = 8;
	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->opcode == SIW_OP_EXT_WRITE_WITH_IMM &&
	      sqe->imm_data == 0xdeadbeef && sqe->rkey == 8 &&
	      sqe->num_sge == 1 && sqe->sge[0].laddr == 0x1000);

	sqe = siw_sqe_to_ext(sqe_at(qp, qp->sq.ring.pos));
	bind = (void *)sqe->sge;
	wr.opcode = IBV_WR_BIND_MW;
	wr.num_sge = 0;
	wr.bind_mw.mw = &mw;
	wr.bind_mw.rkey = 0x1234502;
	wr.bind_mw.bind_info = (struct ibv_mw_bind_info){
		&mr, 0x9000, 0x100, IBV_ACCESS_REMOTE_WRITE };
	CHECK(!siw_post_send(&qp->vqp.qp, &wr, &bad));
	CHECK(sqe->opcode == SIW_OP_EXT_BIND_MW && sqe->rkey == 0x1234502 &&
	      sqe->raddr == 0x9000);
	CHECK(bind->length == 0x100 && bind->mr_stag == 0x777 &&
	      bind->access == IBV_ACCESS_REMOTE_WRITE);
	wr.bind_mw.rkey = 0x9994502;
	CHECK(siw_post_send(&qp->vqp.qp, &wr, &bad) == EINVAL);
	free_qp(qp);
}

static void test_wr_api(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	struct ibv_qp_ex *ex = &qp->vqp.qp_ex;
	uint32_t first = qp->sq.ring.pos;
	int i;

	CHECK(!siw_set_wr_functions(qp, IBV_QP_EX_WITH_SEND |
					IBV_QP_EX_WITH_RDMA_WRITE));
	CHECK(qp->vqp.comp_mask & VERBS_QP_EX);
	CHECK(siw_set_wr_functions(qp, IBV_QP_EX_WITH_TSO) == EOPNOTSUPP);
	CHECK(siw_set_wr_functions(qp, IBV_QP_EX_WITH_SEND_WITH_IMM) ==
	      (ext ? 0 : EOPNOTSUPP));

	ibv_wr_start(ex);
	ex->wr_id = 1;
	ex->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_rdma_write(ex, 11, 0x800);
	ibv_wr_set_sge(ex, 5, 0x1000, 64);
	ex->wr_id = 2;
	ex->wr_flags = 0;
	ibv_wr_send(ex);
	ibv_wr_set_inline_data(ex, "hello", 5);
	CHECK(!(sqe_at(qp, first)->flags & SIW_WQE_VALID));
	CHECK(!ibv_wr_complete(ex));
	CHECK(doorbells == 1);
	CHECK(sqe_at(qp, first)->flags ==
	      (SIW_WQE_VALID | SIW_WQE_SIGNALLED));
	CHECK(sqe_at(qp, first + 1)->flags ==
	      (SIW_WQE_VALID | SIW_WQE_INLINE));
	CHECK(sqe_at(qp, first + 1)->id == 2);

	/* One bad request takes the whole batch with it */
	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_send(ex);
	ibv_wr_set_inline_data(ex, "x", 5000);
	ibv_wr_send(ex);
	CHECK(ibv_wr_complete(ex) == EINVAL);
	CHECK(qp->sq.ring.pos == first + 2);
	ibv_wr_start(ex);
	ibv_wr_send(ex);
	ibv_wr_abort(ex);
	CHECK(qp->sq.ring.pos == first + 2);

	/* More than fits; nothing of it is published before the end */
	for (i = 0; i < 2; i++)
		start_sqe(qp, first + i);
	ibv_wr_start(ex);
	for (i = 0; i < NUM + 1; i++)
		ibv_wr_send(ex);
	CHECK(ibv_wr_complete(ex) == ENOMEM);
	CHECK(!sqe_at(qp, first + 2)->flags);
	free_qp(qp);
}

static void test_recv(bool ext)
{
	struct siw_qp *qp = new_qp(ext, NUM);
	struct ibv_sge sg = { 0x4000, 100, 3 };
	struct ibv_recv_wr wr = { .wr_id = 9, .sg_list = &sg, .num_sge = 1 };
	struct ibv_recv_wr *bad;
	struct siw_rqe *rqe = siw_ring_at(&qp->rq.ring, qp->rq.ring.pos);
	int i;

	CHECK(!siw_post_recv(&qp->vqp.qp, &wr, &bad));
	CHECK(rqe->flags == SIW_WQE_VALID && rqe->id == 9 &&
	      rqe->num_sge == 1 && rqe->sge[0].laddr == 0x4000);
	wr.num_sge = 0;
	for (i = 1; i < NUM; i++)
		CHECK(!siw_post_recv(&qp->vqp.qp, &wr, &bad));
	CHECK(siw_post_recv(&qp->vqp.qp, &wr, &bad) == ENOMEM && bad == &wr);
	CHECK(doorbells == 0);
	rqe->flags = 0;
	wr.num_sge = 5;
	CHECK(siw_post_recv(&qp->vqp.qp, &wr, &bad) == EINVAL);
	free_qp(qp);

	/* Without receives there is no ring */
	qp = new_qp(ext, NUM);
	siw_ring_unmap(&qp->rq.ring);
	wr.num_sge = 0;
	CHECK(siw_post_recv(&qp->vqp.qp, &wr, &bad) == ENOMEM);
	qp->vqp.qp.srq = (void *)1;
	CHECK(siw_post_recv(&qp->vqp.qp, &wr, &bad) == EINVAL);
	free_qp(qp);
}

static void put_cqe(struct siw_cq *cq, uint32_t pos, uint8_t opcode,
		    uint16_t status, uint8_t flags)
{
	struct siw_cqe *cqe = siw_ring_at(&cq->ring, pos);

	memset(cqe, 0, sizeof(*cqe));
	cqe->id = pos;
	cqe->opcode = opcode;
	cqe->status = status;
	cqe->bytes = 55;
	if (cq->ext) {
		((struct siw_cqe_ext *)cqe)->imm_data = 0x99;
		((struct siw_cqe_ext *)cqe)->qp_num = 17;
		((struct siw_cqe_ext *)cqe)->timestamp = 1234;
	} else {
		cqe->qp_id = 17;
	}
	__atomic_store_n(&cqe->flags, flags, __ATOMIC_RELEASE);
}

static void test_poll(bool ext)
{
	struct siw_cq *cq = new_cq_on(ext, NUM);
	uint32_t pos = cq->ring.pos;
	struct ibv_wc wc[NUM];
	int op;

	CHECK(siw_poll_cq(&cq->vcq.cq, NUM, wc) == 0);
	put_cqe(cq, pos, SIW_OP_RECEIVE, SIW_WC_SUCCESS,
		ext ? SIW_CQE_VALID | SIW_CQE_WITH_IMM : SIW_CQE_VALID);
	put_cqe(cq, pos + 1, SIW_OP_READ, SIW_WC_REM_ACCESS_ERR, 1);
	CHECK(siw_poll_cq(&cq->vcq.cq, NUM, wc) == 2);
	CHECK(wc[0].wr_id == pos && wc[0].opcode == IBV_WC_RECV &&
	      wc[0].byte_len == 55 && wc[0].qp_num == 17 &&
	      wc[0].status == IBV_WC_SUCCESS);
	CHECK(wc[0].wc_flags == (ext ? (unsigned int)IBV_WC_WITH_IMM : 0));
	CHECK(!ext || wc[0].imm_data == 0x99);
	CHECK(wc[1].opcode == IBV_WC_RDMA_READ && wc[1].byte_len == 0 &&
	      wc[1].status == IBV_WC_REM_ACCESS_ERR);
	CHECK(wc[1].vendor_err == (ext ? 55 : 0));
	pos += 2;

	/* Whatever a kernel or a bug writes there, no table is overrun */
	for (op = 0; op < 255; op++) {
		put_cqe(cq, pos, op, op * 7, 0xff);
		CHECK(siw_poll_cq(&cq->vcq.cq, 1, wc) == 1);
		pos++;
	}
	put_cqe(cq, pos, SIW_OP_REG_MR, SIW_WC_SUCCESS, 1);
	put_cqe(cq, pos + 1, 200, SIW_WC_SUCCESS, 1);
	put_cqe(cq, pos + 2, SIW_OP_SEND, 300, 1);
	CHECK(siw_poll_cq(&cq->vcq.cq, NUM, wc) == 3);
	for (op = 0; op < 3; op++)
		CHECK(wc[op].status == IBV_WC_GENERAL_ERR);
	free_cq_on(cq);
}

/* Completions of a destroyed queue pair are gone, and their slots free */
static void test_forget(bool ext)
{
	struct siw_cq *cq = new_cq_on(ext, NUM);
	uint32_t pos = cq->ring.pos;
	struct ibv_wc wc[NUM];
	int i;

	for (i = 0; i < NUM; i++) {
		put_cqe(cq, pos + i, SIW_OP_SEND, SIW_WC_SUCCESS, 1);
		if (i % 3)
			continue;
		if (ext)
			((struct siw_cqe_ext *)siw_ring_at(&cq->ring,
							   pos + i))->qp_num = 4;
		else
			((struct siw_cqe *)siw_ring_at(&cq->ring,
						       pos + i))->qp_id = 4;
	}
	siw_cq_forget(&cq->vcq.cq, 17);
	CHECK(cq->ring.pos == pos + NUM - 3);
	for (i = 0; i < NUM - 3; i++)
		put_cqe(cq, pos + NUM + i, SIW_OP_SEND, SIW_WC_SUCCESS, 1);
	siw_cq_forget(&cq->vcq.cq, 17);
	CHECK(cq->ring.pos == pos + 2 * NUM - 6);
	CHECK(siw_poll_cq(&cq->vcq.cq, NUM, wc) == 3);
	for (i = 0; i < 3; i++)
		CHECK(wc[i].wr_id == pos + 3 * i && wc[i].qp_num == 4);
	CHECK(cq->ring.pos == pos + 2 * NUM - 3);
	CHECK(siw_poll_cq(&cq->vcq.cq, NUM, wc) == 0);
	siw_cq_forget(NULL, 17);
	free_cq_on(cq);
}

static void test_poll_ex(bool ext)
{
	struct siw_cq *cq = new_cq_on(ext, NUM);
	struct ibv_cq_ex *ex = &cq->vcq.cq_ex;
	struct ibv_poll_cq_attr attr = {};
	struct ibv_poll_cq_attr bad = { .comp_mask = 1 };
	uint32_t pos = cq->ring.pos;

	CHECK(ibv_start_poll(ex, &bad) == EINVAL);
	CHECK(ibv_start_poll(ex, &attr) == ENOENT);
	CHECK(ibv_start_poll(ex, &attr) == ENOENT);	/* not locked */
	put_cqe(cq, pos, SIW_OP_SEND, SIW_WC_SUCCESS, 1);
	put_cqe(cq, pos + 1, SIW_OP_RECEIVE, SIW_WC_WR_FLUSH_ERR, 1);
	CHECK(!ibv_start_poll(ex, &attr));
	CHECK(ex->wr_id == pos && ex->status == IBV_WC_SUCCESS);
	CHECK(ibv_wc_read_opcode(ex) == IBV_WC_SEND &&
	      ibv_wc_read_byte_len(ex) == 55 && ibv_wc_read_qp_num(ex) == 17);
	CHECK(ibv_wc_read_completion_ts(ex) == (ext ? 1234 : 0));
	CHECK(!ibv_next_poll(ex));
	siw_req_notify_cq(&cq->vcq.cq, 0);	/* may be asked for here */
	cq->ctrl->flags = 0;
	CHECK(ex->status == IBV_WC_WR_FLUSH_ERR &&
	      ibv_wc_read_opcode(ex) == IBV_WC_RECV);
	CHECK(ibv_next_poll(ex) == ENOENT);
	ibv_end_poll(ex);
	CHECK(ibv_start_poll(ex, &attr) == ENOENT);
	siw_req_notify_cq(&cq->vcq.cq, 1);
	CHECK(cq->ctrl->flags == SIW_NOTIFY_SOLICITED);
	siw_req_notify_cq(&cq->vcq.cq, 0);
	CHECK(cq->ctrl->flags ==
	      (SIW_NOTIFY_SOLICITED | SIW_NOTIFY_NEXT_COMPLETION));
	free_cq_on(cq);
}

/*
 * Two posting threads, one thread that plays the kernel's SQ consumer and goes
 * to sleep when it finds nothing, as the ABI allows it: it must never miss an
 * element, and each must arrive whole and once. It completes to a CQ that a
 * fourth thread polls.
 */
static struct siw_qp *thr_qp;
static struct siw_cq *thr_cq;
static uint32_t thr_kicks;
static bool thr_stuck;

static void count_kick(void)
{
	__atomic_store_n(&thr_kicks, 1, __ATOMIC_SEQ_CST);
}

static void complete(uint64_t id, uint32_t *put)
{
	struct siw_cqe *cqe = siw_ring_at(&thr_cq->ring, *put);

	while (__atomic_load_n(&cqe->flags, __ATOMIC_ACQUIRE))
		sched_yield();
	cqe->id = id;
	cqe->opcode = SIW_OP_SEND;
	cqe->status = SIW_WC_SUCCESS;
	cqe->bytes = (uint32_t)id;
	__atomic_store_n(&cqe->flags, SIW_WQE_VALID, __ATOMIC_RELEASE);
	++*put;
}

static void *consumer(void *arg)
{
	uint32_t get = thr_qp->sq.ring.pos, put = thr_cq->ring.pos;
	int left = 2 * THREAD_WRS, idle = 0;
	struct siw_sqe sqe;

	(void)arg;
	while (left && idle < 20000000) {
		struct siw_sqe *slot = sqe_at(thr_qp, get);

		/* Asleep until the doorbell rings */
		if (!__atomic_exchange_n(&thr_kicks, 0, __ATOMIC_SEQ_CST)) {
			sched_yield();
			idle++;
			continue;
		}
		idle = 0;
		while (siw_wqe_is_valid(&slot->flags)) {
			memcpy(&sqe, slot, sizeof(sqe));
			__atomic_store_n(&slot->flags, 0, __ATOMIC_SEQ_CST);
			if (sqe.id != sqe.sge[0].laddr ||
			    sqe.num_sge != 1)
				thr_stuck = true;
			complete(sqe.id, &put);
			left--;
			slot = sqe_at(thr_qp, ++get);
		}
	}
	if (left)
		thr_stuck = true;
	return NULL;
}

static void *producer(void *arg)
{
	uint64_t base = (uintptr_t)arg;
	struct ibv_send_wr *bad;
	int i;

	for (i = 0; i < THREAD_WRS && !thr_stuck; i++) {
		struct ibv_sge sg = { .addr = base + i };
		struct ibv_send_wr wr = {
			.wr_id = base + i, .sg_list = &sg, .num_sge = 1,
			.opcode = IBV_WR_SEND,
		};

		while (siw_post_send(&thr_qp->vqp.qp, &wr, &bad) == ENOMEM &&
		       !thr_stuck)
			sched_yield();
	}
	return NULL;
}

static void test_threads(void)
{
	uint64_t next[2] = { 0, 0 };
	pthread_t thr[3];
	struct ibv_wc wc;
	int left = 2 * THREAD_WRS;

	thr_qp = new_qp(false, NUM);
	thr_cq = new_cq_on(false, NUM);
	thr_stuck = false;
	on_doorbell = count_kick;
	pthread_create(&thr[0], NULL, consumer, NULL);
	pthread_create(&thr[1], NULL, producer, (void *)0);
	pthread_create(&thr[2], NULL, producer, (void *)(1UL << 32));
	while (left && !thr_stuck) {
		if (!siw_poll_cq(&thr_cq->vcq.cq, 1, &wc)) {
			sched_yield();
			continue;
		}
		left--;
		if ((uint32_t)wc.wr_id != next[wc.wr_id >> 32]++ ||
		    wc.byte_len != (uint32_t)wc.wr_id)
			thr_stuck = true;
	}
	pthread_join(thr[0], NULL);
	pthread_join(thr[1], NULL);
	pthread_join(thr[2], NULL);
	CHECK(!thr_stuck && !left);
	free_qp(thr_qp);
	free_cq_on(thr_cq);
}

#define RUN(name, call) do { \
	int before = failed; \
	failed = 0; \
	call; \
	printf("%sok %d %s\n", failed ? "not " : "", ++test_no, name); \
	failed |= before; \
} while (0)

int main(void)
{
	printf("KTAP version 1\n1..17\n");
	RUN("ring full, version 1", test_ring_full(false));
	RUN("ring full, extended", test_ring_full(true));
	RUN("doorbell rule, version 1", test_doorbell_rule(false));
	RUN("doorbell rule, extended", test_doorbell_rule(true));
	RUN("control word", test_ctrl_word());
	RUN("failing doorbell, version 1", test_doorbell_fails(false));
	RUN("failing doorbell, extended", test_doorbell_fails(true));
	RUN("SQE fields, version 1", test_fields_v1());
	RUN("SQE fields, extended", test_fields_ext());
	RUN("inline data", (test_inline(false), test_inline(true)));
	RUN("ibv_wr_*, version 1", test_wr_api(false));
	RUN("ibv_wr_*, extended", test_wr_api(true));
	RUN("receives", (test_recv(false), test_recv(true)));
	RUN("polling", (test_poll(false), test_poll(true)));
	RUN("forgetting", (test_forget(false), test_forget(true)));
	RUN("extended polling", (test_poll_ex(false), test_poll_ex(true)));
	RUN("threads", test_threads());
	return failed;
}
