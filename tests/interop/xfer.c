// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Move messages of given sizes by RDMA Write, RDMA Read and Send and check
 * every byte at both ends.
 *
 *	xfer serve ADDRESS PORT
 *	xfer run ADDRESS PORT SIZE...
 *
 * The client speaks first, as MPA without peer-to-peer mode demands, and says
 * what it does in messages of struct ctl; the server answers each with a
 * verdict. One connection, then both end.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>

#define MAX_SIZE	(16u << 20)

enum {
	CTL_HELLO,	/* client: where are your buffers? */
	CTL_CHECK,	/* client: I wrote this pattern; is it there? */
	CTL_EXPECT,	/* client: the next message is this pattern */
	CTL_BYE,
	CTL_ANSWER,
};

/* All of it big-endian */
struct ctl {
	uint32_t what;
	uint32_t size;
	uint32_t seed;
	uint32_t bad;
	uint64_t addr;
	uint32_t rkey;
	uint32_t pad;
};

struct end {
	struct rdma_cm_id *id;
	struct ibv_mr *ctl_mr;
	struct ibv_mr *data_mr;
	struct ibv_mr *back_mr;
	/* [0] to send from, [1] to receive into */
	struct ctl ctl[2];
	uint8_t *data;
	uint8_t *back;
};

static void __attribute__((format(printf, 1, 2), noreturn))
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("xfer: ", stderr);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, " (%s)\n", strerror(errno));
	va_end(ap);
	exit(1);
}

/* A byte that depends on its place, so that shifted data do not pass. */
static uint8_t pattern(uint32_t seed, uint32_t pos)
{
	uint32_t x = (pos + 1) * 2654435761u ^ seed * 40503u;

	return x >> 24 ^ x >> 11;
}

static void fill(uint8_t *buf, uint32_t size, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		buf[i] = pattern(seed, i);
}

/* 0, or one more than the place of the first wrong byte */
static uint32_t check(const uint8_t *buf, uint32_t size, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < size; i++)
		if (buf[i] != pattern(seed, i))
			return i + 1;
	return 0;
}

static void wait_send(struct end *e, const char *what)
{
	struct ibv_wc wc;

	if (rdma_get_send_comp(e->id, &wc) <= 0 || wc.status)
		die("%s: status %d", what, wc.status);
}

static void wait_recv(struct end *e, uint32_t size)
{
	struct ibv_wc wc;

	if (rdma_get_recv_comp(e->id, &wc) <= 0 || wc.status)
		die("receive: status %d", wc.status);
	if (wc.byte_len != size)
		die("received %u bytes of %u", wc.byte_len, size);
}

static void post_ctl(struct end *e)
{
	if (rdma_post_recv(e->id, NULL, &e->ctl[1], sizeof(e->ctl[1]),
			   e->ctl_mr))
		die("post receive");
}

static void send_ctl(struct end *e, uint32_t what, uint32_t size,
		     uint32_t seed, uint32_t bad)
{
	e->ctl[0] = (struct ctl){
		.what = htobe32(what),
		.size = htobe32(size),
		.seed = htobe32(seed),
		.bad = htobe32(bad),
		.addr = htobe64((uintptr_t)e->data),
		.rkey = htobe32(e->data_mr->rkey),
	};
	if (rdma_post_send(e->id, NULL, &e->ctl[0], sizeof(e->ctl[0]),
			   e->ctl_mr, IBV_SEND_SIGNALED))
		die("post send");
	wait_send(e, "send");
}

static void setup(struct end *e)
{
	struct ibv_pd *pd = e->id->pd;
	int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
		     IBV_ACCESS_REMOTE_READ;

	e->data = calloc(1, MAX_SIZE);
	e->back = calloc(1, MAX_SIZE);
	if (!e->data || !e->back)
		die("no memory");
	e->ctl_mr = rdma_reg_msgs(e->id, e->ctl, sizeof(e->ctl));
	e->data_mr = ibv_reg_mr(pd, e->data, MAX_SIZE, access);
	/* iWARP: the sink of a Read is open to remote writes. */
	e->back_mr = ibv_reg_mr(pd, e->back, MAX_SIZE, access);
	if (!e->ctl_mr || !e->data_mr || !e->back_mr)
		die("register memory");
	post_ctl(e);
}

static struct rdma_cm_id *endpoint(const char *addr, const char *port,
				   int passive)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP };
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 4, .max_recv_wr = 4,
			 .max_send_sge = 1, .max_recv_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};
	struct rdma_addrinfo *res;
	struct rdma_cm_id *id;

	if (passive)
		hints.ai_flags = RAI_PASSIVE;
	if (rdma_getaddrinfo(addr, port, &hints, &res))
		die("address %s", addr);
	if (rdma_create_ep(&id, res, NULL, &attr))
		die("cannot reach or bind %s", addr);
	rdma_freeaddrinfo(res);
	return id;
}

