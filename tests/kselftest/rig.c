// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#define _GNU_SOURCE
#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SECONDS	30
#define CANARY_LEN	64
#define CANARY		0xa5
#define TABLE_LEN	65521

static int skip_fd = -1;
static bool v6;

/* --- KTAP ------------------------------------------------------------- */

void fail_at(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list ap;

	printf("# %s:%d: ", base ? base + 1 : file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(KSFT_FAIL);
}

void skip_case(const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (skip_fd >= 0 && write(skip_fd, text, strlen(text)) < 0)
		_exit(KSFT_FAIL);
	fflush(stdout);
	_exit(KSFT_SKIP);
}

void note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000L };

	nanosleep(&ts, NULL);
}

/* Say where in the kernel the threads of a process sleep. */
static void show_stacks(pid_t pid)
{
	char path[300], line[200];
	struct dirent *d;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stack", pid,
			 d->d_name);
		f = fopen(path, "r");
		while (f && fgets(line, sizeof(line), f))
			printf("# %s: %s", d->d_name, line);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
}

/* A child stuck in the kernel cannot be reaped: report it and go on. */
static int reap(pid_t pid, unsigned int seconds, bool *late)
{
	uint64_t end = now_ms() + seconds * 1000ULL;
	int status;

	*late = false;
	for (;;) {
		pid_t r = waitpid(pid, &status, WNOHANG);

		if (r == pid)
			return status;
		if (r < 0)
			return -1;
		if (now_ms() > end) {
			if (*late) {
				show_stacks(pid);
				return -1;
			}
			*late = true;
			kill(pid, SIGKILL);
			end = now_ms() + 5000;
		}
		sleep_ms(2);
	}
}

/* KSFT_EXCEPT names cases to leave out, say one that crashes this kernel. */
static bool excepted(const char *name)
{
	const char *p = getenv("KSFT_EXCEPT");
	size_t len = strlen(name);

	while (p && (p = strstr(p, name))) {
		if (!p[len] || p[len] == ' ')
			return true;
		p += len;
	}
	return false;
}

/**
 * slow_factor() - how much slower than usual this kernel is
 *
 * Return: 1, or what KSFT_SLOW says.
 */
unsigned int slow_factor(void)
{
	const char *p = getenv("KSFT_SLOW");
	int n = p ? atoi(p) : 1;

	return n > 1 ? n : 1;
}

static int run_case(const struct test_case *tc, size_t num)
{
	unsigned int seconds = slow_factor() *
			       (tc->seconds ? tc->seconds : DEFAULT_SECONDS);
	char reason[200] = "";
	int pfd[2], status;
	ssize_t len;
	pid_t pid;
	bool late;

	if (excepted(tc->name)) {
		printf("ok %zu %s # SKIP named in KSFT_EXCEPT\n", num,
		       tc->name);
		return KSFT_SKIP;
	}
	if (pipe(pfd))
		exit(KSFT_FAIL);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		skip_fd = pfd[1];
		close(pfd[0]);
		tc->fn(tc->arg);
		fflush(stdout);
		_exit(KSFT_PASS);
	}
	close(pfd[1]);
	status = reap(pid, seconds, &late);
	fcntl(pfd[0], F_SETFL, O_NONBLOCK);
	len = read(pfd[0], reason, sizeof(reason) - 1);
	close(pfd[0]);
	if (late)
		printf("# no end after %u s%s\n", seconds,
		       status < 0 ? ", stuck in the kernel" : "");
	else if (status >= 0 && WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	if (!late && WIFEXITED(status) && !WEXITSTATUS(status)) {
		printf("ok %zu %s\n", num, tc->name);
		return KSFT_PASS;
	}
	if (!late && WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP) {
		printf("ok %zu %s # SKIP %s\n", num, tc->name,
		       len > 0 ? reason : "");
		return KSFT_SKIP;
	}
	printf("not ok %zu %s\n", num, tc->name);
	return KSFT_FAIL;
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	if (!argc)
		return true;
	for (i = 0; i < argc; i++)
		if (!strncmp(name, argv[i], strlen(argv[i])))
			return true;
	return false;
}

