// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The agent on the side of the endpoint under test: a verbs application that
 * exposes the regions R1..R5, accepts or opens connections as it is told, and
 * reports what the application sees. Each control connection is a session of
 * its own (protection domain, regions, listener, connections) and is served
 * by its own thread; when it ends, everything it owned goes away.
 *
 * Commands are lines "word key=value ..."; the answer is any number of lines
 * that begin with "- " and one line "OK ...", "ERR ..." or "UNSUPPORTED ...".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <endian.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define GUARD		4096u
#define CANARY		0xc5
#define SKEW		64u		/* regions don't begin on a page */
#define SRC_LEN		(4u << 20)
#define SINK_LEN	(256u << 10)
#define MAX_SLOTS	2048u
#define MAX_CONNS	2048u
#define ADVERT_LEN	(5u * 16u)
#define MS_NS		UINT64_C(1000000)

enum { R1, R2, R3, R4, R5, RK, N_REGIONS };
static const char * const region_name[] = { "R1", "R2", "R3", "R4", "R5", "K" };

struct region {
	uint8_t *map;
	size_t map_len;
	uint8_t *base;
	uint32_t len;
	struct ibv_mr *mr;
};

/* One completion, with what the memory looked like when it was polled. */
struct cqe {
	struct ibv_wc wc;
	uint64_t r1, sum;
	uint32_t data_len;
	uint8_t data[64];
};

/* What the next connections of a session are to be like. */
struct config {
	unsigned int ird, ord, recvs, rsize, delay, cq, keep, sq;
	bool advert, reject, early, nopoll;
	uint8_t pd[512];
	unsigned int pd_len;
};

struct conn {
	struct session *s;
	struct config cfg;
	struct rdma_cm_id *id;
	struct ibv_cq *cq;
	struct ibv_comp_channel *chan;
	struct ibv_mr *rmr;
	uint8_t *rbuf;
	unsigned int next_slot, n_cqe, cap_cqe, cq_events;
	struct cqe *cqes;
	uint64_t accept_at, drop_at;
	uint64_t next_wr;
	uint32_t qpn;
	bool advertised, early_done, active;
	unsigned int connect_port;
};

struct event {
	unsigned int conn;
	enum rdma_cm_event_type type;
	int status;
	unsigned int ird, ord, pd_len;
	uint8_t pd[256];
	uint64_t at;
};

struct session {
	int ctl;
	char line[8192];
	size_t line_len;
	bool over;
	struct rdma_event_channel *chan;
	struct rdma_cm_id *listen;
	struct ibv_context *verbs;
	struct ibv_pd *pd, *pd2;
	struct region reg[N_REGIONS];
	struct ibv_mr *src_mr, *adv_mr;
	uint8_t adv[ADVERT_LEN];
	struct config cfg;
	struct conn *conn[MAX_CONNS];
	unsigned int n_conn;
	struct event *ev;
	unsigned int n_ev;
	uint64_t start;
	struct ibv_mr *top_mr;
	struct region top;
};

struct async_entry {
	uint32_t qpn;
	enum ibv_event_type type;
};

static struct sockaddr_storage bind_addr;
static uint8_t *src_buf;
static bool atomics;
static pthread_mutex_t async_lock = PTHREAD_MUTEX_INITIALIZER;
static struct async_entry async_log[4096];
static unsigned int n_async;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- text --- */

static void say(struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void send_all(struct session *s, const char *text, size_t len)
{
	while (len && !s->over) {
		ssize_t n = send(s->ctl, text, len, MSG_NOSIGNAL);

		if (n <= 0) {
			s->over = true;
			return;
		}
		text += n;
		len -= n;
	}
}

static void say(struct session *s, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n > 0)
		send_all(s, text, n);
	free(text);
}

static void say_errno(struct session *s, const char *what, int err)
{
	if (err == EOPNOTSUPP || err == ENOSYS)
		say(s, "UNSUPPORTED %s: %s\n", what, strerror(err));
	else
		say(s, "ERR %s: %s (%d)\n", what, strerror(err), err);
}

/* The value of "key=" on a command line, or NULL. */
static const char *arg(const char *line, const char *key)
{
	size_t n = strlen(key);
	const char *p = line;

	while ((p = strchr(p, ' '))) {
		p++;
		if (!strncmp(p, key, n) && p[n] == '=')
			return p + n + 1;
	}
	return NULL;
}

static uint64_t arg_num(const char *line, const char *key, uint64_t dflt)
{
	const char *v = arg(line, key);

	return v ? strtoull(v, NULL, 0) : dflt;
}

static unsigned int arg_hex(const char *line, const char *key, uint8_t *out,
			    unsigned int max)
{
	const char *v = arg(line, key);
	unsigned int n = 0, octet;

	while (v && n < max && sscanf(v + 2 * n, "%2x", &octet) == 1 &&
	       v[2 * n] != ' ' && v[2 * n + 1] && v[2 * n + 1] != ' ')
		out[n++] = octet;
	return n;
}

static void hex(char *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
	out[2 * len] = 0;
}

/* --- memory --- */

static uint64_t digest(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static int region_map(struct region *r, uint32_t len, unsigned int skew)
{
	r->len = len;
	r->map_len = 2 * GUARD + ((len + skew + 4095) & ~4095u);
	r->map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return -errno;
	}
	memset(r->map, CANARY, r->map_len);
	r->base = r->map + GUARD + skew;
	return 0;
}

static void region_free(struct region *r)
{
	if (r->mr)
		ibv_dereg_mr(r->mr);
	if (r->map)
		munmap(r->map, r->map_len);
	memset(r, 0, sizeof(*r));
}

/* The first octet outside the region that has changed, or -1. */
static long canary_broken(const struct region *r)
{
	for (size_t i = 0; r->map && i < r->map_len; i++) {
		const uint8_t *p = r->map + i;

		if ((p < r->base || p >= r->base + r->len) && *p != CANARY)
			return p - r->base;
	}
	return -1;
}

