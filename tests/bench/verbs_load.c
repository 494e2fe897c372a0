// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What perftest does not tell: what a message costs both ends, what many queue
 * pairs get of one another's time, what an idle one costs the kernel. Between two
 * hosts in one guest, as rig.h has them; all ends wait for events.
 *
 *	verbs_load cost send|write|read|pingpong|list SIZE COUNT
 *		busy nanoseconds a message (instructions in a guest with --icount);
 *		"list" is sends posted 32 at a time
 *	verbs_load share QPS SECONDS mixed|own
 *		writes of 64 octets, 4 KiB and 64 KiB on all QPs, on each in turns
 *		("mixed") or each QP those of one size ("own"): MB/s of all together,
 *		and how many times the messages of the QP served worst (of its size)
 *		the one served best completed
 *	verbs_load idle siw|tcp CONNECTIONS
 *		octets of kernel memory a connected end costs: all, and without rings
 *		that are mapped; "tcp": a TCP socket. What grew most is on stderr.
 */
#define _GNU_SOURCE
#include "../kselftest/rig.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "busy.h"

#define WINDOW		64	/* requests of one sender on their way */
#define LIST		32	/* sends in a list */
#define LISTS		4	/* lists on their way */
#define RECVS		1024	/* receives posted by a receiver */
#define CREDIT		256	/* receives after which it says so */
#define READS		16	/* reads on their way */
#define QUIET		16	/* of so many pings one is signaled */

/* ------------------------------------------------------------------ cost --- */

struct flow {
	struct rig rig;
	struct buf src;
	struct buf dst;
	unsigned long count;
	int credit_fd;
};

/* Sleep until the CQ has something, and take all there is: how many. */
static int reap_some(struct ibv_cq *cq, struct ibv_comp_channel *cc)
{
	struct ibv_wc wc[16];
	struct ibv_cq *from;
	void *context;
	int n, i, all = 0;

	for (;;) {
		while ((n = ibv_poll_cq(cq, 16, wc)) > 0) {
			for (i = 0; i < n; i++)
				CHECK_EQ(wc[i].status, IBV_WC_SUCCESS);
			all += n;
		}
		CHECK_EQ(n, 0);
		if (all)
			return all;
		CHECK_OK(ibv_get_cq_event(cc, &from, &context));
		ibv_ack_cq_events(from, 1);
		CHECK_OK(ibv_req_notify_cq(cq, 0));
	}
}

/* The first event is asked for before anything can complete. */
static void arm(struct ep *e)
{
	CHECK_OK(ibv_req_notify_cq(e->scq, 0));
	CHECK_OK(ibv_req_notify_cq(e->rcq, 0));
}

static void post_recvs(struct ep *e, struct buf *b, int n)
{
	struct ibv_sge sge = buf_sge(b, 0, b->len);

	while (n--)
		post_recv(e, 0, &sge, 1);
}

static void request(struct flow *f, struct ep *e, enum ibv_wr_opcode opcode,
		    unsigned int flags)
{
	bool read = opcode == IBV_WR_RDMA_READ;
	struct buf *local = e == &f->rig.c ? &f->src : &f->dst;
	struct buf *remote = e == &f->rig.c ? &f->dst : &f->src;
	struct ibv_sge sge = buf_sge(local, 0, local->len);
	struct op o = {
		.opcode = opcode,
		.flags = flags,
		.sge = &sge,
		.nsge = 1,
		.raddr = (uintptr_t)remote->p,
		.rkey = remote->mr->rkey,
	};

	if (read)
		sge.length = remote->len;
	post_op(e, &o);
}

/* Keep @window requests on their way until @count are done. */
static void one_sided(struct flow *f, enum ibv_wr_opcode opcode,
		      unsigned long count, unsigned int window)
{
	unsigned long posted = 0, done = 0;
	struct ep *c = &f->rig.c;

	while (done < count) {
		while (posted < count && posted - done < window) {
			request(f, c, opcode, IBV_SEND_SIGNALED);
			posted++;
		}
		done += reap_some(c->scq, c->scc);
	}
}