static int run_timed(const struct test_case *tc, size_t num)
{
	uint64_t start = now_ms();
	int rc = run_case(tc, num);

	if (now_ms() - start >= 1000)
		printf("# %s: %llu ms\n", tc->name,
		       (unsigned long long)(now_ms() - start));
	return rc;
}

/**
 * ktap_main() - run the cases named on the command line, or all
 * @cases: table
 * @n: its length
 * @argc: as given to main()
 * @argv: as given to main(): [-4|-6] [-l] [prefix...]
 *
 * Return: an exit code as kselftest wants it.
 */
int ktap_main(const struct test_case *cases, size_t n, int argc, char **argv)
{
	size_t i, num = 0, count[5] = { 0 };
	bool list = false;
	int opt;

	while ((opt = getopt(argc, argv, "46l")) != -1) {
		switch (opt) {
		case '4':
			v6 = false;
			break;
		case '6':
			v6 = true;
			break;
		case 'l':
			list = true;
			break;
		default:
			fprintf(stderr, "usage: %s [-4|-6] [-l] [prefix...]\n",
				argv[0]);
			return KSFT_FAIL;
		}
	}
	argc -= optind;
	argv += optind;
	if (!list)
		printf("TAP version 13\n");
	for (i = 0; i < n; i++) {
		if (!wanted(cases[i].name, argc, argv))
			continue;
		if (list)
			printf("%s\n", cases[i].name);
		else
			count[run_timed(&cases[i], ++num)]++;
	}
	if (list)
		return KSFT_PASS;
	printf("1..%zu\n# Totals: pass:%zu fail:%zu skip:%zu\n", num,
	       count[KSFT_PASS], count[KSFT_FAIL], count[KSFT_SKIP]);
	if (count[KSFT_FAIL] || !num)
		return KSFT_FAIL;
	return count[KSFT_PASS] ? KSFT_PASS : KSFT_SKIP;
}

/**
 * stock_provider() - is the distribution's libsiw under test?
 *
 * Return: true unless SIW_PROVIDER names another provider.
 */
bool stock_provider(void)
{
	const char *p = getenv("SIW_PROVIDER");

	return !p || !*p || !strcmp(p, "stock");
}

bool is_v6(void)
{
	return v6;
}

/* --- namespaces and addresses ------------------------------------------ */

static const char *env_or(const char *name, const char *other)
{
	const char *v = getenv(name);

	return v ? v : other;
}

/**
 * ns_enter() - move the thread into the network namespace of a host
 * @h: host; RIG_SRV_NS and RIG_CLI_NS name the namespaces, empty for none
 */
void ns_enter(enum host h)
{
	const char *name = h == SRV ? env_or("RIG_SRV_NS", "h1") :
				      env_or("RIG_CLI_NS", "h2");
	static int fds[2] = { -1, -1 };
	char path[128];

	if (!*name)
		return;
	if (fds[h] < 0) {
		snprintf(path, sizeof(path), "/run/netns/%s", name);
		fds[h] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fds[h] >= 0);
	}
	CHECK_OK(setns(fds[h], CLONE_NEWNET));
}

const char *host_addr(enum host h)
{
	if (h == SRV)
		return v6 ? env_or("RIG_SRV_ADDR6", "fd00::1") :
			    env_or("RIG_SRV_ADDR", "10.0.0.1");
	return v6 ? env_or("RIG_CLI_ADDR6", "fd00::2") :
		    env_or("RIG_CLI_ADDR", "10.0.0.2");
}

struct sockaddr *sa_parse(const char *text, uint16_t port,
			  struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *s4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = htons(port);
	} else {
		CHECK_EQ(inet_pton(AF_INET6, text, &s6->sin6_addr), 1);
		s6->sin6_family = AF_INET6;
		s6->sin6_port = htons(port);
	}
	return (struct sockaddr *)ss;
}

/* --- rdma_cm events ------------------------------------------------------ */

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, ms);
	} while (r < 0 && errno == EINTR);
	return r == 1 && (p.revents & POLLIN);
}

struct rdma_event_channel *cm_channel(void)
{
	struct rdma_event_channel *ch = rdma_create_event_channel();