/* The server's answer to one message of the client; false at the end. */
static int answer(struct end *e)
{
	uint32_t what, size, seed, bad = 0;

	wait_recv(e, sizeof(e->ctl[1]));
	what = be32toh(e->ctl[1].what);
	size = be32toh(e->ctl[1].size);
	seed = be32toh(e->ctl[1].seed);
	if (size > MAX_SIZE)
		die("size %u", size);

	if (what == CTL_CHECK)
		bad = check(e->data, size, seed);
	if (what == CTL_EXPECT) {
		memset(e->data, 0, size);
		if (rdma_post_recv(e->id, NULL, e->data, MAX_SIZE, e->data_mr))
			die("post receive");
		send_ctl(e, CTL_ANSWER, size, seed, 0);
		wait_recv(e, size);
		bad = check(e->data, size, seed);
	}
	post_ctl(e);
	send_ctl(e, CTL_ANSWER, size, seed, bad);
	return what != CTL_BYE;
}

static int serve(const char *addr, const char *port)
{
	struct rdma_cm_id *listener = endpoint(addr, port, 1);
	struct end e = { 0 };

	if (rdma_listen(listener, 1) || rdma_get_request(listener, &e.id))
		die("listen");
	setup(&e);
	if (rdma_accept(e.id, NULL))
		die("accept");
	while (answer(&e))
		;
	/* The client leaves first: its end is the last thing to see. */
	rdma_disconnect(e.id);
	rdma_destroy_ep(e.id);
	rdma_destroy_ep(listener);
	return 0;
}

/* Returns the server's verdict on what was asked. */
static uint32_t ask(struct end *e, uint32_t what, uint32_t size, uint32_t seed)
{
	send_ctl(e, what, size, seed, 0);
	wait_recv(e, sizeof(e->ctl[1]));
	if (be32toh(e->ctl[1].what) != CTL_ANSWER)
		die("not an answer");
	return be32toh(e->ctl[1].bad);
}

static void verdict(const char *what, uint32_t size, uint32_t bad)
{
	if (bad) {
		errno = EBADMSG;
		die("%s of %u bytes: byte %u is wrong", what, size, bad - 1);
	}
}

static void read_back(struct end *e, uint32_t size, uint64_t addr,
		      uint32_t rkey)
{
	memset(e->back, 0, size);
	if (rdma_post_read(e->id, NULL, e->back, size, e->back_mr,
			   IBV_SEND_SIGNALED, addr, rkey))
		die("post read");
	wait_send(e, "read");
	verdict("read", size, check(e->back, size, size + 1));
}

/* No Read of no octets: mainline may answer with some (interop.rst). */
static void one_size(struct end *e, uint32_t size, uint64_t addr,
		     uint32_t rkey)
{
	uint32_t seed = size + 1;

	fill(e->data, size, seed);
	if (rdma_post_write(e->id, NULL, e->data, size, e->data_mr,
			    IBV_SEND_SIGNALED, addr, rkey))
		die("post write");
	wait_send(e, "write");
	post_ctl(e);
	verdict("write", size, ask(e, CTL_CHECK, size, seed));

	if (size)
		read_back(e, size, addr, rkey);

	post_ctl(e);
	verdict("send", size, ask(e, CTL_EXPECT, size, seed + 1));
	fill(e->data, size, seed + 1);
	post_ctl(e);
	if (rdma_post_send(e->id, NULL, e->data, size, e->data_mr,
			   IBV_SEND_SIGNALED))
		die("post send");
	wait_send(e, "send");
	wait_recv(e, sizeof(e->ctl[1]));
	verdict("send", size, be32toh(e->ctl[1].bad));
}

static int run(const char *addr, const char *port, char **sizes)
{
	struct end e = { .id = endpoint(addr, port, 0) };
	uint64_t remote;
	uint32_t rkey, size;

	setup(&e);
	if (rdma_connect(e.id, NULL))
		die("connect");
	ask(&e, CTL_HELLO, 0, 0);
	remote = be64toh(e.ctl[1].addr);
	rkey = be32toh(e.ctl[1].rkey);
	for (; *sizes; sizes++) {
		size = strtoul(*sizes, NULL, 0);
		if (size > MAX_SIZE)
			die("at most %u bytes", MAX_SIZE);
		one_size(&e, size, remote, rkey);
		printf("xfer: %u bytes right\n", size);
		fflush(stdout);
	}
	post_ctl(&e);
	ask(&e, CTL_BYE, 0, 0);
	rdma_disconnect(e.id);
	rdma_destroy_ep(e.id);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3]);
	if (argc > 4 && !strcmp(argv[1], "run"))
		return run(argv[2], argv[3], argv + 4);
	fputs("usage: xfer serve ADDRESS PORT | xfer run ADDRESS PORT SIZE...\n",
	      stderr);
	return 2;
}