/* What a Write has sent is in place before a Read that follows it completes. */
static void writes(struct flow *f)
{
	one_sided(f, IBV_WR_RDMA_WRITE, f->count, WINDOW);
	one_sided(f, IBV_WR_RDMA_READ, 1, 1);
}

static void reads(struct flow *f)
{
	one_sided(f, IBV_WR_RDMA_READ, f->count, READS);
}

/* The receiving end of a stream of sends: tells of receives posted anew. */
static void *receiver(void *arg)
{
	struct flow *f = arg;
	struct ep *s = &f->rig.s;
	unsigned long done = 0;
	uint64_t unsaid = 0;
	int n;

	while (done < f->count) {
		n = reap_some(s->rcq, s->rcc);
		post_recvs(s, &f->dst, n);
		done += n;
		unsaid += n;
		if (unsaid < CREDIT && done < f->count)
			continue;
		CHECK_EQ(write(f->credit_fd, &unsaid, sizeof(unsaid)),
			 sizeof(unsaid));
		unsaid = 0;
	}
	return NULL;
}

static void send_list(struct flow *f, int n)
{
	struct ibv_sge sge = buf_sge(&f->src, 0, f->src.len);
	struct ibv_send_wr wr[LIST] = { 0 }, *bad;
	int i;

	for (i = 0; i < n; i++) {
		wr[i].sg_list = &sge;
		wr[i].num_sge = 1;
		wr[i].opcode = IBV_WR_SEND;
		wr[i].next = i + 1 < n ? &wr[i + 1] : NULL;
	}
	wr[n - 1].send_flags = IBV_SEND_SIGNALED;
	CHECK_OK(ibv_post_send(f->rig.c.qp, wr, &bad));
}

/* Never more sends than there are receives: wait for word of new ones. */
static void credits(struct flow *f, unsigned long *credit, unsigned int want)
{
	uint64_t more;

	while (*credit < want) {
		CHECK_EQ(read(f->credit_fd, &more, sizeof(more)),
			 sizeof(more));
		*credit += more;
	}
}

/* Lists of @list sends, the last of each signaled, @window lists on their way. */
static void stream(struct flow *f, unsigned int list, unsigned int window)
{
	unsigned long lists = f->count / list, posted = 0, done = 0;
	unsigned long credit = RECVS;
	pthread_t thread;

	CHECK_OK(pthread_create(&thread, NULL, receiver, f));
	while (done < lists) {
		while (posted < lists && posted - done < window) {
			credits(f, &credit, list);
			send_list(f, list);
			credit -= list;
			posted++;
		}
		done += reap_some(f->rig.c.scq, f->rig.c.scc);
	}
	CHECK_OK(pthread_join(thread, NULL));
	/* what was not asked for any more */
	credits(f, &credit, RECVS);
}

static void sends(struct flow *f)
{
	stream(f, 1, WINDOW);
}

static void lists(struct flow *f)
{
	stream(f, LIST, LISTS);
}

/* Send number @n of one end; few are signaled, and these are taken in passing. */
static void ping(struct flow *f, struct ep *e, unsigned long n)
{
	struct ibv_wc wc;

	request(f, e, IBV_WR_SEND, n % QUIET ? 0 : IBV_SEND_SIGNALED);
	if (ibv_poll_cq(e->scq, 1, &wc) == 1)
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}

static void *ponger(void *arg)
{
	struct flow *f = arg;
	struct ep *s = &f->rig.s;
	unsigned long n;

	for (n = 0; n < f->count / 2; n++) {
		CHECK_EQ(reap_some(s->rcq, s->rcc), 1);
		post_recvs(s, &f->dst, 1);
		ping(f, s, n);
	}
	return NULL;
}

