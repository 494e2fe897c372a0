// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Each allocation and each copy from or to user space that a call makes fails
 * once: call n = 1, 2, ... times with the n-th of them failing
 * (/proc/thread-self/fail-nth), until a call comes through unhurt. Every call
 * must answer with success or with an errno that says what happened, and
 * whatever it answers, all can be taken down and the next call works.
 *
 * What runs in workers and in softirq does not count there; fault.sh has
 * failures there come by chance.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* No call has as many places to fail. */
#define MAX_NTH		3000
#define BIG		1048576
#define DEVICE		"siw2"
/* For the link that comes and goes; fault.sh makes the netdev, in h2. */
#define LINK		"siwf"
#define NETDEV		"dumf"

/* --- faults ------------------------------------------------------------- */

static int nth_fd = -1;

static void faults_open(void)
{
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		skip_case("this kernel has no fault injection");
}

static void fault_arm(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	CHECK_EQ(pwrite(nth_fd, text, len, 0), len);
}

/* Whether the fault came; asking may be what it hits, which is no answer. */
static bool fault_disarm(void)
{
	char text[16] = "";
	bool came = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 &&
		    !atoi(text);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	return came;
}

static bool errno_says_it(int err)
{
	/* ENFILE is what a socket without an inode gives */
	return err == ENOMEM || err == EFAULT || err == ENOBUFS || err == ENFILE;
}

/* --- what is called ------------------------------------------------------ */

/* All that the calls work on; what is NULL does not exist. */
struct things {
	struct ibv_device *dev;
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_comp_channel *cc;
	struct ibv_cq *cq;
	struct ibv_cq *cq2;
	struct ibv_srq *srq;
	struct ibv_qp *qp;
	struct ibv_mr *mr;
	struct ibv_mw *mw;
	struct buf buf;
	struct rig rig;
	struct buf src;
	struct buf dst;
	int sock;
	int index;
};

/**
 * struct call - one row: a call, what must exist before, and its undoing
 * @name: of the case
 * @before: makes what the call needs; may be NULL
 * @run: the call; 0 or an errno
 * @after: checks what a call that returned 0 has done; may be NULL
 * @down: takes all down, whether the call succeeded or not
 * @other: an errno this call may give beside those of errno_says_it()
 * @seconds: time limit, if it has very many allocations
 */
struct call {
	const char *name;
	void (*before)(struct things *t);
	int (*run)(struct things *t);
	void (*after)(struct things *t);
	void (*down)(struct things *t);
	int other;
	unsigned int seconds;
};

static void sweep(const void *arg)
{
	const struct call *c = arg;
	unsigned int n, errors = 0;
	bool came = true;
	int err;

	faults_open();
	for (n = 1; came && n < MAX_NTH; n++) {
		struct things t = { .sock = -1 };

		if (c->before)
			c->before(&t);
		fault_arm(n);
		err = c->run(&t);
		came = fault_disarm();
		if (err && !came)
			FAIL("no fault, yet errno %d (%s)", err,
			     strerror(err));
		if (err && !errno_says_it(err) && err != c->other)
			FAIL("fault %u gives errno %d (%s)", n, err,
			     strerror(err));
		errors += !!err;
		if (!err && c->after)
			c->after(&t);
		c->down(&t);
	}
	note("%u faults, %u refusals", n - 2, errors);
	CHECK(!came);
	CHECK(n > 2);
}

/* --- verbs objects ------------------------------------------------------- */

static void have_dev(struct things *t)
{
	static struct ibv_device **list;
	int i;

	if (!list)
		list = ibv_get_device_list(NULL);
	CHECK(list);
	for (i = 0; list[i]; i++)
		if (!strcmp(ibv_get_device_name(list[i]), DEVICE))
			t->dev = list[i];
	CHECK(t->dev);
}

static int run_open(struct things *t)
{
	errno = ENOMEM;
	t->ctx = ibv_open_device(t->dev);
	return t->ctx ? 0 : errno;
}

