// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * 9P over RDMA for a server that only speaks TCP: each Send of a client is
 * one 9P message, and so is what goes back for each message of the server.
 *
 *	p9_relay RDMA_ADDRESS RDMA_PORT TCP_ADDRESS TCP_PORT
 *
 * Listens in the network namespace h1 and serves until it is killed.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rdma/rdma_verbs.h>

/* The client has up to 32 requests without an answer, and may flush each. */
#define DEPTH	64
/* Above the msize of any mount. */
#define LONGEST	(256 * 1024)
/* Size, type, tag. */
#define HEADER	7

struct conn {
	struct rdma_cm_id *id;
	int tcp;
	struct buf in;
	struct buf out;
	pthread_t up;
	pthread_t down;
};

static const char *tcp_addr;
static int tcp_port;

static uint32_t message_size(const uint8_t *p)
{
	uint32_t size;

	memcpy(&size, p, sizeof(size));
	size = le32toh(size);
	if (size < HEADER || size > LONGEST)
		FAIL("a message of %u octets", size);
	return size;
}

static bool tcp_read(int fd, uint8_t *p, size_t len)
{
	return recv(fd, p, len, MSG_WAITALL) == (ssize_t)len;
}

static int tcp_connect(void)
{
	struct sockaddr_storage ss;
	int fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	CHECK_OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	if (!connect(fd, sa_parse(tcp_addr, tcp_port, &ss),
		     sizeof(struct sockaddr_in)))
		return fd;
	close(fd);
	return -1;
}

/* --- one connection -------------------------------------------------------- */

static int take(struct conn *c, uint8_t *p)
{
	return rdma_post_recv(c->id, p, p, LONGEST, c->in.mr);
}

/* Server to client; either end of the relay ends the other one. */
static void *down(void *arg)
{
	struct conn *c = arg;
	struct ibv_wc wc;
	uint32_t size;
	size_t n;

	for (n = 0;; n++) {
		uint8_t *p = c->out.p + n % DEPTH * LONGEST;

		/* sends complete in order: the oldest one had this place */
		if (n >= DEPTH && (rdma_get_send_comp(c->id, &wc) != 1 ||
				   wc.status != IBV_WC_SUCCESS))
			break;
		if (!tcp_read(c->tcp, p, sizeof(size)))
			break;
		size = message_size(p);
		/* never of no octets, which would wait for the next message */
		if (!tcp_read(c->tcp, p + sizeof(size), size - sizeof(size)) ||
		    rdma_post_send(c->id, NULL, p, size, c->out.mr, 0))
			break;
	}
	rdma_disconnect(c->id);
	return NULL;
}

static void conn_free(struct conn *c)
{
	close(c->tcp);
	rdma_destroy_qp(c->id);
	buf_free(&c->in);
	buf_free(&c->out);
	CHECK_OK(rdma_destroy_id(c->id));
	free(c);
}

/* Client to server, and the end of the connection. */
static void *up(void *arg)
{
	struct conn *c = arg;
	struct ibv_wc wc;

	while (rdma_get_recv_comp(c->id, &wc) == 1 &&
	       wc.status == IBV_WC_SUCCESS) {
		uint8_t *p = (uint8_t *)(uintptr_t)wc.wr_id;

		CHECK(wc.byte_len >= HEADER);
		CHECK_EQ(wc.byte_len, message_size(p));
		if (send(c->tcp, p, wc.byte_len, MSG_NOSIGNAL) !=
		    (ssize_t)wc.byte_len || take(c, p))
			break;
	}
	rdma_disconnect(c->id);
	shutdown(c->tcp, SHUT_RDWR);
	CHECK_OK(pthread_join(c->down, NULL));
	conn_free(c);
	return NULL;
}

static void serve(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = { .max_send_wr = DEPTH, .max_recv_wr = DEPTH,
			 .max_send_sge = 1, .max_recv_sge = 1 },
	};
	struct conn *c = calloc(1, sizeof(*c));
	int i;

	CHECK(c);
	c->id = id;
	c->tcp = tcp_connect();
	if (c->tcp < 0) {
		note("the server does not answer: %s", strerror(errno));
		CHECK_OK(rdma_reject(id, NULL, 0));
		CHECK_OK(rdma_destroy_id(id));
		free(c);
		return;
	}
	CHECK_OK(rdma_create_qp(id, NULL, &attr));
	buf_new(&c->in, id->pd, DEPTH * LONGEST, 0, IBV_ACCESS_LOCAL_WRITE);
	buf_new(&c->out, id->pd, DEPTH * LONGEST, 0, 0);
	/* before the client may send */
	for (i = 0; i < DEPTH; i++)
		CHECK_OK(take(c, c->in.p + i * LONGEST));
	CHECK_OK(rdma_accept(id, NULL));
	CHECK_OK(pthread_create(&c->down, NULL, down, c));
	CHECK_OK(pthread_create(&c->up, NULL, up, c));
	CHECK_OK(pthread_detach(c->up));
}

int main(int argc, char **argv)
{
	struct rig r = { 0 };
	struct cmev ev;

	if (argc != 5) {
		fprintf(stderr, "usage: %s RDMA_ADDR RDMA_PORT TCP_ADDR TCP_PORT\n",
			argv[0]);
		return KSFT_FAIL;
	}
	tcp_addr = argv[3];
	tcp_port = atoi(argv[4]);
	listen_on(&r, SRV, argv[1], atoi(argv[2]), 4);
	/* the end of a connection shows in its completions */
	while (cm_wait(r.lch, &ev, -1))
		if (ev.type == RDMA_CM_EVENT_CONNECT_REQUEST)
			serve(ev.id);
	return KSFT_FAIL;
}