	CHECK(ch);
	return ch;
}

/**
 * cm_wait() - take one event
 * @ch: channel
 * @ev: gets the copy; the event itself is acknowledged
 * @ms: longest wait
 *
 * Return: false if none came.
 */
bool cm_wait(struct rdma_event_channel *ch, struct cmev *ev, int ms)
{
	struct rdma_cm_event *e;

	if (!readable(ch->fd, ms))
		return false;
	CHECK_OK(rdma_get_cm_event(ch, &e));
	memset(ev, 0, sizeof(*ev));
	ev->type = e->event;
	ev->status = e->status;
	ev->id = e->id;
	ev->ird = e->param.conn.responder_resources;
	ev->ord = e->param.conn.initiator_depth;
	if (e->param.conn.private_data && e->param.conn.private_data_len) {
		ev->pdlen = e->param.conn.private_data_len;
		memcpy(ev->pd, e->param.conn.private_data, ev->pdlen);
	}
	CHECK_OK(rdma_ack_cm_event(e));
	return true;
}

struct cmev cm_expect(struct rdma_event_channel *ch,
		      enum rdma_cm_event_type type, int ms)
{
	struct cmev ev;

	if (!cm_wait(ch, &ev, ms))
		FAIL("no %s event in %d ms", rdma_event_str(type), ms);
	if (ev.type != type)
		FAIL("event %s (status %d) in place of %s",
		     rdma_event_str(ev.type), ev.status, rdma_event_str(type));
	return ev;
}

/**
 * cm_wait_end() - wait for DISCONNECTED, passing over other events
 * @ch: channel of one connection
 * @ms: longest wait
 *
 * Return: false if it did not come.
 */
bool cm_wait_end(struct rdma_event_channel *ch, int ms)
{
	uint64_t end = now_ms() + ms;
	struct cmev ev;

	while (now_ms() < end) {
		if (!cm_wait(ch, &ev, end - now_ms()))
			return false;
		if (ev.type == RDMA_CM_EVENT_DISCONNECTED)
			return true;
	}
	return false;
}

/* --- end points ---------------------------------------------------------- */

void listen_on(struct rig *r, enum host h, const char *addr, uint16_t port,
	       int backlog)
{
	struct sockaddr_storage ss;

	ns_enter(h);
	r->lch = cm_channel();
	CHECK_OK(rdma_create_id(r->lch, &r->lid, NULL, RDMA_PS_TCP));
	CHECK_OK(rdma_bind_addr(r->lid, sa_parse(addr, port, &ss)));
	CHECK_OK(rdma_listen(r->lid, backlog));
	r->port = ntohs(rdma_get_src_port(r->lid));
	CHECK(r->port);
}