static int region_reg(struct region *r, struct ibv_pd *pd, int access)
{
	r->mr = ibv_reg_mr(pd, r->base, r->len, access);
	if (!r->mr && access & IBV_ACCESS_REMOTE_ATOMIC)
		r->mr = ibv_reg_mr(pd, r->base, r->len,
				   access & ~IBV_ACCESS_REMOTE_ATOMIC);
	return r->mr ? 0 : -errno;
}

static void fill_patterns(struct session *s)
{
	for (unsigned int k = R1; k <= R4; k++)
		for (unsigned int i = 0; i < s->reg[k].len; i++)
			s->reg[k].base[i] = i * 7 + k * 13;
	for (unsigned int i = 0; i < s->reg[R5].len; i++)
		s->reg[R5].base[i] = i % 251;
}

static void fill_advert(struct session *s)
{
	uint8_t *p = s->adv;

	for (unsigned int k = R1; k <= R5; k++, p += 16) {
		uint32_t stag = htonl(s->reg[k].mr->rkey);
		uint64_t to = htobe64((uintptr_t)s->reg[k].base);
		uint32_t len = htonl(s->reg[k].len);

		memcpy(p, &stag, 4);
		memcpy(p + 4, &to, 8);
		memcpy(p + 12, &len, 4);
	}
}

static int register_regions(struct session *s)
{
	const int lw = IBV_ACCESS_LOCAL_WRITE, rw = IBV_ACCESS_REMOTE_WRITE;
	const int rr = IBV_ACCESS_REMOTE_READ;
	const int at = atomics ? IBV_ACCESS_REMOTE_ATOMIC : 0;
	static const uint32_t len[] = { 4096, 4096, 4096, 4096, 65536, SINK_LEN };
	const int access[] = { lw | rw | rr | at, rr, lw | rw, lw | rw | rr | at,
			       lw | rw | rr, lw | rw };

	for (unsigned int k = 0; k < N_REGIONS; k++) {
		int err = region_map(&s->reg[k], len[k], SKEW);

		if (!err)
			err = region_reg(&s->reg[k], k == R4 ? s->pd2 : s->pd,
					 access[k]);
		if (err)
			return err;
	}
	fill_patterns(s);
	fill_advert(s);
	s->adv_mr = ibv_reg_mr(s->pd, s->adv, sizeof(s->adv), 0);
	s->src_mr = ibv_reg_mr(s->pd, src_buf, SRC_LEN, 0);
	return s->adv_mr && s->src_mr ? 0 : -errno;
}

/* Protection domains and regions appear with the first device seen. */
static int session_verbs(struct session *s, struct ibv_context *verbs)
{
	if (s->verbs)
		return 0;
	s->pd = ibv_alloc_pd(verbs);
	s->pd2 = ibv_alloc_pd(verbs);
	if (!s->pd || !s->pd2)
		return -errno;
	s->verbs = verbs;
	return register_regions(s);
}

/* --- connections --- */

static struct conn *conn_new(struct session *s, struct rdma_cm_id *id)
{
	struct conn *c;

	if (s->n_conn == MAX_CONNS)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->s = s;
	c->cfg = s->cfg;
	c->id = id;
	id->context = c;
	s->conn[s->n_conn++] = c;
	return c;
}

static unsigned int conn_index(const struct conn *c)
{
	for (unsigned int i = 0; i < c->s->n_conn; i++)
		if (c->s->conn[i] == c)
			return i;
	return MAX_CONNS;
}

static int post_recvs(struct conn *c, unsigned int count)
{
	while (count--) {
		struct ibv_sge sge = {
			.addr = (uintptr_t)c->rbuf + c->next_slot * c->cfg.rsize,
			.length = c->cfg.rsize,
			.lkey = c->rmr->lkey,
		};
		struct ibv_recv_wr wr = {
			.wr_id = c->next_slot, .sg_list = &sge, .num_sge = 1,
		}, *bad;
		int err;

		if (c->next_slot == MAX_SLOTS)
			return ENOSPC;
		err = ibv_post_recv(c->id->qp, &wr, &bad);
		if (err)
			return err;
		c->next_slot++;
	}
	return 0;
}

static int conn_queues(struct conn *c)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = c->cfg.sq, .max_send_sge = 1,
			 .max_recv_wr = 128, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
	};

	c->chan = ibv_create_comp_channel(c->id->verbs);
	if (!c->chan)
		return -errno;
	fcntl(c->chan->fd, F_SETFL, O_NONBLOCK);
	c->cq = ibv_create_cq(c->id->verbs, c->cfg.cq, NULL, c->chan, 0);
	if (!c->cq)
		return -errno;
	attr.send_cq = c->cq;
	attr.recv_cq = c->cq;
	if (rdma_create_qp(c->id, c->s->pd, &attr))
		return -errno;
	c->qpn = c->id->qp->qp_num;
	return 0;
}

static int conn_setup(struct conn *c)
{
	size_t len = (size_t)MAX_SLOTS * c->cfg.rsize;
	int err = session_verbs(c->s, c->id->verbs);

	if (!err)
		err = conn_queues(c);
	if (err)
		return err;
	c->rbuf = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->rbuf == MAP_FAILED) {
		c->rbuf = NULL;
		return -errno;
	}
	c->rmr = ibv_reg_mr(c->s->pd, c->rbuf, len, IBV_ACCESS_LOCAL_WRITE);
	if (!c->rmr)
		return -errno;
	return -post_recvs(c, c->cfg.recvs);
}