static void have_ctx(struct things *t)
{
	have_dev(t);
	CHECK_EQ(run_open(t), 0);
}

static int run_alloc_pd(struct things *t)
{
	t->pd = ibv_alloc_pd(t->ctx);
	return t->pd ? 0 : errno;
}

static void have_pd(struct things *t)
{
	have_ctx(t);
	CHECK_EQ(run_alloc_pd(t), 0);
	buf_new(&t->buf, NULL, BIG, 0, 0);
}

static void have_cq(struct things *t)
{
	have_pd(t);
	t->cc = ibv_create_comp_channel(t->ctx);
	CHECK(t->cc);
	t->cq = ibv_create_cq(t->ctx, 100, NULL, t->cc, 0);
	CHECK(t->cq);
}

/*
 * Taking down may fail, for the answer to the process needs memory too; the
 * object is then there as before, or gone all the same.
 */
static void gone(int err)
{
	if (err && err != ENOENT)
		FAIL("errno %d (%s)", err, strerror(err));
}

static void all_gone(struct things *t)
{
	if (t->mw)
		CHECK_OK(ibv_dealloc_mw(t->mw));
	if (t->mr)
		gone(ibv_dereg_mr(t->mr));
	if (t->qp)
		gone(ibv_destroy_qp(t->qp));
	if (t->srq)
		gone(ibv_destroy_srq(t->srq));
	if (t->cq2)
		gone(ibv_destroy_cq(t->cq2));
	if (t->cq)
		gone(ibv_destroy_cq(t->cq));
	if (t->cc)
		CHECK_OK(ibv_destroy_comp_channel(t->cc));
	if (t->pd)
		CHECK_OK(ibv_dealloc_pd(t->pd));
	if (t->buf.map)
		buf_free(&t->buf);
	if (t->ctx)
		CHECK_OK(ibv_close_device(t->ctx));
}

static int run_create_cq(struct things *t)
{
	t->cq2 = ibv_create_cq(t->ctx, 1000, NULL, NULL, 0);
	return t->cq2 ? 0 : errno;
}

static int run_resize_cq(struct things *t)
{
	int err = ibv_resize_cq(t->cq, 1000);

	return err < 0 ? errno : err;
}

static int run_create_srq(struct things *t)
{
	struct ibv_srq_init_attr ia = {
		.attr = { .max_wr = 100, .max_sge = 2 },
	};

	t->srq = ibv_create_srq(t->pd, &ia);
	return t->srq ? 0 : errno;
}

static int run_create_qp(struct things *t)
{
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.send_cq = t->cq,
		.recv_cq = t->cq,
		.cap = { .max_send_wr = 100, .max_recv_wr = 100,
			 .max_send_sge = 2, .max_recv_sge = 2 },
	};

	t->qp = ibv_create_qp(t->pd, &ia);
	return t->qp ? 0 : errno;
}

static int run_modify_qp(struct things *t)
{
	struct ibv_qp_attr a = { .qp_state = IBV_QPS_ERR };
	int err = ibv_modify_qp(t->qp, &a, IBV_QP_STATE);

	return err < 0 ? errno : err;
}

static int run_query_qp(struct things *t)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;
	int err = ibv_query_qp(t->qp, &a, IBV_QP_STATE, &ia);

	return err < 0 ? errno : err;
}

static int run_reg_mr(struct things *t)
{
	t->mr = ibv_reg_mr(t->pd, t->buf.p, BIG, RW_ACCESS);
	return t->mr ? 0 : errno;
}

static int run_alloc_mw(struct things *t)
{
	t->mw = ibv_alloc_mw(t->pd, IBV_MW_TYPE_1);
	return t->mw ? 0 : errno;
}

static void have_qp(struct things *t)
{
	have_cq(t);
	CHECK_EQ(run_create_qp(t), 0);
}

static void have_srq(struct things *t)
{
	have_pd(t);
	CHECK_EQ(run_create_srq(t), 0);
}

