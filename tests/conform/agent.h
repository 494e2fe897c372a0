/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the two halves of the agent share: sessions (agent.c), commands (agent_cmd.c). */
#ifndef CONFORM_AGENT_H
#define CONFORM_AGENT_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#define GUARD		4096u
#define CANARY		0xc5
#define SKEW		64u		/* regions don't begin on a page */
#define SRC_LEN		(4u << 20)
#define SINK_LEN	(256u << 10)
#define READ_AREA	(64u << 10)	/* of the sink, for Reads at connect */
#define MAX_SLOTS	2048u
#define MAX_CONNS	2048u
#define ADVERT_LEN	(5u * 16u)
#define MS_NS		UINT64_C(1000000)

enum { R1, R2, R3, R4, R5, RK, N_REGIONS };

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
	unsigned int ird, ord, recvs, rsize, delay, cq, keep, sq, reads;
	bool advert, reject, early, nopoll;
	uint8_t pd[512];
	unsigned int pd_len;
};

struct conn {
	struct session *s;
	struct config cfg;
	struct rdma_cm_id *id;
	struct ibv_cq *cq;
	const struct ibv_cq *old_cq;	/* for events logged after its end */
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
	const struct ibv_cq *cq;
	enum ibv_event_type type;
};

extern struct sockaddr_storage bind_addr;
extern const char * const region_name[N_REGIONS];
extern uint8_t *src_buf;

/* Ours executes a peer's atomics whether its provider can post any or not. */
static inline bool executes_atomics(const struct ibv_device_attr *attr)
{
	return attr->atomic_cap != IBV_ATOMIC_NONE ||
	       !access("/sys/module/siw/parameters/rnr_wait", F_OK);
}

uint64_t now_ns(void);
void say(struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void hex(char *out, const uint8_t *data, size_t len);
uint64_t digest(const uint8_t *p, size_t len);
int region_map(struct region *r, uint32_t len, unsigned int skew);
long canary_broken(const struct region *r);
int session_verbs(struct session *s, struct ibv_context *verbs);
int session_channel(struct session *s);
void session_work(struct session *s);
bool session_wait(struct session *s, bool (*done)(struct session *s, void *),
		  void *data, uint64_t ms);
struct conn *conn_new(struct session *s, struct rdma_cm_id *id);
unsigned int conn_index(const struct conn *c);
void conn_poll(struct conn *c);
void conn_drop(struct conn *c);
int post_recvs(struct conn *c, unsigned int count);
unsigned int async_entries(unsigned int from, const struct conn *c,
			   struct async_entry *entry);
void run_line(struct session *s, const char *line);

#endif