static int post_advert(struct conn *c)
{
	struct ibv_sge sge = { .addr = (uintptr_t)c->s->adv,
			       .length = ADVERT_LEN, .lkey = c->s->adv_mr->lkey };
	struct ibv_send_wr wr = { .wr_id = 0xad, .sg_list = &sge, .num_sge = 1,
				  .opcode = IBV_WR_SEND,
				  .send_flags = IBV_SEND_SIGNALED }, *bad;

	return ibv_post_send(c->id->qp, &wr, &bad);
}

static void maybe_advert(struct conn *c)
{
	if (c->cfg.advert && !c->advertised && c->id && c->id->qp) {
		c->advertised = true;
		post_advert(c);
	}
}

static void log_cqe(struct conn *c, const struct ibv_wc *wc)
{
	struct cqe *e;

	if (c->n_cqe == c->cap_cqe) {
		c->cap_cqe = c->cap_cqe ? 2 * c->cap_cqe : 64;
		c->cqes = realloc(c->cqes, c->cap_cqe * sizeof(*c->cqes));
		if (!c->cqes)
			abort();
	}
	e = &c->cqes[c->n_cqe++];
	memset(e, 0, sizeof(*e));
	e->wc = *wc;
	if (wc->status != IBV_WC_SUCCESS)
		return;
	if (c->s->reg[R1].base)
		e->r1 = digest(c->s->reg[R1].base, c->s->reg[R1].len);
	if (wc->wr_id < MAX_SLOTS && wc->opcode & IBV_WC_RECV) {
		const uint8_t *at = c->rbuf + wc->wr_id * c->cfg.rsize;
		uint32_t len = wc->byte_len < c->cfg.rsize ? wc->byte_len :
			       c->cfg.rsize;

		e->data_len = len < 64 ? len : 64;
		memcpy(e->data, at, e->data_len);
		e->sum = digest(at, len);
	}
}

static void conn_poll(struct conn *c)
{
	struct ibv_wc wc;
	struct ibv_cq *cq;
	void *ctx;

	if (!c->cq || c->cfg.nopoll)
		return;
	while (!ibv_get_cq_event(c->chan, &cq, &ctx)) {
		ibv_ack_cq_events(cq, 1);
		c->cq_events++;
	}
	while (ibv_poll_cq(c->cq, 1, &wc) > 0) {
		log_cqe(c, &wc);
		if (wc.status == IBV_WC_SUCCESS && wc.opcode & IBV_WC_RECV)
			maybe_advert(c);
	}
}

/* Gives up what the connection holds; its logs stay. */
static void conn_drop(struct conn *c)
{
	if (c->id && c->id->qp)
		rdma_destroy_qp(c->id);
	c->cfg.nopoll = false;
	conn_poll(c);
	if (c->cq)
		ibv_destroy_cq(c->cq);
	c->cq = NULL;
	if (c->chan)
		ibv_destroy_comp_channel(c->chan);
	c->chan = NULL;
	if (c->rmr)
		ibv_dereg_mr(c->rmr);
	c->rmr = NULL;
	if (c->rbuf)
		munmap(c->rbuf, (size_t)MAX_SLOTS * c->cfg.rsize);
	c->rbuf = NULL;
	if (c->id)
		rdma_destroy_id(c->id);
	c->id = NULL;
	c->drop_at = 0;
}

static void fill_param(const struct conn *c, struct rdma_conn_param *p)
{
	memset(p, 0, sizeof(*p));
	p->private_data = c->cfg.pd_len ? c->cfg.pd : NULL;
	p->private_data_len = c->cfg.pd_len;
	p->responder_resources = c->cfg.ird;
	p->initiator_depth = c->cfg.ord;
	p->retry_count = 7;
	p->rnr_retry_count = 7;
}

static void conn_accept(struct conn *c)
{
	struct rdma_conn_param param;

	c->accept_at = 0;
	fill_param(c, &param);
	if (rdma_accept(c->id, &param)) {
		fprintf(stderr, "agent: accept: %s\n", strerror(errno));
		c->drop_at = now_ns();
		return;
	}
	if (c->cfg.early && c->cfg.advert) {
		c->early_done = !post_advert(c);
		c->advertised = c->early_done;
	}
}

/* --- connection manager events --- */

static void log_event(struct session *s, struct conn *c,
		      const struct rdma_cm_event *ev)
{
	struct event *e;

	s->ev = realloc(s->ev, (s->n_ev + 1) * sizeof(*s->ev));
	if (!s->ev)
		abort();
	e = &s->ev[s->n_ev++];
	memset(e, 0, sizeof(*e));
	e->conn = c ? conn_index(c) : MAX_CONNS;
	e->type = ev->event;
	e->status = ev->status;
	e->ird = ev->param.conn.responder_resources;
	e->ord = ev->param.conn.initiator_depth;
	e->at = now_ns();
	if (ev->event != RDMA_CM_EVENT_CONNECT_REQUEST &&
	    ev->event != RDMA_CM_EVENT_REJECTED &&
	    ev->event != RDMA_CM_EVENT_ESTABLISHED)
		return;
	e->pd_len = ev->param.conn.private_data_len;
	if (e->pd_len && ev->param.conn.private_data)
		memcpy(e->pd, ev->param.conn.private_data, e->pd_len);
}

static struct conn *on_request(struct session *s, struct rdma_cm_id *id)
{
	struct conn *c = conn_new(s, id);

	if (!c) {
		rdma_reject(id, NULL, 0);
		rdma_destroy_id(id);
		return NULL;
	}
	if (c->cfg.reject) {
		rdma_reject(id, c->cfg.pd_len ? c->cfg.pd : NULL, c->cfg.pd_len);
		c->drop_at = now_ns() + 200 * MS_NS;
		return c;
	}
	if (conn_setup(c)) {
		fprintf(stderr, "agent: setup: %s\n", strerror(errno));
		rdma_reject(id, NULL, 0);
		c->drop_at = now_ns();
		return c;
	}
	c->accept_at = now_ns() + c->cfg.delay * MS_NS;
	if (!c->cfg.delay)
		conn_accept(c);
	return c;
}