static void pingpong(struct flow *f)
{
	struct ep *c = &f->rig.c;
	pthread_t thread;
	unsigned long n;

	CHECK_OK(pthread_create(&thread, NULL, ponger, f));
	for (n = 0; n < f->count / 2; n++) {
		ping(f, c, n);
		CHECK_EQ(reap_some(c->rcq, c->rcc), 1);
		post_recvs(c, &f->src, 1);
	}
	CHECK_OK(pthread_join(thread, NULL));
}

static const struct kind {
	const char *name;
	void (*run)(struct flow *f);
} kinds[] = {
	{ "send", sends },
	{ "write", writes },
	{ "read", reads },
	{ "pingpong", pingpong },
	{ "list", lists },
};

static void flow_connect(struct flow *f, size_t size)
{
	struct ep_attr a = {
		.send_wr = LIST * LISTS * 2,
		.recv_wr = RECVS,
		.sge = 1,
		.cqe = RECVS * 2,
	};

	rig_connect_attr(&f->rig, &a, &a);
	buf_new(&f->src, f->rig.c.pd, size, 0, RW_ACCESS);
	buf_new(&f->dst, f->rig.s.pd, size, 0, RW_ACCESS);
	f->credit_fd = eventfd(0, 0);
	CHECK(f->credit_fd >= 0);
	post_recvs(&f->rig.c, &f->src, RECVS);
	post_recvs(&f->rig.s, &f->dst, RECVS);
	arm(&f->rig.c);
	arm(&f->rig.s);
	/* some MPA peers wait for the initiator's first message */
	one_sided(f, IBV_WR_RDMA_WRITE, 1, 1);
}

static void cost(const char *name, size_t size, unsigned long count)
{
	static struct flow flow;
	struct flow *f = &flow;
	uint64_t start;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			break;
	CHECK(i < ARRAY_SIZE(kinds));
	flow_connect(f, size);
	f->count = count / 8 / LIST * LIST;
	kinds[i].run(f);
	f->count = count / LIST * LIST;
	start = busy_now();
	kinds[i].run(f);
	printf("%.1f\n", (double)busy_since(start) / f->count);
}

/* ------------------------------------------------- connections in numbers --- */

static const size_t sizes[] = { 64, 4096, 65536 };

#define SIZES		ARRAY_SIZE(sizes)
#define SHARE_WINDOW	8	/* requests of each QP on their way */

/**
 * struct side - what the ends on one host share
 * @ch: events of their ids
 * @pd: their protection domain
 * @cc: completion channel, client only
 * @cq: completion queue of all
 */
struct side {
	struct rdma_event_channel *ch;
	struct ibv_pd *pd;
	struct ibv_comp_channel *cc;
	struct ibv_cq *cq;
};

struct crowd {
	struct rig listener;
	struct side side[2];
	struct rdma_cm_id **client;
	int n;
	unsigned int depth;
};

static struct ibv_qp *crowd_qp(struct crowd *w, enum host h,
			       struct rdma_cm_id *id)
{
	struct side *e = &w->side[h];
	struct ibv_qp_init_attr ia = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = w->depth, .max_recv_wr = 1,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};

	if (!e->pd) {
		e->pd = ibv_alloc_pd(id->verbs);
		e->cc = ibv_create_comp_channel(id->verbs);
		e->cq = ibv_create_cq(id->verbs, w->n * w->depth + 1, NULL,
				      e->cc, 0);
		CHECK(e->pd && e->cc && e->cq);
	}
	ia.send_cq = e->cq;
	ia.recv_cq = e->cq;
	CHECK_OK(rdma_create_qp(id, e->pd, &ia));
	return id->qp;
}

