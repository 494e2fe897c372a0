// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The commands of the agent, see the top of agent.c for their form. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

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
	g->reads = arg_num(line, "reads", 0);
	g->advert = arg_num(line, "advert", 1);
	g->reject = arg_num(line, "reject", 0);
	g->early = arg_num(line, "early", 0);
	g->nopoll = arg_num(line, "nopoll", 0);
	g->pd_len = arg_hex(line, "pd", g->pd, sizeof(g->pd));
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
		    executes_atomics(&attr), attr.max_qp_rd_atom,
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
	say(s, "- wr=%" PRIu64 " status=%d op=%d len=%u flags=%u imm=%08x inv=%08x",
	    wc->wr_id, wc->status, good ? (int)wc->opcode : -1,
	    good ? wc->byte_len : 0, good ? wc->wc_flags : 0,
	    good && wc->wc_flags & IBV_WC_WITH_IMM ? ntohl(wc->imm_data) : 0,
	    good && wc->wc_flags & IBV_WC_WITH_INV ? wc->invalidated_rkey : 0);
	say(s, " r1=%016" PRIx64 " sum=%016" PRIx64 " data=%s\n",
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
	sge->lkey = arg_num(line, "lkey", sink ? c->s->reg[RK].mr->lkey :
						 c->s->src_mr->lkey);
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
	/* errnos are positive in verbs, but not in every provider */
	err = abs(err);
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
		  abs(post_recvs(c, arg_num(line, "count", 1))) : ENOTCONN;

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
	if (s->reg[RK].base)
		say(s, " KTAIL=%016" PRIx64,
		    digest(s->reg[RK].base + READ_AREA,
			   s->reg[RK].len - READ_AREA));
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

/* The memory of a connection's receives goes away under them. */
static void dereg_recv(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);

	if (!c || !c->rmr || ibv_dereg_mr(c->rmr)) {
		say(s, "ERR not registered\n");
		return;
	}
	c->rmr = NULL;
	say(s, "OK\n");
}

static void cmd_dereg(struct session *s, const char *line)
{
	struct region *r = arg_region(s, line);
	const char *name = arg(line, "region");
	int err;

	if (name && !strncmp(name, "recv", 4)) {
		dereg_recv(s, line);
		return;
	}
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

static void cmd_fail(struct session *s, const char *line)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	struct conn *c = arg_conn(s, line);

	if (!c || !c->id || !c->id->qp)
		say(s, "ERR no queue pair\n");
	else if (ibv_modify_qp(c->id->qp, &attr, IBV_QP_STATE))
		say_errno(s, "modify_qp", errno);
	else
		say(s, "OK\n");
}

static void cmd_async(struct session *s, const char *line)
{
	struct conn *c = arg_conn(s, line);
	struct async_entry e;
	unsigned int at = 0, n = 0;

	while (c && (at = async_entries(at, c, &e))) {
		say(s, "- qpn=%u type=%d\n", e.qpn, e.type);
		n++;
	}
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
		if (sscanf(text, "MemAvailable: %lu", &free_kb) != 1 &&
		    sscanf(text, "Slab: %lu", &slab) == 1)
			break;
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
	{ "FAIL", cmd_fail }, { "QUIT", cmd_quit },
};

/**
 * run_line() - carry out one command and answer it
 * @s: session
 * @line: the command without its newline
 */
void run_line(struct session *s, const char *line)
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
