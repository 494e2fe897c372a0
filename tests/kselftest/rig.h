/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Helpers of the siw kselftests: KTAP output, one forked child per case,
 * memory with canaries, and a pair of connected queue pairs whose ends live
 * in two network namespaces of one process.
 */
#ifndef RIG_H
#define RIG_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Milliseconds that cover a slow emulated guest, yet end a hung test soon. */
#define WAIT_MS		((int)(15000 * slow_factor()))
/*
 * A peer is told of the end of its connection at once; this allows for a busy
 * machine, but not for the timers that serve silent peers.
 */
#define TOLD_MS		((int)(10000 * slow_factor()))

/* --- KTAP ------------------------------------------------------------- */

enum ksft_exit {
	KSFT_PASS = 0,
	KSFT_FAIL = 1,
	KSFT_SKIP = 4,
};

/**
 * struct test_case - one KTAP line
 * @name: unique within the program
 * @fn: runs in a child of its own and returns if the case passed
 * @arg: handed to @fn
 * @seconds: time limit, 0 for the default
 */
struct test_case {
	const char *name;
	void (*fn)(const void *arg);
	const void *arg;
	unsigned int seconds;
};

unsigned int slow_factor(void);
int ktap_main(const struct test_case *cases, size_t n, int argc, char **argv);

__attribute__((noreturn, format(printf, 3, 4)))
void fail_at(const char *file, int line, const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2)))
void skip_case(const char *fmt, ...);
__attribute__((format(printf, 1, 2)))
void note(const char *fmt, ...);

#define FAIL(...)	fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("%s is false (errno %d %s)", #cond,	\
			     errno, strerror(errno));			\
	} while (0)
#define CHECK_EQ(a, b)							\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
									\
		if (a_ != b_)						\
			FAIL("%s is %lld, not %s (%lld)", #a, a_, #b, b_); \
	} while (0)
#define CHECK_OK(expr)							\
	do {								\
		int r_ = (expr);					\
									\
		if (r_)							\
			FAIL("%s = %d (errno %d %s)", #expr, r_, errno,	\
			     strerror(errno));				\
	} while (0)

bool stock_provider(void);
bool is_v6(void);
uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

/* --- namespaces and addresses ------------------------------------------ */

enum host { SRV, CLI };

void ns_enter(enum host h);
const char *host_addr(enum host h);
struct sockaddr *sa_parse(const char *text, uint16_t port,
			  struct sockaddr_storage *ss);

/* --- rdma_cm events ------------------------------------------------------ */

/**
 * struct cmev - copy of an acknowledged event
 * @type: event type
 * @status: errno or reject reason of the event
 * @id: identifier the event is about
 * @pdlen: octets of private data in @pd
 * @pd: private data
 * @ird: responder_resources as reported
 * @ord: initiator_depth as reported
 */
struct cmev {
	enum rdma_cm_event_type type;
	int status;
	struct rdma_cm_id *id;
	uint8_t pdlen;
	uint8_t pd[256];
	uint8_t ird;
	uint8_t ord;
};

struct rdma_event_channel *cm_channel(void);
bool cm_wait(struct rdma_event_channel *ch, struct cmev *ev, int ms);
struct cmev cm_expect(struct rdma_event_channel *ch,
		      enum rdma_cm_event_type type, int ms);
bool cm_wait_end(struct rdma_event_channel *ch, int ms);

/* --- end points ---------------------------------------------------------- */

/**
 * struct ep_attr - what one end asks for; zero means the default
 * @send_wr: SQ depth
 * @recv_wr: RQ depth
 * @sge: SGEs per request, both queues
 * @inln: octets of inline data
 * @cqe: depth of each of the two CQs
 * @srq_wr: depth of a SRQ used in place of the RQ
 * @sig_all: complete each send request
 * @scq_ex: make the CQ of the send queue an extended one, like this
 * @send_ops: requests for ibv_wr_*() (IBV_QP_EX_WITH_*), 0: a plain QP
 * @domain: protection domain of another end to be in, NULL: one of its own
 * @depth_set: take @ird and @ord from here even if zero
 * @ird: reads served at once
 * @ord: reads issued at once
 * @pd: private data to send
 * @pdlen: its length
 */