static void crowd_connect_one(struct crowd *w, int i)
{
	struct rdma_conn_param p = { .initiator_depth = 1,
				     .responder_resources = 1 };
	struct rdma_event_channel *ch = w->side[CLI].ch;
	struct sockaddr_storage ss;
	struct rdma_cm_id *id;
	struct cmev ev;

	ns_enter(CLI);
	CHECK_OK(rdma_create_id(ch, &id, NULL, RDMA_PS_TCP));
	CHECK_OK(rdma_resolve_addr(id, NULL,
				   sa_parse(host_addr(SRV), w->listener.port,
					    &ss), WAIT_MS));
	cm_expect(ch, RDMA_CM_EVENT_ADDR_RESOLVED, WAIT_MS);
	CHECK_OK(rdma_resolve_route(id, WAIT_MS));
	cm_expect(ch, RDMA_CM_EVENT_ROUTE_RESOLVED, WAIT_MS);
	crowd_qp(w, CLI, id);
	CHECK_OK(rdma_connect(id, &p));
	ev = cm_expect(w->listener.lch, RDMA_CM_EVENT_CONNECT_REQUEST,
		       WAIT_MS);
	ns_enter(SRV);
	crowd_qp(w, SRV, ev.id);
	CHECK_OK(rdma_accept(ev.id, &p));
	cm_expect(ch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	cm_expect(w->listener.lch, RDMA_CM_EVENT_ESTABLISHED, WAIT_MS);
	w->client[i] = id;
}

static void crowd_listen(struct crowd *w, int n, unsigned int depth)
{
	memset(w, 0, sizeof(*w));
	w->n = n;
	w->depth = depth;
	w->client = calloc(n, sizeof(*w->client));
	CHECK(w->client);
	listen_on(&w->listener, SRV, host_addr(SRV), 0, 16);
	w->side[CLI].ch = cm_channel();
}

/* ----------------------------------------------------------------- share --- */

struct share {
	struct crowd w;
	struct buf src;
	struct buf dst;
	bool own;
	unsigned long *posted;
	unsigned long *done;
	double octets;
};

/* Which of the sizes message @n of QP @i has. */
static size_t size_of(const struct share *s, int i, unsigned long n)
{
	return sizes[(s->own ? (unsigned long)i : i + n) % SIZES];
}

static void share_post(struct share *s, int i)
{
	struct ibv_sge sge = buf_sge(&s->src, 0,
				     size_of(s, i, s->posted[i]));
	struct ibv_send_wr wr = {
		.wr_id = i,
		.opcode = IBV_WR_RDMA_WRITE,
		.send_flags = IBV_SEND_SIGNALED,
		.sg_list = &sge,
		.num_sge = 1,
		.wr.rdma.remote_addr = (uintptr_t)s->dst.p,
		.wr.rdma.rkey = s->dst.mr->rkey,
	};
	struct ibv_send_wr *bad;

	CHECK_OK(ibv_post_send(s->w.client[i]->qp, &wr, &bad));
	s->posted[i]++;
}

static void share_run(struct share *s, uint64_t end)
{
	struct side *e = &s->w.side[CLI];
	struct ibv_wc wc[16];
	struct ibv_cq *from;
	void *context;
	int n, i;

	while (now_ms() < end) {
		n = ibv_poll_cq(e->cq, 16, wc);
		CHECK(n >= 0);
		for (i = 0; i < n; i++) {
			CHECK_EQ(wc[i].status, IBV_WC_SUCCESS);
			s->octets += size_of(s, wc[i].wr_id,
					     s->done[wc[i].wr_id]++);
			share_post(s, wc[i].wr_id);
		}
		if (n)
			continue;
		CHECK_OK(ibv_get_cq_event(e->cc, &from, &context));
		ibv_ack_cq_events(from, 1);
		CHECK_OK(ibv_req_notify_cq(e->cq, 0));
	}
}

/* How many times the least of any QP the most of one of the same sizes is. */
static double spread(const struct share *s, const unsigned long *from)
{
	int classes = s->own ? SIZES : 1, c, i;
	double worst = 1;

	for (c = 0; c < classes; c++) {
		unsigned long least = ~0ul, most = 0, n;

		for (i = c; i < s->w.n; i += classes) {
			n = s->done[i] - from[i];
			least = n < least ? n : least;
			most = n > most ? n : most;
		}
		if (c < s->w.n && (double)most / (least ? : 1) > worst)
			worst = (double)most / (least ? : 1);
	}
	return worst;
}

static void share(int n, double seconds, const char *how)
{
	struct share s = { .own = !strcmp(how, "own") };
	unsigned long *from;
	uint64_t start;
	int i, k;

	crowd_listen(&s.w, n, SHARE_WINDOW);
	for (i = 0; i < n; i++)
		crowd_connect_one(&s.w, i);
	buf_new(&s.src, s.w.side[CLI].pd, 65536, 0, RW_ACCESS);
	buf_new(&s.dst, s.w.side[SRV].pd, 65536, 0, RW_ACCESS);
	s.posted = calloc(3 * n, sizeof(*s.posted));
	CHECK(s.posted);
	s.done = s.posted + n;
	from = s.done + n;
	CHECK_OK(ibv_req_notify_cq(s.w.side[CLI].cq, 0));
	for (k = 0; k < SHARE_WINDOW; k++)
		for (i = 0; i < n; i++)
			share_post(&s, i);
	share_run(&s, now_ms() + 300);
	memcpy(from, s.done, n * sizeof(*from));
	s.octets = 0;
	start = now_ms();
	share_run(&s, start + seconds * 1000);
	printf("%.1f %.2f\n", s.octets / 1e3 / (now_ms() - start),
	       spread(&s, from));
}

/* ------------------------------------------------------------------ idle --- */

/* Sum of the values in KiB behind the words of a file of /proc. */
static long kib(const char *path, const char *const *words, int n)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long sum = 0;
	int i;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < n; i++)
			if (!strncmp(line, words[i], strlen(words[i])))
				sum += atol(line + strlen(words[i]));
	fclose(f);
	return sum;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