static void on_route(struct conn *c)
{
	struct rdma_conn_param param;

	fill_param(c, &param);
	if (conn_setup(c) || rdma_connect(c->id, &param))
		fprintf(stderr, "agent: connect: %s\n", strerror(errno));
}

static void on_end(struct conn *c, enum rdma_cm_event_type type)
{
	if (type == RDMA_CM_EVENT_DISCONNECTED && c->id)
		rdma_disconnect(c->id);
	if (!c->drop_at)
		c->drop_at = now_ns() + c->cfg.keep * MS_NS;
}

static void on_cm_event(struct session *s, struct rdma_cm_event *ev)
{
	struct rdma_cm_event copy = *ev;
	uint8_t pd[256];
	struct rdma_cm_id *id = ev->id;
	struct conn *c = id->context;

	if (copy.param.conn.private_data && copy.param.conn.private_data_len) {
		memcpy(pd, copy.param.conn.private_data,
		       copy.param.conn.private_data_len);
		copy.param.conn.private_data = pd;
	}
	rdma_ack_cm_event(ev);
	if (copy.event == RDMA_CM_EVENT_CONNECT_REQUEST)
		c = on_request(s, id);
	log_event(s, c, &copy);
	if (!c)
		return;
	switch (copy.event) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		rdma_resolve_route(id, 3000);
		break;
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		on_route(c);
		break;
	case RDMA_CM_EVENT_ESTABLISHED:
		if (c->active || c->cfg.early)
			maybe_advert(c);
		break;
	case RDMA_CM_EVENT_CONNECT_REQUEST:
	case RDMA_CM_EVENT_CONNECT_RESPONSE:
		break;
	default:
		on_end(c, copy.event);
	}
}

/* --- the loop of a session --- */

static void session_work(struct session *s)
{
	struct rdma_cm_event *ev;
	uint64_t now;

	while (s->chan && !rdma_get_cm_event(s->chan, &ev))
		on_cm_event(s, ev);
	now = now_ns();
	for (unsigned int i = 0; i < s->n_conn; i++) {
		struct conn *c = s->conn[i];

		conn_poll(c);
		if (c->accept_at && c->accept_at <= now)
			conn_accept(c);
		if (c->drop_at && c->drop_at <= now)
			conn_drop(c);
	}
}

static void session_sleep(struct session *s, int ms, bool control)
{
	struct pollfd p[2] = {
		{ .fd = s->chan ? s->chan->fd : -1, .events = POLLIN },
		{ .fd = control ? s->ctl : -1, .events = POLLIN },
	};

	poll(p, 2, ms);
}

/* Waits for done(s, arg), serving connections; false when time is over. */
static bool session_wait(struct session *s, bool (*done)(struct session *s, void *),
			 void *data, uint64_t ms)
{
	uint64_t end = now_ns() + ms * MS_NS;

	for (;;) {
		session_work(s);
		if (done(s, data))
			return true;
		if (now_ns() >= end || s->over)
			return false;
		session_sleep(s, 2, false);
	}
}

/* --- commands --- */

static struct conn *arg_conn(struct session *s, const char *line)
{
	uint64_t n = arg_num(line, "conn", s->n_conn ? s->n_conn - 1 : 0);

	return n < s->n_conn ? s->conn[n] : NULL;
}

static struct region *arg_region(struct session *s, const char *line)
{
	const char *v = arg(line, "region");

	for (unsigned int k = 0; v && k < N_REGIONS; k++)
		if (!strncmp(v, region_name[k], strlen(region_name[k])))
			return &s->reg[k];
	return NULL;
}

static void set_config(struct session *s, const char *line)
{
	struct config *g = &s->cfg;

	g->ird = arg_num(line, "ird", 4);
	g->ord = arg_num(line, "ord", 4);
	g->recvs = arg_num(line, "recvs", 9);
	g->rsize = arg_num(line, "rsize", 64);
	g->delay = arg_num(line, "delay", 0);
	g->cq = arg_num(line, "cq", 1024);
	g->sq = arg_num(line, "sq", 64);
	g->keep = arg_num(line, "keep", 1000);
	g->advert = arg_num(line, "advert", 1);
	g->reject = arg_num(line, "reject", 0);
	g->early = arg_num(line, "early", 0);
	g->nopoll = arg_num(line, "nopoll", 0);
	g->pd_len = arg_hex(line, "pd", g->pd, sizeof(g->pd));
}