static void have_mr(struct things *t)
{
	have_pd(t);
	CHECK_EQ(run_reg_mr(t), 0);
}

/* The verbs that the stock provider lacks */
static void have_ours(struct things *t)
{
	if (stock_provider())
		skip_case("the stock provider has no such verb");
	have_cq(t);
}

static int downed(void **obj, int err)
{
	if (!err)
		*obj = NULL;
	return err < 0 ? errno : err;
}

static int run_destroy_qp(struct things *t)
{
	return downed((void **)&t->qp, ibv_destroy_qp(t->qp));
}

static int run_destroy_srq(struct things *t)
{
	return downed((void **)&t->srq, ibv_destroy_srq(t->srq));
}

static int run_destroy_cq(struct things *t)
{
	return downed((void **)&t->cq2, ibv_destroy_cq(t->cq2));
}

static int run_dereg_mr(struct things *t)
{
	return downed((void **)&t->mr, ibv_dereg_mr(t->mr));
}

static int run_dealloc_pd(struct things *t)
{
	return downed((void **)&t->pd, ibv_dealloc_pd(t->pd));
}

static void have_cq2(struct things *t)
{
	have_cq(t);
	CHECK_EQ(run_create_cq(t), 0);
}

/* --- the end of a process ------------------------------------------------ */

/* A process ends with all kinds of objects; nobody is asked, nothing left. */
static void exit_hurt(unsigned int n)
{
	struct things t = { .sock = -1 };

	have_qp(&t);
	CHECK_EQ(run_create_srq(&t), 0);
	CHECK_EQ(run_reg_mr(&t), 0);
	faults_open();
	fault_arm(n);
	_exit(0);
}

static bool came_to(pid_t pid)
{
	char path[64], text[16] = "";
	siginfo_t si;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(si.si_status, 0);
	return !atoi(text);
}

static void exits(const void *arg)
{
	unsigned int n;
	pid_t pid;

	faults_open();
	for (n = 1; n < MAX_NTH; n++) {
		fflush(stdout);
		pid = fork();
		if (!pid)
			exit_hurt(n);
		if (!came_to(pid))
			break;
	}
	note("%u faults", n - 1);
	CHECK(n < MAX_NTH);
}

/* --- connections --------------------------------------------------------- */

static void have_resolved(struct things *t)
{
	t->rig.s.host = SRV;
	listen_on(&t->rig, SRV, host_addr(SRV), 0, 16);
	ep_resolve(&t->rig.c, CLI, host_addr(SRV), t->rig.port);
	ep_make_qp(&t->rig.c, NULL);
}

static void rig_down(struct things *t)
{
	if (t->src.map)
		buf_free(&t->src);
	if (t->dst.map)
		buf_free(&t->dst);
	rig_close(&t->rig);
}

static void have_bound(struct things *t)
{
	struct sockaddr_storage ss;

	ns_enter(SRV);
	t->rig.lch = cm_channel();
	CHECK_OK(rdma_create_id(t->rig.lch, &t->rig.lid, NULL, RDMA_PS_TCP));
	CHECK_OK(rdma_bind_addr(t->rig.lid,
				sa_parse(host_addr(SRV), 0, &ss)));
}

static int run_listen(struct things *t)
{
	return rdma_listen(t->rig.lid, 16) ? errno : 0;
}

static int run_connect(struct things *t)
{
	struct rdma_conn_param p = conn_param(&t->rig.c.attr);

	return rdma_connect(t->rig.c.id, &p) ? errno : 0;
}