void ep_resolve(struct ep *e, enum host h, const char *dst, uint16_t port)
{
	struct sockaddr_storage ss;

	ns_enter(h);
	e->host = h;
	e->ch = cm_channel();
	CHECK_OK(rdma_create_id(e->ch, &e->id, NULL, RDMA_PS_TCP));
	CHECK_OK(rdma_resolve_addr(e->id, NULL, sa_parse(dst, port, &ss),
				   WAIT_MS));
	cm_expect(e->ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(e->id, WAIT_MS));
	cm_expect(e->ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
}

static void ep_defaults(struct ep_attr *a)
{
	if (!a->send_wr)
		a->send_wr = 32;
	if (!a->recv_wr)
		a->recv_wr = 32;
	if (!a->sge)
		a->sge = 6;
	if (!a->cqe)
		a->cqe = 256;
	if (!a->depth_set) {
		a->ird = 16;
		a->ord = 16;
	}
}

static void ep_make_cq_ex(struct ep *e)
{
	struct ibv_cq_init_attr_ex ia = *e->attr.scq_ex;

	ia.channel = e->scc;
	e->scq_ex = ibv_create_cq_ex(e->ctx, &ia);
	if (!e->scq_ex && errno == EOPNOTSUPP)
		skip_case("no such completion queue");
	CHECK(e->scq_ex);
	e->scq = ibv_cq_ex_to_cq(e->scq_ex);
}

/**
 * ep_make_qp() - give a resolved or requested id its verbs objects
 * @e: end point with its id
 * @a: wishes, NULL for the defaults
 */
void ep_make_qp(struct ep *e, const struct ep_attr *a)
{
	struct ibv_srq_init_attr sia = { 0 };
	struct ibv_qp_init_attr_ex ia = { .comp_mask = IBV_QP_INIT_ATTR_PD };

	if (a)
		e->attr = *a;
	ep_defaults(&e->attr);
	e->ctx = e->id->verbs;
	CHECK(e->ctx);
	e->pd = e->attr.domain ? : ibv_alloc_pd(e->ctx);
	CHECK(e->pd);
	e->scc = ibv_create_comp_channel(e->ctx);
	e->rcc = ibv_create_comp_channel(e->ctx);
	CHECK(e->scc && e->rcc);
	if (e->attr.scq_ex)
		ep_make_cq_ex(e);
	else
		e->scq = ibv_create_cq(e->ctx, e->attr.cqe, NULL, e->scc, 0);
	e->rcq = ibv_create_cq(e->ctx, e->attr.cqe, NULL, e->rcc, 0);
	CHECK(e->scq && e->rcq);
	if (e->attr.srq_wr) {
		sia.attr.max_wr = e->attr.srq_wr;
		sia.attr.max_sge = e->attr.sge;
		e->srq = ibv_create_srq(e->pd, &sia);
		CHECK(e->srq);
	}
	ia.qp_type = IBV_QPT_RC;
	ia.send_cq = e->scq;
	ia.recv_cq = e->rcq;
	ia.srq = e->srq;
	ia.sq_sig_all = e->attr.sig_all;
	ia.cap.max_send_wr = e->attr.send_wr;
	ia.cap.max_recv_wr = e->srq ? 0 : e->attr.recv_wr;
	ia.cap.max_send_sge = e->attr.sge;
	ia.cap.max_recv_sge = e->attr.sge;
	ia.cap.max_inline_data = e->attr.inln;
	ia.pd = e->pd;
	if (e->attr.send_ops) {
		ia.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		ia.send_ops_flags = e->attr.send_ops;
	}
	CHECK_OK(rdma_create_qp_ex(e->id, &ia));
	e->qp = e->id->qp;
}

struct rdma_conn_param conn_param(const struct ep_attr *a)
{
	struct rdma_conn_param p = {
		.private_data = a->pd,
		.private_data_len = a->pdlen,
		.responder_resources = a->ird,
		.initiator_depth = a->ord,
	};

	return p;
}

void ep_connect(struct ep *e)
{
	struct rdma_conn_param p = conn_param(&e->attr);

	ns_enter(e->host);
	CHECK_OK(rdma_connect(e->id, &p));
}

/**
 * ep_accept() - accept a request on a channel of its own
 * @e: filled in
 * @id: of the connect request
 * @a: wishes, NULL for the defaults
 */
void ep_accept(struct ep *e, struct rdma_cm_id *id, const struct ep_attr *a)
{
	struct rdma_conn_param p;

	ns_enter(e->host);
	e->id = id;
	e->ch = cm_channel();
	CHECK_OK(rdma_migrate_id(id, e->ch));
	ep_make_qp(e, a);
	p = conn_param(&e->attr);
	CHECK_OK(rdma_accept(id, &p));
}

void ep_close(struct ep *e)
{
	ns_enter(e->host);
	if (e->qp)
		rdma_destroy_qp(e->id);
	if (e->srq)
		CHECK_OK(ibv_destroy_srq(e->srq));
	if (e->scq)
		CHECK_OK(ibv_destroy_cq(e->scq));
	if (e->rcq)
		CHECK_OK(ibv_destroy_cq(e->rcq));
	if (e->scc)
		CHECK_OK(ibv_destroy_comp_channel(e->scc));
	if (e->rcc)
		CHECK_OK(ibv_destroy_comp_channel(e->rcc));
	/* A case may leave MRs to the end of its process. */
	if (e->pd && !e->attr.domain && ibv_dealloc_pd(e->pd) != EBUSY)
		e->pd = NULL;
	if (e->id)
		CHECK_OK(rdma_destroy_id(e->id));
	if (e->ch)
		rdma_destroy_event_channel(e->ch);
	memset(e, 0, sizeof(*e));
}

/**
 * rig_connect_to() - connect from a host to an address of the server
 * @r: filled in
 * @from: host of the client
 * @addr: where the server listens, on a port of the core's choice
 * @ca: wishes of the client, NULL for the defaults
 * @sa: wishes of the server, NULL for the defaults
 */
void rig_connect_to(struct rig *r, enum host from, const char *addr,
		    const struct ep_attr *ca, const struct ep_attr *sa)
{
	memset(r, 0, sizeof(*r));
	r->s.host = SRV;
	listen_on(r, SRV, addr, 0, 16);
	ep_resolve(&r->c, from, addr, r->port);
	ep_make_qp(&r->c, ca);
	ep_connect(&r->c);
	r->creq = cm_expect(r->lch, RDMA_CM_EVENT_CONNECT_REQUEST, WAIT_MS);
	ep_accept(&r->s, r->creq.id, sa);
	r->cest = cm_expect(r->c.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(r->s.ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
}

void rig_connect_attr(struct rig *r, const struct ep_attr *ca,
		      const struct ep_attr *sa)
{
	rig_connect_to(r, CLI, host_addr(SRV), ca, sa);
}

void rig_connect(struct rig *r)
{
	rig_connect_attr(r, NULL, NULL);
}

void rig_close(struct rig *r)
{
	ep_close(&r->c);
	ep_close(&r->s);
	if (r->lid)
		CHECK_OK(rdma_destroy_id(r->lid));
	if (r->lch)
		rdma_destroy_event_channel(r->lch);
}

static void ping_one(struct ep *from, struct ep *to, unsigned int seed)
{
	struct buf a, b;
	struct ibv_sge sa, sb;
	struct op o = { .id = 0x7002, .opcode = IBV_WR_SEND, .sge = &sa,
			.nsge = 1, .flags = IBV_SEND_SIGNALED };
	struct ibv_wc wc;

	buf_new(&a, from->pd, 100, 1, 0);
	buf_new(&b, to->pd, 100, 3, IBV_ACCESS_LOCAL_WRITE);
	buf_fill(&a, seed);
	buf_clear(&b);
	sa = buf_sge(&a, 0, a.len);
	sb = buf_sge(&b, 0, b.len);
	post_recv(to, 0x7001, &sb, 1);
	post_op(from, &o);
	wc_expect(from->scq, 0x7002, IBV_WC_SUCCESS);
	wc = wc_expect(to->rcq, 0x7001, IBV_WC_SUCCESS);
	CHECK_EQ(wc.byte_len, 100);
	buf_check(&b, 0, 100, seed, 0);
	buf_free(&a);
	buf_free(&b);
}

/**
 * rig_ping() - one message each way; fails the case if the rig is hurt
 * @r: rig whose receive queues are empty
 */
void rig_ping(struct rig *r)
{
	ping_one(&r->c, &r->s, 11);
	ping_one(&r->s, &r->c, 12);
}

enum ibv_qp_state ep_state(struct ep *e)
{
	struct ibv_qp_init_attr ia;
	struct ibv_qp_attr a;

	CHECK_OK(ibv_query_qp(e->qp, &a, IBV_QP_STATE, &ia));
	return a.qp_state;
}

/**
 * dev_open() - open an RDMA device
 * @name: as `rdma dev` has it
 *
 * Return: its context; the case fails if there is none.
 */
struct ibv_context *dev_open(const char *name)
{
	struct ibv_context *ctx = NULL;
	struct ibv_device **list;
	int i, n;

	list = ibv_get_device_list(&n);
	CHECK(list);
	for (i = 0; i < n; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			ctx = ibv_open_device(list[i]);
	ibv_free_device_list(list);
	CHECK(ctx);
	return ctx;
}

/* --- memory -------------------------------------------------------------- */

static const uint8_t *table(void)
{
	static uint8_t t[TABLE_LEN];
	uint32_t x = 2463534242u;
	size_t i;

	if (t[0])
		return t;
	for (i = 0; i < TABLE_LEN; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		t[i] = x >> 11;
	}
	t[0] = 1;
	return t;
}

/**
 * buf_new() - memory with canaries on both sides
 * @b: filled in
 * @pd: to register it with, NULL for none
 * @len: octets
 * @shift: distance from a page boundary plus the canary
 * @access: IBV_ACCESS_*
 */
void buf_new(struct buf *b, struct ibv_pd *pd, size_t len, size_t shift,
	     int access)
{
	memset(b, 0, sizeof(*b));
	b->len = len;
	b->maplen = CANARY_LEN + shift + len + CANARY_LEN;
	b->map = mmap(NULL, b->maplen, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(b->map != MAP_FAILED);
	b->p = b->map + CANARY_LEN + shift;
	memset(b->map, CANARY, CANARY_LEN + shift);
	memset(b->p + len, CANARY, CANARY_LEN);
	if (!pd || !len)
		return;
	b->mr = ibv_reg_mr(pd, b->p, len, access);
	CHECK(b->mr);
}

void buf_free(struct buf *b)
{
	buf_check_canary(b);
	if (b->mr)
		CHECK_OK(ibv_dereg_mr(b->mr));
	munmap(b->map, b->maplen);
}

void buf_fill(struct buf *b, unsigned int seed)
{
	size_t pos = seed * 7919ul % TABLE_LEN, done = 0, n;

	while (done < b->len) {
		n = TABLE_LEN - pos;
		if (n > b->len - done)
			n = b->len - done;
		memcpy(b->p + done, table() + pos, n);
		done += n;
		pos = 0;
	}
}

void buf_clear(struct buf *b)
{
	memset(b->p, 0, b->len);
}

/**
 * buf_check() - compare a range with the pattern of buf_fill()
 * @b: buffer
 * @off: first octet
 * @len: octets
 * @seed: pattern
 * @seed_off: place in the pattern of the first octet
 */
void buf_check(const struct buf *b, size_t off, size_t len,
	       unsigned int seed, size_t seed_off)
{
	size_t pos = (seed * 7919ul + seed_off) % TABLE_LEN, done = 0, n, i;

	while (done < len) {
		n = TABLE_LEN - pos;
		if (n > len - done)
			n = len - done;
		if (memcmp(b->p + off + done, table() + pos, n)) {
			for (i = 0; b->p[off + done + i] == table()[pos + i];)
				i++;
			FAIL("wrong data at octet %zu of %zu",
			     off + done + i, len);
		}
		done += n;
		pos = 0;
	}
	buf_check_canary(b);
}

void buf_check_clear(const struct buf *b, size_t off, size_t len)
{
	size_t i;

	for (i = off; i < off + len; i++)
		if (b->p[i])
			FAIL("octet %zu was written", i);
	buf_check_canary(b);
}

void buf_check_canary(const struct buf *b)
{
	const uint8_t *q;

	for (q = b->map; q < b->p; q++)
		if (*q != CANARY)
			FAIL("canary hurt %td octets before the buffer",
			     b->p - q);
	for (q = b->p + b->len; q < b->p + b->len + CANARY_LEN; q++)
		if (*q != CANARY)
			FAIL("canary hurt %td octets after the buffer",
			     q - b->p - b->len);
}

struct ibv_sge buf_sge(const struct buf *b, size_t off, size_t len)
{
	struct ibv_sge s = {
		.addr = (uintptr_t)b->p + off,
		.length = len,
		.lkey = b->mr ? b->mr->lkey : 0,
	};

	return s;
}

/* --- work ---------------------------------------------------------------- */

int try_op(struct ep *e, const struct op *o)
{
	struct ibv_send_wr wr = { 0 }, *bad = NULL;

	wr.wr_id = o->id;
	wr.opcode = o->opcode;
	wr.send_flags = o->flags;
	wr.sg_list = o->sge;
	wr.num_sge = o->nsge;
	/* libsiw of rdma-core takes the STag to invalidate from rdma.rkey. */
	wr.wr.rdma.remote_addr = o->raddr;
	wr.wr.rdma.rkey = o->rkey;
	if (o->opcode == IBV_WR_SEND_WITH_INV ||
	    o->opcode == IBV_WR_LOCAL_INV)
		wr.invalidate_rkey = o->rkey;
	return ibv_post_send(e->qp, &wr, &bad);
}

void post_op(struct ep *e, const struct op *o)
{
	int r = try_op(e, o);

	if (r)
		FAIL("ibv_post_send(opcode %d) = %d", o->opcode, r);
}

int try_recv(struct ep *e, uint64_t id, struct ibv_sge *sge, int n)
{
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = sge, .num_sge = n };
	struct ibv_recv_wr *bad = NULL;

	if (e->srq)
		return ibv_post_srq_recv(e->srq, &wr, &bad);
	return ibv_post_recv(e->qp, &wr, &bad);
}

void post_recv(struct ep *e, uint64_t id, struct ibv_sge *sge, int n)
{
	int r = try_recv(e, id, sge, n);

	if (r)
		FAIL("ibv_post_recv = %d", r);
}

bool wc_wait(struct ibv_cq *cq, struct ibv_wc *wc, int ms)
{
	uint64_t end = now_ms() + ms;
	unsigned int spins = 0;
	int n;

	memset(wc, 0, sizeof(*wc));
	for (;;) {
		n = ibv_poll_cq(cq, 1, wc);
		if (n < 0)
			FAIL("ibv_poll_cq = %d", n);
		if (n)
			return true;
		if (now_ms() > end)
			return false;
		if (++spins < 50)
			sched_yield();
		else
			sleep_ms(1);
	}
}

struct ibv_wc wc_get(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	if (!wc_wait(cq, &wc, WAIT_MS))
		FAIL("no completion in %d ms", WAIT_MS);
	return wc;
}

struct ibv_wc wc_expect(struct ibv_cq *cq, uint64_t id,
			enum ibv_wc_status status)
{
	struct ibv_wc wc;

	if (!wc_wait(cq, &wc, WAIT_MS))
		FAIL("no completion of request %#llx in %d ms",
		     (unsigned long long)id, WAIT_MS);
	if (wc.wr_id != id)
		FAIL("completion of request %#llx (%s), not %#llx",
		     (unsigned long long)wc.wr_id,
		     ibv_wc_status_str(wc.status), (unsigned long long)id);
	if (wc.status != status)
		FAIL("request %#llx ends with \"%s\", not \"%s\"",
		     (unsigned long long)id, ibv_wc_status_str(wc.status),
		     ibv_wc_status_str(status));
	return wc;
}

void wc_none(struct ibv_cq *cq, int ms)
{
	struct ibv_wc wc;

	if (wc_wait(cq, &wc, ms))
		FAIL("unexpected completion of request %#llx (%s)",
		     (unsigned long long)wc.wr_id,
		     ibv_wc_status_str(wc.status));
}

/**
 * cq_event() - take and acknowledge one completion event
 * @cc: channel
 * @ms: longest wait
 *
 * Return: false if none came.
 */
bool cq_event(struct ibv_comp_channel *cc, int ms)
{
	struct ibv_cq *cq;
	void *arg;

	if (!readable(cc->fd, ms))
		return false;
	CHECK_OK(ibv_get_cq_event(cc, &cq, &arg));
	ibv_ack_cq_events(cq, 1);
	return true;
}

bool async_wait(struct ibv_context *ctx, struct ibv_async_event *ev, int ms)
{
	if (!readable(ctx->async_fd, ms))
		return false;
	CHECK_OK(ibv_get_async_event(ctx, ev));
	ibv_ack_async_event(ev);
	return true;
}

/**
 * async_seen() - wait for an asynchronous event out of a set
 * @ctx: context
 * @mask: bit per event type
 * @ms: longest wait
 *
 * Return: false if none of the set came; others are passed over.
 */
bool async_seen(struct ibv_context *ctx, uint64_t mask, int ms)
{
	uint64_t end = now_ms() + ms, now = now_ms();
	struct ibv_async_event ev;

	do {
		if (!async_wait(ctx, &ev, end - now))
			return false;
		note("async event: %s", ibv_event_type_str(ev.event_type));
		if (mask & (1ULL << ev.event_type))
			return true;
		now = now_ms();
	} while (now < end);
	return false;
}