static int session_channel(struct session *s)
{
	if (s->chan)
		return 0;
	s->chan = rdma_create_event_channel();
	if (!s->chan)
		return -errno;
	fcntl(s->chan->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

static void cmd_hello(struct session *s, const char *line)
{
	struct ibv_device_attr attr = { 0 };
	struct rdma_cm_id *id = NULL;
	struct sockaddr_storage any = bind_addr;

	(void)line;
	if (session_channel(s) || rdma_create_id(s->chan, &id, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(id, (struct sockaddr *)&any) || !id->verbs) {
		say_errno(s, "no RDMA device at the bind address", errno);
	} else {
		ibv_query_device(id->verbs, &attr);
		say(s, "OK dev=%s atomics=%d ird=%d ord=%d maxqp=%d provider=%s\n",
		    ibv_get_device_name(id->verbs->device),
		    attr.atomic_cap != IBV_ATOMIC_NONE, attr.max_qp_rd_atom,
		    attr.max_qp_init_rd_atom, attr.max_qp,
		    getenv("RDMAV_DRIVERS") ? "own" : "stock");
	}
	if (id)
		rdma_destroy_id(id);
}

static void cmd_listen(struct session *s, const char *line)
{
	struct sockaddr_storage addr = bind_addr;

	set_config(s, line);
	if (!s->listen) {
		if (session_channel(s) ||
		    rdma_create_id(s->chan, &s->listen, NULL, RDMA_PS_TCP) ||
		    rdma_bind_addr(s->listen, (struct sockaddr *)&addr) ||
		    rdma_listen(s->listen, 256)) {
			say_errno(s, "listen", errno);
			return;
		}
	}
	if (s->listen->verbs && session_verbs(s, s->listen->verbs)) {
		say_errno(s, "regions", errno);
		return;
	}
	say(s, "OK port=%d\n", ntohs(rdma_get_src_port(s->listen)));
}

static void cmd_connect(struct session *s, const char *line)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *to = NULL;
	const char *addr = arg(line, "addr"), *port = arg(line, "port");
	struct sockaddr_storage from = bind_addr;
	char host[64] = "", service[16] = "";
	struct rdma_cm_id *id = NULL;
	struct conn *c;

	set_config(s, line);
	if (addr)
		snprintf(host, sizeof(host), "%.*s", (int)strcspn(addr, " "), addr);
	if (port)
		snprintf(service, sizeof(service), "%.*s",
			 (int)strcspn(port, " "), port);
	if (getaddrinfo(host, service, &hints, &to)) {
		say(s, "ERR address\n");
		return;
	}
	if (session_channel(s) || rdma_create_id(s->chan, &id, NULL, RDMA_PS_TCP) ||
	    rdma_resolve_addr(id, (struct sockaddr *)&from, to->ai_addr, 3000)) {
		say_errno(s, "resolve", errno);
		if (id)
			rdma_destroy_id(id);
	} else {
		c = conn_new(s, id);
		if (c) {
			c->active = true;
			say(s, "OK conn=%u\n", conn_index(c));
		} else {
			rdma_destroy_id(id);
			say(s, "ERR too many connections\n");
		}
	}
	freeaddrinfo(to);
}

static void say_event(struct session *s, const struct event *e)
{
	char pd[513];

	hex(pd, e->pd, e->pd_len < 256 ? e->pd_len : 256);
	say(s, "- conn=%u event=%s status=%d ird=%u ord=%u pdlen=%u pd=%s ms=%" PRIu64 "\n",
	    e->conn, rdma_event_str(e->type) + strlen("RDMA_CM_EVENT_"),
	    e->status, e->ird, e->ord, e->pd_len, pd,
	    (e->at - s->start) / (uint64_t)MS_NS);
}

static void cmd_events(struct session *s, const char *line)
{
	(void)line;
	session_work(s);
	for (unsigned int i = 0; i < s->n_ev; i++)
		say_event(s, &s->ev[i]);
	say(s, "OK n=%u\n", s->n_ev);
}

struct wait_event {
	const char *names;
	unsigned int conn;
	bool any_conn;
	const struct event *found;
};

static bool event_seen(struct session *s, void *data)
{
	struct wait_event *w = data;

	for (unsigned int i = 0; i < s->n_ev; i++) {
		const char *name = rdma_event_str(s->ev[i].type) +
				   strlen("RDMA_CM_EVENT_");
		const char *hit = w->names;
		size_t n = strlen(name);

		if (!w->any_conn && s->ev[i].conn != w->conn)
			continue;
		while ((hit = strstr(hit, name)) && hit[n] != ',' &&
		       hit[n] != ' ' && hit[n])
			hit += n;
		if (hit) {
			w->found = &s->ev[i];
			return true;
		}
	}
	return false;
}

static void cmd_wait(struct session *s, const char *line)
{
	const char *names = arg(line, "event");
	struct wait_event w = { .any_conn = !arg(line, "conn"),
				.conn = arg_num(line, "conn", 0) };
	char copy[256] = "";

	if (names)
		snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(names, " "), names);
	w.names = copy;
	if (session_wait(s, event_seen, &w, arg_num(line, "timeout", 5000))) {
		say_event(s, w.found);
		say(s, "OK\n");
	} else {
		say(s, "ERR timeout\n");
	}
}

static void say_cqe(struct session *s, const struct cqe *e)
{
	const struct ibv_wc *wc = &e->wc;
	char data[129];
	bool good = wc->status == IBV_WC_SUCCESS;

	hex(data, e->data, e->data_len);
	say(s, "- wr=%" PRIu64 " status=%d op=%d len=%u flags=%u imm=%08x inv=%08x r1=%016" PRIx64 " sum=%016" PRIx64 " data=%s\n",
	    wc->wr_id, wc->status,
	    good ? (int)wc->opcode : -1, good ? wc->byte_len : 0,
	    good ? wc->wc_flags : 0,
	    good && wc->wc_flags & IBV_WC_WITH_IMM ? ntohl(wc->imm_data) : 0,
	    good && wc->wc_flags & IBV_WC_WITH_INV ? wc->invalidated_rkey : 0,
	    e->r1, e->sum, data);
}

struct wait_cqes {
	struct conn *c;
	unsigned int min;
};

static bool cqes_there(struct session *s, void *data)
{
	struct wait_cqes *w = data;

	(void)s;
	return w->c->n_cqe >= w->min;
}

static void cmd_cqes(struct session *s, const char *line)
{
	struct wait_cqes w = { .c = arg_conn(s, line),
			       .min = arg_num(line, "min", 0) };
	if (!w.c) {
		say(s, "ERR no such connection\n");
		return;
	}
	session_wait(s, cqes_there, &w, arg_num(line, "timeout", 0));
	for (unsigned int i = arg_num(line, "from", 0); i < w.c->n_cqe; i++)
		say_cqe(s, &w.c->cqes[i]);
	say(s, "OK n=%u events=%u posted=%u sent=%" PRIu64 "\n", w.c->n_cqe,
	    w.c->cq_events, w.c->next_slot, w.c->next_wr);
}

static int send_opcode(const char *op)
{
	static const struct {
		const char *name;
		int op;
	} ops[] = {
		{ "send", IBV_WR_SEND }, { "sendinv", IBV_WR_SEND_WITH_INV },
		{ "write", IBV_WR_RDMA_WRITE }, { "read", IBV_WR_RDMA_READ },
		{ "fadd", IBV_WR_ATOMIC_FETCH_AND_ADD },
		{ "cas", IBV_WR_ATOMIC_CMP_AND_SWP },
		{ "imm", IBV_WR_SEND_WITH_IMM },
		{ "writeimm", IBV_WR_RDMA_WRITE_WITH_IMM },
	};

	for (size_t i = 0; op && i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strncmp(op, ops[i].name, strcspn(op, " ")) &&
		    strlen(ops[i].name) == strcspn(op, " "))
			return ops[i].op;
	return -1;
}

static bool is_atomic(int op)
{
	return op == IBV_WR_ATOMIC_FETCH_AND_ADD ||
	       op == IBV_WR_ATOMIC_CMP_AND_SWP;
}

static void build_wr(struct conn *c, const char *line, int op,
		     struct ibv_send_wr *wr, struct ibv_sge *sge)
{
	bool sink = op == IBV_WR_RDMA_READ || is_atomic(op);
	uint64_t off = arg_num(line, "off", 0);

	sge->addr = (uintptr_t)(sink ? c->s->reg[RK].base : src_buf) + off;
	sge->lkey = sink ? c->s->reg[RK].mr->lkey : c->s->src_mr->lkey;
	sge->length = is_atomic(op) ? 8 : arg_num(line, "len", 16);
	wr->sg_list = sge;
	wr->num_sge = sge->length ? 1 : 0;
	wr->opcode = op;
	wr->send_flags = IBV_SEND_SIGNALED |
			 (arg_num(line, "se", 0) ? IBV_SEND_SOLICITED : 0) |
			 (arg_num(line, "fence", 0) ? IBV_SEND_FENCE : 0);
	if (is_atomic(op)) {
		wr->wr.atomic.remote_addr = arg_num(line, "to", 0);
		wr->wr.atomic.rkey = arg_num(line, "stag", 0);
		wr->wr.atomic.compare_add = arg_num(line, "add", 1);
		wr->wr.atomic.swap = arg_num(line, "swap", 0);
	} else {
		wr->wr.rdma.remote_addr = arg_num(line, "to", 0);
		wr->wr.rdma.rkey = arg_num(line, "stag", 0);
	}
	if (op == IBV_WR_SEND_WITH_INV) {
		wr->invalidate_rkey = arg_num(line, "inv", 0);
		wr->wr.rdma.rkey = wr->invalidate_rkey;
	} else {
		wr->imm_data = htonl(arg_num(line, "imm", 0));
	}
}

static void cmd_post(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);
	uint64_t count = arg_num(line, "count", 1);
	uint64_t step = arg_num(line, "step", 0);
	int op = send_opcode(arg(line, "op"));
	struct ibv_send_wr wr = { 0 }, *bad;
	struct ibv_sge sge;
	int err = 0;

	if (!c || !c->id || !c->id->qp || op < 0) {
		say(s, "ERR no queue pair or no such operation\n");
		return;
	}
	build_wr(c, line, op, &wr, &sge);
	for (uint64_t i = 0; i < count && !err; i++) {
		wr.wr_id = 0x10000 + c->next_wr;
		err = ibv_post_send(c->id->qp, &wr, &bad);
		if (!err)
			c->next_wr++;
		sge.addr += step;
		wr.wr.rdma.remote_addr += step;
	}
	if (err == EINVAL && (is_atomic(op) || op == IBV_WR_SEND_WITH_IMM ||
			      op == IBV_WR_RDMA_WRITE_WITH_IMM))
		say(s, "UNSUPPORTED post: %s\n", strerror(err));
	else if (err)
		say_errno(s, "post", err);
	else
		say(s, "OK sent=%" PRIu64 "\n", c->next_wr);
}