/* What was begun comes to its end. */
static void connected(struct things *t)
{
	struct rig *r = &t->rig;

	r->creq = cm_expect(r->lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r->s, r->creq.id, NULL);
	cm_expect(r->c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r->s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	rig_ping(r);
}

static void have_request(struct things *t)
{
	struct rig *r = &t->rig;

	have_resolved(t);
	ep_connect(&r->c);
	r->creq = cm_expect(r->lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	r->s.id = r->creq.id;
	r->s.ch = cm_channel();
	CHECK_OK(rdma_migrate_id(r->s.id, r->s.ch));
	ep_make_qp(&r->s, NULL);
}

static int run_accept(struct things *t)
{
	struct rdma_conn_param p = conn_param(&t->rig.s.attr);

	return rdma_accept(t->rig.s.id, &p) ? errno : 0;
}

static void accepted(struct things *t)
{
	cm_expect(t->rig.c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(t->rig.s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	rig_ping(&t->rig);
}

static int run_reject(struct things *t)
{
	return rdma_reject(t->rig.s.id, NULL, 0) ? errno : 0;
}

/*
 * Without memory for the Reply the connection is just closed. An initiator takes
 * that for a peer of revision 1 and asks once more, plainly.
 */
static void rejected(struct things *t)
{
	struct rig *r = &t->rig;
	struct cmev ev;
	int ms;

	for (ms = 0; ms < WAIT_MS; ms += 100) {
		if (cm_wait(r->c.ch, &ev, 100)) {
			CHECK_EQ(ev.type, RDMA_CM_EVENT_REJECTED);
			return;
		}
		if (cm_wait(r->lch, &ev, 0)) {
			CHECK_EQ(ev.type, RDMA_CM_EVENT_CONNECT_REQUEST);
			CHECK_OK(rdma_reject(ev.id, NULL, 0));
			CHECK_OK(rdma_destroy_id(ev.id));
		}
	}
	FAIL("the peer is never told");
}

static void have_connection(struct things *t)
{
	struct rig *r = &t->rig;

	rig_connect(r);
	buf_new(&t->src, r->c.pd, BIG, 1, RW_ACCESS);
	buf_new(&t->dst, r->s.pd, BIG, 2, RW_ACCESS);
	buf_fill(&t->src, 5);
	buf_clear(&t->dst);
}

static int run_disconnect(struct things *t)
{
	return rdma_disconnect(t->rig.c.id) ? errno : 0;
}

static void disconnected(struct things *t)
{
	CHECK(cm_wait_end(t->rig.s.ch, WAIT_MS));
	CHECK(cm_wait_end(t->rig.c.ch, WAIT_MS));
}

static int post(struct things *t, enum ibv_wr_opcode opcode)
{
	bool read = opcode == IBV_WR_RDMA_READ;
	struct buf *local = read ? &t->dst : &t->src;
	struct buf *remote = read ? &t->src : &t->dst;
	struct ibv_sge ls = buf_sge(local, 0, BIG);
	struct op o = { .id = 77, .opcode = opcode, .sge = &ls, .nsge = 1,
			.flags = IBV_SEND_SIGNALED,
			.raddr = (uintptr_t)remote->p,
			.rkey = remote->mr->rkey };

	return try_op(read ? &t->rig.s : &t->rig.c, &o);
}

static int run_write(struct things *t)
{
	return post(t, IBV_WR_RDMA_WRITE);
}

static int run_read(struct things *t)
{
	return post(t, IBV_WR_RDMA_READ);
}

/* The Read behind it shows that all of the Write is there. */
static void written(struct things *t)
{
	struct ibv_sge ls = buf_sge(&t->src, 0, 1);
	struct op o = { .id = 78, .opcode = IBV_WR_RDMA_READ, .sge = &ls,
			.nsge = 1, .flags = IBV_SEND_SIGNALED,
			.raddr = (uintptr_t)t->dst.p,
			.rkey = t->dst.mr->rkey };

	wc_expect(t->rig.c.scq, 77, IBV_WC_SUCCESS);
	post_op(&t->rig.c, &o);
	wc_expect(t->rig.c.scq, 78, IBV_WC_SUCCESS);
	buf_check(&t->dst, 0, BIG, 5, 0);
}

static void was_read(struct things *t)
{
	wc_expect(t->rig.s.scq, 77, IBV_WC_SUCCESS);
	buf_check(&t->dst, 0, BIG, 5, 0);
}

/* --- links --------------------------------------------------------------- */

struct request {
	struct nlmsghdr nh;
	uint8_t attrs[256];
};

static void add_attr(struct request *rq, int type, const void *data,
		     size_t len)
{
	struct nlattr *a = (void *)rq + NLMSG_ALIGN(rq->nh.nlmsg_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	memcpy((void *)a + NLA_HDRLEN, data, len);
	rq->nh.nlmsg_len = NLMSG_ALIGN(rq->nh.nlmsg_len) +
			   NLA_ALIGN(a->nla_len);
}

static struct request request(int cmd, int flags)
{
	struct request rq = {
		.nh = { .nlmsg_len = NLMSG_HDRLEN,
			.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, cmd),
			.nlmsg_flags = NLM_F_REQUEST | flags },
	};

	return rq;
}

/* One answer; 0 or an errno */
static int answer(int sock, void *buf, size_t room, ssize_t *len)
{
	struct nlmsghdr *nh = buf;

	*len = recv(sock, buf, room, 0);
	if (*len < 0)
		return errno;
	if (nh->nlmsg_type == NLMSG_ERROR)
		return -((struct nlmsgerr *)NLMSG_DATA(nh))->error;
	return 0;
}

static int ask(int sock, struct request *rq)
{
	uint8_t buf[1024];
	ssize_t len;

	if (send(sock, rq, rq->nh.nlmsg_len, 0) < 0)
		return errno;
	return answer(sock, buf, sizeof(buf), &len);
}

static void have_socket(struct things *t)
{
	struct timeval tv = { .tv_sec = WAIT_MS / 1000 };

	ns_enter(CLI);
	t->sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_RDMA);
	CHECK(t->sock >= 0);
	CHECK_OK(setsockopt(t->sock, SOL_SOCKET, SO_RCVTIMEO, &tv,
			    sizeof(tv)));
}

static int run_newlink(struct things *t)
{
	struct request rq = request(RDMA_NLDEV_CMD_NEWLINK, NLM_F_ACK);

	add_attr(&rq, RDMA_NLDEV_ATTR_DEV_NAME, LINK, sizeof(LINK));
	add_attr(&rq, RDMA_NLDEV_ATTR_LINK_TYPE, "siw", 4);
	add_attr(&rq, RDMA_NLDEV_ATTR_NDEV_NAME, NETDEV, sizeof(NETDEV));
	return ask(t->sock, &rq);
}

/* Index of the device called LINK in one message of a list, or -1 */
static int index_in(struct nlmsghdr *nh)
{
	int rest = nh->nlmsg_len - NLMSG_HDRLEN, index = -1;
	struct nlattr *a = NLMSG_DATA(nh);
	bool found = false;

	while (rest >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN) {
		void *data = (void *)a + NLA_HDRLEN;

		if (a->nla_type == RDMA_NLDEV_ATTR_DEV_INDEX)
			memcpy(&index, data, 4);
		if (a->nla_type == RDMA_NLDEV_ATTR_DEV_NAME)
			found = !strcmp(data, LINK);
		rest -= NLA_ALIGN(a->nla_len);
		a = (void *)a + NLA_ALIGN(a->nla_len);
	}
	return found ? index : -1;
}

static int link_index(void)
{
	struct request rq = request(RDMA_NLDEV_CMD_GET, NLM_F_DUMP);
	struct things t;
	uint8_t buf[65536];
	int index = -1, err, i;
	ssize_t len;

	have_socket(&t);
	CHECK(send(t.sock, &rq, rq.nh.nlmsg_len, 0) > 0);
	for (;;) {
		struct nlmsghdr *nh = (void *)buf;

		err = answer(t.sock, buf, sizeof(buf), &len);
		CHECK_EQ(err, 0);
		for (; NLMSG_OK(nh, len); nh = NLMSG_NEXT(nh, len)) {
			if (nh->nlmsg_type == NLMSG_DONE) {
				close(t.sock);
				return index;
			}
			i = index_in(nh);
			if (i >= 0)
				index = i;
		}
	}
}

static int run_dellink(struct things *t)
{
	struct request rq = request(RDMA_NLDEV_CMD_DELLINK, NLM_F_ACK);

	add_attr(&rq, RDMA_NLDEV_ATTR_DEV_INDEX, &t->index, 4);
	return ask(t->sock, &rq);
}

static void link_is_there(struct things *t)
{
	CHECK(link_index() >= 0);
}

static void link_is_gone(struct things *t)
{
	CHECK(link_index() < 0);
}

/* An answer that was lost says nothing of the link: a new socket asks. */
static void link_down(struct things *t)
{
	struct things other = { .index = link_index() };

	close(t->sock);
	if (other.index < 0)
		return;
	have_socket(&other);
	CHECK_EQ(run_dellink(&other), 0);
	close(other.sock);
	link_is_gone(t);
}

static void have_link(struct things *t)
{
	have_socket(t);
	CHECK_EQ(run_newlink(t), 0);
	t->index = link_index();
	CHECK(t->index >= 0);
}

/* --- all ----------------------------------------------------------------- */

static const struct call calls[] = {
	/* the library tries other files before it says which is missing */
	{ "open", have_dev, run_open, NULL, all_gone, ENOENT },
	{ "alloc_pd", have_ctx, run_alloc_pd, NULL, all_gone },
	{ "create_cq", have_cq, run_create_cq, NULL, all_gone },
	{ "resize_cq", have_ours, run_resize_cq, NULL, all_gone },
	{ "create_srq", have_pd, run_create_srq, NULL, all_gone },
	{ "create_qp", have_cq, run_create_qp, NULL, all_gone },
	{ "modify_qp", have_qp, run_modify_qp, NULL, all_gone },
	{ "query_qp", have_qp, run_query_qp, NULL, all_gone },
	{ "reg_mr", have_pd, run_reg_mr, NULL, all_gone },
	{ "alloc_mw", have_ours, run_alloc_mw, NULL, all_gone },
	{ "destroy_qp", have_qp, run_destroy_qp, NULL, all_gone },
	{ "destroy_srq", have_srq, run_destroy_srq, NULL, all_gone },
	{ "destroy_cq", have_cq2, run_destroy_cq, NULL, all_gone },
	{ "dereg_mr", have_mr, run_dereg_mr, NULL, all_gone },
	{ "dealloc_pd", have_pd, run_dealloc_pd, NULL, all_gone },
	/* what TCP says of a port that it has no memory for */
	{ "listen", have_bound, run_listen, NULL, rig_down, EADDRINUSE },
	{ "connect", have_resolved, run_connect, connected, rig_down },
	{ "accept", have_request, run_accept, accepted, rig_down },
	{ "reject", have_request, run_reject, rejected, rig_down },
	{ "disconnect", have_connection, run_disconnect, disconnected,
	  rig_down },
	{ "write", have_connection, run_write, written, rig_down },
	{ "read", have_connection, run_read, was_read, rig_down },
	/* uverbs makes tables of all that the device can do */
	{ "newlink", have_socket, run_newlink, link_is_there, link_down,
	  .seconds = 400 },
	{ "dellink", have_link, run_dellink, link_is_gone, link_down },
};

int main(int argc, char **argv)
{
	struct test_case cases[ARRAY_SIZE(calls) + 1] = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		cases[i].name = calls[i].name;
		cases[i].fn = sweep;
		cases[i].arg = &calls[i];
		cases[i].seconds = calls[i].seconds;
		if (!cases[i].seconds)
			cases[i].seconds = 120;
	}
	cases[i].name = "exit";
	cases[i].fn = exits;
	cases[i].seconds = 120;
	return ktap_main(cases, ARRAY_SIZE(cases), argc, argv);
}