/* KiB that lie free in lists of CPUs: 45 MB at times on 6.12, which MemFree leaves out. */
static long free_on_cpus_kib(void)
{
	FILE *f = fopen("/proc/zoneinfo", "r");
	long pages, sum = 0;
	char line[256];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &pages) == 1)
			sum += pages;
	fclose(f);
	return sum * (sysconf(_SC_PAGESIZE) / 1024);
}

/* KiB in use that belong to neither files' contents nor this process. */
static long kernel_kib(void)
{
	static const char *const no_use[] = { "MemFree:", "Buffers:",
					      "Cached:" };
	static const char *const total[] = { "MemTotal:" };
	static const char *const user[] = { "RssAnon:", "VmPTE:" };

	/* what died waits for RCU */
	sleep_ms(1000);
	write_file("/proc/sys/vm/drop_caches", "3");
	write_file("/proc/sys/vm/compact_memory", "1");
	sleep_ms(200);
	return kib("/proc/meminfo", total, ARRAY_SIZE(total)) -
	       kib("/proc/meminfo", no_use, ARRAY_SIZE(no_use)) -
	       kib("/proc/self/status", user, ARRAY_SIZE(user)) -
	       free_on_cpus_kib();
}

/* KiB of the device's rings that this process has mapped. */
static long ring_kib(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to, sum = 0;
	char line[512], *p;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "uverbs"))
			continue;
		from = strtoul(line, &p, 16);
		to = strtoul(p + 1, NULL, 16);
		sum += to - from;
	}
	fclose(f);
	return sum / 1024;
}

static int tcp_listener(struct sockaddr_storage *ss)
{
	struct sockaddr *sa = sa_parse(host_addr(SRV), 0, ss);
	socklen_t len = sizeof(struct sockaddr_in);
	int fd;

	ns_enter(SRV);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	CHECK_OK(bind(fd, sa, len));
	CHECK_OK(listen(fd, 16));
	CHECK_OK(getsockname(fd, sa, &len));
	return fd;
}

