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

#include "agent.h"

struct sockaddr_storage bind_addr;
const char * const region_name[N_REGIONS] = { "R1", "R2", "R3", "R4", "R5", "K" };
uint8_t *src_buf;
static bool atomics;
static pthread_mutex_t async_lock = PTHREAD_MUTEX_INITIALIZER;
static struct async_entry async_log[4096];
static unsigned int n_async;

/**
 * now_ns() - monotonic time in nanoseconds
 */
uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- text --- */

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

/**
 * say() - send text to the control connection
 * @s: session; ends when the text cannot be sent
 * @fmt: as for printf
 */
void say(struct session *s, const char *fmt, ...)
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

/**
 * hex() - octets as text
 * @out: room for 2 * @len + 1 characters
 * @data: octets
 * @len: how many
 */
void hex(char *out, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
	out[2 * len] = 0;
}

/* --- memory --- */

/**
 * digest() - FNV-1a, 64 bit
 * @p: octets
 * @len: how many
 */
uint64_t digest(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

/**
 * region_map() - memory with canaries around it
 * @r: region to fill in
 * @len: its length in octets
 * @skew: distance of its first octet from a page boundary
 *
 * Return: 0 or a negative errno.
 */
int region_map(struct region *r, uint32_t len, unsigned int skew)
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
/**
 * canary_broken() - look for writes around a region
 * @r: region
 *
 * Return: place of the first changed octet relative to the region, -1 when
 * all are whole.
 */
long canary_broken(const struct region *r)
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

/**
 * session_verbs() - protection domains and regions, once a device is known
 * @s: session
 * @verbs: device
 *
 * Return: 0 or a negative errno.
 */
int session_verbs(struct session *s, struct ibv_context *verbs)
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

/**
 * conn_new() - a connection with the configuration of the session
 * @s: session
 * @id: its rdma_cm id
 *
 * Return: the connection, NULL when there are too many.
 */
struct conn *conn_new(struct session *s, struct rdma_cm_id *id)
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

/**
 * conn_index() - number of a connection in its session
 * @c: connection
 */
unsigned int conn_index(const struct conn *c)
{
	for (unsigned int i = 0; i < c->s->n_conn; i++)
		if (c->s->conn[i] == c)
			return i;
	return MAX_CONNS;
}

/**
 * post_recvs() - post receives into the next free slots
 * @c: connection with a queue pair
 * @count: how many
 *
 * Return: 0 or a positive errno, as verbs do.
 */
int post_recvs(struct conn *c, unsigned int count)
{
	while (count--) {
		struct ibv_sge sge = {
			.addr = (uintptr_t)c->rbuf + c->next_slot * c->cfg.rsize,
			.length = c->cfg.rsize,
			.lkey = c->rmr ? c->rmr->lkey : 0,
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
	c->old_cq = c->cq;
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

/* Reads that PEER may answer in any way it likes. */
static void post_reads(struct conn *c)
{
	for (unsigned int i = 0; i < c->cfg.reads; i++) {
		struct ibv_sge sge = {
			.addr = (uintptr_t)c->s->reg[RK].base + i * 1024,
			.length = 512, .lkey = c->s->reg[RK].mr->lkey,
		};
		struct ibv_send_wr wr = {
			.wr_id = 0xad00 + i, .sg_list = &sge, .num_sge = 1,
			.opcode = IBV_WR_RDMA_READ,
			.send_flags = IBV_SEND_SIGNALED,
			.wr.rdma = { .remote_addr = 0x1000, .rkey = 0x5000 },
		}, *bad;

		ibv_post_send(c->id->qp, &wr, &bad);
	}
}

static void maybe_advert(struct conn *c)
{
	if (c->cfg.advert && !c->advertised && c->id && c->id->qp) {
		c->advertised = true;
		post_advert(c);
		post_reads(c);
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

/**
 * conn_poll() - move completions and CQ events to the log
 * @c: connection
 */
void conn_poll(struct conn *c)
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

/**
 * conn_drop() - give up what a connection holds; its logs stay
 * @c: connection
 */
void conn_drop(struct conn *c)
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

/**
 * session_channel() - make sure the session has an event channel
 * @s: session
 *
 * Return: 0 or a negative errno.
 */
int session_channel(struct session *s)
{
	if (s->chan)
		return 0;
	s->chan = rdma_create_event_channel();
	if (!s->chan)
		return -errno;
	fcntl(s->chan->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

/**
 * session_work() - handle what has happened, without waiting
 * @s: session
 */
void session_work(struct session *s)
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

/**
 * session_wait() - serve connections until something is done
 * @s: session
 * @done: asked again and again, with @data
 * @data: for @done
 * @ms: time limit in milliseconds
 *
 * Return: false when time is over.
 */
bool session_wait(struct session *s, bool (*done)(struct session *s, void *),
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

/* --- control connection --- */

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
			struct async_entry *e = &async_log[n_async++];

			e->type = ev.event_type;
			e->qpn = qp ? ev.element.qp->qp_num : 0;
			e->cq = ev.event_type == IBV_EVENT_CQ_ERR ?
				ev.element.cq : NULL;
		}
		pthread_mutex_unlock(&async_lock);
		ibv_ack_async_event(&ev);
	}
	return NULL;
}

/**
 * async_entries() - next async event of a queue pair or its CQ
 * @from: where to look, 0 at first
 * @c: connection
 * @entry: filled in
 *
 * Return: @from for the next call, 0 when there is none.
 */
unsigned int async_entries(unsigned int from, const struct conn *c,
			   struct async_entry *entry)
{
	unsigned int found = 0;

	pthread_mutex_lock(&async_lock);
	for (; from < n_async && !found; from++) {
		const struct async_entry *e = &async_log[from];

		if ((e->qpn && e->qpn == c->qpn) ||
		    (e->cq && e->cq == c->old_cq)) {
			*entry = async_log[from];
			found = from + 1;
		}
	}
	pthread_mutex_unlock(&async_lock);
	return found;
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
		atomics = executes_atomics(&attr);
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