static void cmd_repost(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);
	int err = c && c->id && c->id->qp ?
		  post_recvs(c, arg_num(line, "count", 1)) : ENOTCONN;

	if (err)
		say_errno(s, "repost", err);
	else
		say(s, "OK posted=%u\n", c->next_slot);
}

static void cmd_arm(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);

	if (!c || !c->cq) {
		say(s, "ERR no completion queue\n");
		return;
	}
	conn_poll(c);
	if (ibv_req_notify_cq(c->cq, arg_num(line, "solicited", 0)))
		say_errno(s, "arm", errno);
	else
		say(s, "OK events=%u\n", c->cq_events);
}

static void cmd_digest(struct session *s, const char *line)
{
	const char *broken = "";
	long at = 0;

	(void)line;
	session_work(s);
	for (unsigned int k = 0; k < N_REGIONS; k++) {
		long off = canary_broken(&s->reg[k]);

		if (off != -1) {
			broken = region_name[k];
			at = off;
		}
	}
	say(s, "OK");
	for (unsigned int k = 0; k < N_REGIONS && s->reg[k].base; k++)
		say(s, " %s=%016" PRIx64, region_name[k],
		    digest(s->reg[k].base, s->reg[k].len));
	if (*broken)
		say(s, " canary=%s%+ld\n", broken, at);
	else
		say(s, " canary=whole\n");
}

static void cmd_peek(struct session *s, const char *line)
{
	struct region *r = arg_region(s, line);
	uint64_t off = arg_num(line, "off", 0), len = arg_num(line, "len", 16);
	char *text;

	if (!r || !r->base || off > r->len || len > r->len - off) {
		say(s, "ERR range\n");
		return;
	}
	text = malloc(2 * len + 1);
	if (!text)
		abort();
	hex(text, r->base + off, len);
	say(s, "OK data=%s\n", text);
	free(text);
}