static void tcp_connect_one(int lfd, const struct sockaddr_storage *ss)
{
	int fd;

	ns_enter(CLI);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(fd >= 0);
	CHECK_OK(connect(fd, (const struct sockaddr *)ss,
			 sizeof(struct sockaddr_in)));
	CHECK(accept(lfd, NULL, NULL) >= 0);
}

struct count {
	char name[40];
	long octets;
};

struct counts {
	struct count of[600];
	int n;
};

/* What /proc/meminfo and, by caches, /proc/slabinfo say, in octets. */
static void take_counts(struct counts *all, const char *path, bool slabs)
{
	FILE *f = fopen(path, "r");
	struct count *c;
	char line[512], *p;
	long first, objects;

	CHECK(f);
	while (all->n < (int)ARRAY_SIZE(all->of) &&
	       fgets(line, sizeof(line), f)) {
		p = line + strcspn(line, " :");
		if (!*p || line[0] == '#')
			continue;
		*p++ = 0;
		c = &all->of[all->n++];
		snprintf(c->name, sizeof(c->name), "%.39s", line);
		/* KiB; or objects in use, objects, octets of one */
		first = strtol(p + strspn(p, ": "), &p, 10);
		objects = strtol(p, &p, 10);
		c->octets = slabs ? objects * strtol(p, NULL, 10) :
				    first * 1024;
	}
	fclose(f);
}

static void all_counts(struct counts *all)
{
	memset(all, 0, sizeof(*all));
	take_counts(all, "/proc/meminfo", false);
	take_counts(all, "/proc/slabinfo", true);
}

/* For who wants to know where it went: what grew by 100 octets an end or more. */
static void show_counts(const struct counts *was, const struct counts *is,
			int ends)
{
	long grown;
	int i, k;

	for (i = 0; i < is->n; i++) {
		for (k = 0; k < was->n; k++)
			if (!strcmp(is->of[i].name, was->of[k].name))
				break;
		grown = is->of[i].octets - (k < was->n ? was->of[k].octets : 0);
		if (grown / ends >= 100)
			fprintf(stderr, "%-32s %6ld\n", is->of[i].name,
				grown / ends);
	}
}

/* The first few bring what is there once, whatever their number. */
static void idle(const char *what, int n)
{
	bool tcp = !strcmp(what, "tcp");
	struct sockaddr_storage ss;
	static struct counts was, is;
	long kernel = 0, rings = 0;
	struct crowd w;
	int i, lfd = 0;

	if (tcp)
		lfd = tcp_listener(&ss);
	else
		crowd_listen(&w, n, 1);
	for (i = 0; i < n; i++) {
		if (i == n / 8) {
			kernel = kernel_kib();
			rings = ring_kib();
			all_counts(&was);
		}
		if (tcp)
			tcp_connect_one(lfd, &ss);
		else
			crowd_connect_one(&w, i);
	}
	kernel = kernel_kib() - kernel;
	rings = ring_kib() - rings;
	all_counts(&is);
	n = 2 * (n - n / 8);
	show_counts(&was, &is, n);
	printf("%.0f %.0f\n", kernel * 1024.0 / n,
	       (kernel - rings) * 1024.0 / n);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "cost")) {
		cost(argv[2], atol(argv[3]), atol(argv[4]));
	} else if (argc == 5 && !strcmp(argv[1], "share")) {
		share(atoi(argv[2]), atof(argv[3]), argv[4]);
	} else if (argc == 4 && !strcmp(argv[1], "idle")) {
		idle(argv[2], atoi(argv[3]));
	} else {
		fprintf(stderr, "usage: verbs_load cost KIND SIZE COUNT\n"
			"       verbs_load share QPS SECONDS mixed|own\n"
			"       verbs_load idle siw|tcp CONNECTIONS\n");
		return 2;
	}
	return 0;
}