struct ep_attr {
	uint32_t send_wr;
	uint32_t recv_wr;
	uint32_t sge;
	uint32_t inln;
	int cqe;
	uint32_t srq_wr;
	bool sig_all;
	const struct ibv_cq_init_attr_ex *scq_ex;
	uint64_t send_ops;
	struct ibv_pd *domain;
	bool depth_set;
	uint8_t ird;
	uint8_t ord;
	const void *pd;
	uint8_t pdlen;
};

struct ep {
	enum host host;
	struct ep_attr attr;
	struct rdma_event_channel *ch;
	struct rdma_cm_id *id;
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_comp_channel *scc;
	struct ibv_comp_channel *rcc;
	struct ibv_cq *scq;
	struct ibv_cq_ex *scq_ex;
	struct ibv_cq *rcq;
	struct ibv_srq *srq;
	struct ibv_qp *qp;
};

/**
 * struct rig - two connected ends
 * @lch: channel of the listener
 * @lid: listener, lives as long as the rig
 * @port: of the listener
 * @c: the end that connected
 * @s: the end that accepted
 * @creq: connect request as the server saw it
 * @cest: established event as the client saw it
 */
struct rig {
	struct rdma_event_channel *lch;
	struct rdma_cm_id *lid;
	uint16_t port;
	struct ep c;
	struct ep s;
	struct cmev creq;
	struct cmev cest;
};

void listen_on(struct rig *r, enum host h, const char *addr, uint16_t port,
	       int backlog);
void ep_resolve(struct ep *e, enum host h, const char *dst, uint16_t port);
void ep_make_qp(struct ep *e, const struct ep_attr *a);
struct rdma_conn_param conn_param(const struct ep_attr *a);
void ep_connect(struct ep *e);
void ep_accept(struct ep *e, struct rdma_cm_id *id, const struct ep_attr *a);
void ep_close(struct ep *e);
void rig_connect_attr(struct rig *r, const struct ep_attr *ca,
		      const struct ep_attr *sa);
void rig_connect(struct rig *r);
void rig_connect_to(struct rig *r, enum host from, const char *addr,
		    const struct ep_attr *ca, const struct ep_attr *sa);
void rig_close(struct rig *r);
void rig_ping(struct rig *r);
enum ibv_qp_state ep_state(struct ep *e);
struct ibv_context *dev_open(const char *name);

/* --- memory -------------------------------------------------------------- */

#define RW_ACCESS	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | \
			 IBV_ACCESS_REMOTE_READ)

struct buf {
	uint8_t *map;
	size_t maplen;
	uint8_t *p;
	size_t len;
	struct ibv_mr *mr;
};

void buf_new(struct buf *b, struct ibv_pd *pd, size_t len, size_t shift,
	     int access);
void buf_free(struct buf *b);
void buf_fill(struct buf *b, unsigned int seed);
void buf_clear(struct buf *b);
void buf_check(const struct buf *b, size_t off, size_t len,
	       unsigned int seed, size_t seed_off);
void buf_check_clear(const struct buf *b, size_t off, size_t len);
void buf_check_canary(const struct buf *b);
struct ibv_sge buf_sge(const struct buf *b, size_t off, size_t len);

/* --- work ---------------------------------------------------------------- */

/**
 * struct op - a send-queue request in short
 * @id: work request id
 * @opcode: verb
 * @flags: IBV_SEND_*
 * @sge: list
 * @nsge: its length
 * @raddr: remote address
 * @rkey: remote STag, or the one to invalidate
 */
struct op {
	uint64_t id;
	enum ibv_wr_opcode opcode;
	unsigned int flags;
	struct ibv_sge *sge;
	int nsge;
	uint64_t raddr;
	uint32_t rkey;
};

int try_op(struct ep *e, const struct op *o);
void post_op(struct ep *e, const struct op *o);
int try_recv(struct ep *e, uint64_t id, struct ibv_sge *sge, int n);
void post_recv(struct ep *e, uint64_t id, struct ibv_sge *sge, int n);
bool wc_wait(struct ibv_cq *cq, struct ibv_wc *wc, int ms);
struct ibv_wc wc_get(struct ibv_cq *cq);
struct ibv_wc wc_expect(struct ibv_cq *cq, uint64_t id,
			enum ibv_wc_status status);
void wc_none(struct ibv_cq *cq, int ms);
bool cq_event(struct ibv_comp_channel *cc, int ms);
bool async_wait(struct ibv_context *ctx, struct ibv_async_event *ev, int ms);
bool async_seen(struct ibv_context *ctx, uint64_t mask, int ms);

#endif