static void cmd_poke(struct session *s, const char *line)
{
	struct region *r = arg_region(s, line);
	uint64_t off = arg_num(line, "off", 0);
	uint8_t data[1024];
	unsigned int n = arg_hex(line, "data", data, sizeof(data));

	if (!r || !r->base || off > r->len || n > r->len - off) {
		say(s, "ERR range\n");
		return;
	}
	memcpy(r->base + off, data, n);
	say(s, "OK\n");
}

static void cmd_dereg(struct session *s, const char *line)
{
	struct region *r = arg_region(s, line);
	int err;

	if (!r || !r->mr) {
		say(s, "ERR not registered\n");
		return;
	}
	err = ibv_dereg_mr(r->mr);
	if (err) {
		say_errno(s, "dereg", err);
		return;
	}
	r->mr = NULL;
	say(s, "OK digest=%016" PRIx64 "\n", digest(r->base, r->len));
}

/* Registers count small regions, at most hold at a time, and prints STags. */
static void cmd_reg(struct session *s, const char *line)
{
	unsigned int count = arg_num(line, "count", 16);
	unsigned int hold = arg_num(line, "hold", 64);
	struct ibv_mr **mr;
	unsigned int done = 0;

	if (!hold || !s->pd) {
		say(s, "ERR no device yet\n");
		return;
	}
	mr = calloc(hold, sizeof(*mr));
	if (!mr)
		abort();
	for (; done < count; done++) {
		struct ibv_mr **slot = &mr[done % hold];

		if (*slot)
			ibv_dereg_mr(*slot);
		*slot = ibv_reg_mr(s->pd, src_buf + 64 * (done % 1024), 64,
				   IBV_ACCESS_LOCAL_WRITE |
				   IBV_ACCESS_REMOTE_WRITE);
		if (!*slot)
			break;
		say(s, "- stag=%08x lkey=%08x\n", (*slot)->rkey, (*slot)->lkey);
	}
	for (unsigned int i = 0; i < hold; i++)
		if (mr[i])
			ibv_dereg_mr(mr[i]);
	free(mr);
	say(s, "OK n=%u\n", done);
}

/* A region whose TOs are the last ones of the address range. */
static void cmd_top(struct session *s, const char *line)
{
	(void)line;
	if (!s->pd) {
		say(s, "ERR no device yet\n");
		return;
	}
	if (!s->top_mr) {
		if (region_map(&s->top, 8192, 0)) {
			say(s, "ERR memory\n");
			return;
		}
		s->top_mr = ibv_reg_mr_iova(s->pd, s->top.base, 8192, 0 - 8192ull,
					    IBV_ACCESS_LOCAL_WRITE |
					    IBV_ACCESS_REMOTE_WRITE |
					    IBV_ACCESS_REMOTE_READ);
	}
	if (!s->top_mr)
		say(s, "UNSUPPORTED top region: %s\n", strerror(errno));
	else
		say(s, "OK stag=%08x to=%016llx len=8192 canary=%ld digest=%016" PRIx64 "\n",
		    s->top_mr->rkey, 0 - 8192ull, canary_broken(&s->top),
		    digest(s->top.base, s->top.len));
}

static void cmd_query(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	if (!c || !c->id || !c->id->qp) {
		say(s, "ERR no queue pair\n");
		return;
	}
	memset(&attr, 0, sizeof(attr));
	if (ibv_query_qp(c->id->qp, &attr, IBV_QP_STATE | IBV_QP_CAP, &init))
		say_errno(s, "query", errno);
	else
		say(s, "OK state=%d ird=%d ord=%d early=%d\n", attr.qp_state,
		    attr.max_dest_rd_atomic, attr.max_rd_atomic, c->early_done);
}

static void cmd_async(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);
	unsigned int n = 0;

	pthread_mutex_lock(&async_lock);
	for (unsigned int i = 0; i < n_async; i++) {
		if (c && async_log[i].qpn != c->qpn)
			continue;
		say(s, "- qpn=%u type=%d\n", async_log[i].qpn, async_log[i].type);
		n++;
	}
	pthread_mutex_unlock(&async_lock);
	say(s, "OK n=%u\n", n);
}

static void cmd_disconnect(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);

	if (!c || !c->id || rdma_disconnect(c->id))
		say_errno(s, "disconnect", errno);
	else
		say(s, "OK\n");
}

static void cmd_polling(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);

	if (c)
		c->cfg.nopoll = !arg_num(line, "on", 1);
	say(s, c ? "OK\n" : "ERR no such connection\n");
}

static void cmd_drop(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);

	if (c && (c->id || c->cq))
		conn_drop(c);
	say(s, c ? "OK\n" : "ERR no such connection\n");
}

static void cmd_mem(struct session *s, const char *line)
{
	unsigned long free_kb = 0, slab = 0;
	FILE *f = fopen("/proc/meminfo", "r");
	char text[128];

	(void)line;
	while (f && fgets(text, sizeof(text), f)) {
		sscanf(text, "MemAvailable: %lu", &free_kb);
		sscanf(text, "Slab: %lu", &slab);
	}
	if (f)
		fclose(f);
	say(s, "OK free=%lu slab=%lu\n", free_kb, slab);
}

static void cmd_quit(struct session *s, const char *line)
{
	(void)line;
	say(s, "OK\n");
	s->over = true;
}

static const struct {
	const char *name;
	void (*run)(struct session *s, const char *line);
} commands[] = {
	{ "HELLO", cmd_hello }, { "LISTEN", cmd_listen },
	{ "CONNECT", cmd_connect }, { "EVENTS", cmd_events },
	{ "WAIT", cmd_wait }, { "CQES", cmd_cqes }, { "POST", cmd_post },
	{ "REPOST", cmd_repost }, { "ARM", cmd_arm }, { "DIGEST", cmd_digest },
	{ "PEEK", cmd_peek }, { "POKE", cmd_poke }, { "DEREG", cmd_dereg },
	{ "REG", cmd_reg }, { "TOP", cmd_top }, { "QUERY", cmd_query },
	{ "ASYNC", cmd_async }, { "DISCONNECT", cmd_disconnect },
	{ "POLLING", cmd_polling }, { "DROP", cmd_drop }, { "MEM", cmd_mem },
	{ "QUIT", cmd_quit },
};

static void run_line(struct session *s, const char *line)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].name) == n &&
		    !strncmp(line, commands[i].name, n)) {
			commands[i].run(s, line);
			return;
		}
	}
	say(s, "ERR unknown command\n");
}

static void session_read(struct session *s)
{
	ssize_t n = recv(s->ctl, s->line + s->line_len,
			 sizeof(s->line) - 1 - s->line_len, MSG_DONTWAIT);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->over = true;
		return;
	}
	s->line_len += n;
	s->line[s->line_len] = 0;
	while (!s->over && (end = strchr(s->line, '\n'))) {
		*end = 0;
		run_line(s, s->line);
		s->line_len -= end + 1 - s->line;
		memmove(s->line, end + 1, s->line_len + 1);
	}
	if (s->line_len == sizeof(s->line) - 1)
		s->over = true;
}

static void session_free(struct session *s)
{
	for (unsigned int i = 0; i < s->n_conn; i++) {
		conn_drop(s->conn[i]);
		free(s->conn[i]->cqes);
		free(s->conn[i]);
	}
	if (s->listen)
		rdma_destroy_id(s->listen);
	if (s->top_mr)
		ibv_dereg_mr(s->top_mr);
	region_free(&s->top);
	if (s->src_mr)
		ibv_dereg_mr(s->src_mr);
	if (s->adv_mr)
		ibv_dereg_mr(s->adv_mr);
	for (unsigned int k = 0; k < N_REGIONS; k++)
		region_free(&s->reg[k]);
	if (s->pd)
		ibv_dealloc_pd(s->pd);
	if (s->pd2)
		ibv_dealloc_pd(s->pd2);
	if (s->chan)
		rdma_destroy_event_channel(s->chan);
	close(s->ctl);
	free(s->ev);
	free(s);
}

static void *session_thread(void *data)
{
	struct session *s = data;

	while (!s->over) {
		session_work(s);
		session_sleep(s, s->n_conn ? 3 : 50, true);
		session_read(s);
	}
	session_free(s);
	return NULL;
}

/* Async events belong to the device, not to a session: one thread logs all. */
static void *async_thread(void *data)
{
	struct ibv_context *verbs = data;
	struct ibv_async_event ev;

	while (!ibv_get_async_event(verbs, &ev)) {
		bool qp = ev.event_type == IBV_EVENT_QP_FATAL ||
			  ev.event_type == IBV_EVENT_QP_REQ_ERR ||
			  ev.event_type == IBV_EVENT_QP_ACCESS_ERR ||
			  ev.event_type == IBV_EVENT_COMM_EST ||
			  ev.event_type == IBV_EVENT_QP_LAST_WQE_REACHED;

		pthread_mutex_lock(&async_lock);
		if (n_async < sizeof(async_log) / sizeof(async_log[0])) {
			async_log[n_async].type = ev.event_type;
			async_log[n_async++].qpn = qp ? ev.element.qp->qp_num : 0;
		}
		pthread_mutex_unlock(&async_lock);
		ibv_ack_async_event(&ev);
	}
	return NULL;
}

static void start_thread(void *(*fn)(void *), void *data)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 << 10);
	if (pthread_create(&t, &attr, fn, data)) {
		perror("agent: thread");
		exit(1);
	}
	pthread_attr_destroy(&attr);
}

/* The device at the bind address, kept open for the life of the agent. */
static int open_device(void)
{
	struct rdma_event_channel *chan = rdma_create_event_channel();
	struct sockaddr_storage any = bind_addr;
	struct ibv_device_attr attr;
	struct rdma_cm_id *id;

	if (!chan || rdma_create_id(chan, &id, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(id, (struct sockaddr *)&any) || !id->verbs) {
		fprintf(stderr, "agent: no RDMA device at the address: %s\n",
			strerror(errno));
		return -1;
	}
	if (!ibv_query_device(id->verbs, &attr))
		atomics = attr.atomic_cap != IBV_ATOMIC_NONE;
	start_thread(async_thread, id->verbs);
	return 0;
}

static int listen_control(const char *addr, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE,
				  .ai_socktype = SOCK_STREAM }, *ai;
	int one = 1, fd;

	if (getaddrinfo(addr, port, &hints, &ai))
		return -1;
	memcpy(&bind_addr, ai->ai_addr, ai->ai_addrlen);
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, 128)) {
		perror("agent: control port");
		return -1;
	}
	freeaddrinfo(ai);
	/* the port of the RDMA side is chosen anew for each session */
	((struct sockaddr_in *)&bind_addr)->sin_port = 0;
	return fd;
}

static void serve(int fd)
{
	for (;;) {
		int one = 1, ctl = accept(fd, NULL, NULL);
		struct session *s;

		if (ctl < 0)
			continue;
		s = calloc(1, sizeof(*s));
		if (!s) {
			close(ctl);
			continue;
		}
		setsockopt(ctl, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		s->ctl = ctl;
		s->start = now_ns();
		start_thread(session_thread, s);
	}
}

int main(int argc, char **argv)
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: agent ADDRESS CONTROL-PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_MEMLOCK, &lim);
	fd = listen_control(argv[1], argv[2]);
	src_buf = mmap(NULL, SRC_LEN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || src_buf == MAP_FAILED)
		return 1;
	for (unsigned int i = 0; i < SRC_LEN; i++)
		src_buf[i] = i % 251;
	if (open_device())
		return 1;
	printf("agent: ready\n");
	fflush(stdout);
	serve(fd);
	return 0;
}
