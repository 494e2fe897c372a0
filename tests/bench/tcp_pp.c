// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * TCP beside which RDMA is measured: a ping-pong that waits as verbs programs do,
 * by spinning or in the kernel, and a stream.
 *
 *	tcp_pp -s [-p PORT]
 *	tcp_pp -m pingpong|stream [-w poll|block] [-z SIZE] [-t SECONDS | -n COUNT]
 *	       [-c] [-p PORT] ADDRESS
 *
 * The server serves one client after another, in the way the client asks for.
 * Prints the median one-way latency in microseconds (half a round trip), or what
 * the receiver got in MB/s (10^6 octets). With -c, which needs -n, prints what one
 * message cost in nanoseconds the machine was busy, both ends together (busy.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "busy.h"

#define PORT		19800
#define SAMPLES		1000000
#define WARM_UP		20

enum mode { PINGPONG, STREAM };

/**
 * struct order - what a client wants, its first octets
 * @mode: enum mode
 * @poll: spin, do not sleep
 * @size: octets a message has
 */
struct order {
	uint32_t mode;
	uint32_t poll;
	uint32_t size;
};

/**
 * struct task - the client's task
 * @order: for the server
 * @seconds: how long
 * @count: or how many messages, 0: see @seconds
 * @cost: print what a message costs
 */
struct task {
	struct order order;
	double seconds;
	unsigned long count;
	bool cost;
};

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* ------------------------------------------------------------- messages --- */

/* Flags make the difference between a socket that spins and one that sleeps. */
static int wait_flag(bool spin)
{
	return spin ? MSG_DONTWAIT : 0;
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void put(int fd, const void *buf, size_t len, bool spin)
{
	const char *p = buf;
	ssize_t n;

	while (len) {
		n = send(fd, p, len, wait_flag(spin) | MSG_NOSIGNAL);
		if (n < 0 && !again())
			die("send");
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

/* False at the end of the stream. */
static bool get(int fd, void *buf, size_t len, bool spin)
{
	char *p = buf;
	ssize_t n;

	while (len) {
		n = recv(fd, p, len, wait_flag(spin));
		if (!n)
			return false;
		if (n < 0 && !again())
			die("recv");
		if (n > 0) {
			p += n;
			len -= n;
		}
	}
	return true;
}

static void *buffer(size_t len)
{
	void *p = malloc(len);

	if (!p)
		die("memory");
	memset(p, 1, len);
	return p;
}

/* --------------------------------------------------------------- server --- */

static void serve_stream(int fd, const struct order *o, void *buf)
{
	uint64_t total = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, buf, o->size, wait_flag(o->poll));
		if (!n)
			break;
		if (n > 0)
			total += n;
		else if (!again())
			die("recv");
	}
	put(fd, &total, sizeof(total), false);
}

static void no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("TCP_NODELAY");
}

static void serve_pingpong(int fd, const struct order *o, void *buf)
{
	no_delay(fd);
	while (get(fd, buf, o->size, o->poll))
		put(fd, buf, o->size, o->poll);
}

static void serve(int fd)
{
	struct order o;
	void *buf;

	if (!get(fd, &o, sizeof(o), false))
		return;
	buf = buffer(o.size);
	if (o.mode == STREAM)
		serve_stream(fd, &o, buf);
	else
		serve_pingpong(fd, &o, buf);
	free(buf);
}

static void server(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int lfd = socket(AF_INET, SOCK_STREAM, 0), fd, on = 1;

	if (lfd < 0 || setsockopt(lfd, SOL_SOCKET, SO_REUSEADDR, &on,
				  sizeof(on)) ||
	    bind(lfd, (struct sockaddr *)&sa, sizeof(sa)) || listen(lfd, 8))
		die("port %u", port);
	for (;;) {
		fd = accept(lfd, NULL, NULL);
		if (fd < 0)
			die("accept");
		serve(fd);
		close(fd);
	}
}

/* --------------------------------------------------------------- client --- */

static int dial(const char *address, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1) {
		fprintf(stderr, "%s is no address\n", address);
		exit(2);
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect");
	return fd;
}

static bool more(const struct task *t, unsigned long done, uint64_t end)
{
	return t->count ? done < t->count : now_ns() < end;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void turn(int fd, const struct order *o, void *buf)
{
	put(fd, buf, o->size, o->poll);
	if (!get(fd, buf, o->size, o->poll)) {
		fprintf(stderr, "the server closed the connection\n");
		exit(1);
	}
}

static void pingpong(int fd, const struct task *t, void *buf)
{
	uint32_t *sample = buffer(SAMPLES * sizeof(*sample));
	uint64_t busy = 0, start, end;
	unsigned long n;

	no_delay(fd);
	for (n = 0; n < WARM_UP; n++)
		turn(fd, &t->order, buf);
	end = now_ns() + t->seconds * 1e9;
	if (t->cost)
		busy = busy_now();
	for (n = 0; more(t, n, end) && n < SAMPLES; n++) {
		start = now_ns();
		turn(fd, &t->order, buf);
		sample[n] = now_ns() - start;
	}
	if (t->cost) {
		/* a turn is two messages */
		printf("%.1f\n", (double)busy_since(busy) / (2 * n));
		return;
	}
	qsort(sample, n, sizeof(*sample), by_value);
	printf("%.2f\n", sample[n / 2] / 2e3);
}

/* A cost is one of a stream that has found its pace; sleeping costs nothing. */
static unsigned long set_pace(int fd, const struct task *t, void *buf)
{
	struct timespec while_received = { .tv_nsec = 100000000 };
	unsigned long n;

	for (n = 0; n < t->count; n++)
		put(fd, buf, t->order.size, t->order.poll);
	nanosleep(&while_received, NULL);
	return n;
}

static void stream(int fd, const struct task *t, void *buf)
{
	unsigned long before = t->cost ? set_pace(fd, t, buf) : 0, n;
	uint64_t busy = 0, start = now_ns(), end, total;

	end = start + t->seconds * 1e9;
	if (t->cost)
		busy = busy_now();
	for (n = 0; more(t, n, end); n++)
		put(fd, buf, t->order.size, t->order.poll);
	shutdown(fd, SHUT_WR);
	if (!get(fd, &total, sizeof(total), false) ||
	    total != (uint64_t)(before + n) * t->order.size) {
		fprintf(stderr, "the server did not get everything\n");
		exit(1);
	}
	if (t->cost)
		printf("%.1f\n", (double)busy_since(busy) / n);
	else
		printf("%.2f\n", total * 1e3 / (now_ns() - start));
}

static void client(const char *address, uint16_t port, const struct task *t)
{
	void *buf = buffer(t->order.size);
	int fd = dial(address, port);

	put(fd, &t->order, sizeof(t->order), false);
	if (t->order.mode == STREAM)
		stream(fd, t, buf);
	else
		pingpong(fd, t, buf);
	close(fd);
	free(buf);
}

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: tcp_pp -s [-p PORT]\n"
		"       tcp_pp -m pingpong|stream [-w poll|block] [-z SIZE]\n"
		"              [-t SECONDS | -n COUNT] [-c] [-p PORT] ADDRESS\n");
	exit(2);
}

static void option(int opt, struct task *t)
{
	struct order *o = &t->order;

	switch (opt) {
	case 'm':
		o->mode = strcmp(optarg, "stream") ? PINGPONG : STREAM;
		break;
	case 'w':
		o->poll = !strcmp(optarg, "poll");
		break;
	case 'z':
		o->size = strtoul(optarg, NULL, 0);
		break;
	case 't':
		t->seconds = strtod(optarg, NULL);
		break;
	case 'n':
		t->count = strtoul(optarg, NULL, 0);
		break;
	case 'c':
		t->cost = true;
		break;
	default:
		usage();
	}
}

int main(int argc, char **argv)
{
	struct task t = { .order = { .mode = PINGPONG, .size = 64 },
			  .seconds = 1 };
	uint16_t port = PORT;
	bool serves = false;
	int opt;

	while ((opt = getopt(argc, argv, "sp:m:w:z:t:n:c")) != -1) {
		if (opt == 's')
			serves = true;
		else if (opt == 'p')
			port = atoi(optarg);
		else
			option(opt, &t);
	}
	if (serves)
		server(port);
	if (optind + 1 != argc || !t.order.size || (t.cost && !t.count))
		usage();
	client(argv[optind], port, &t);
	return 0;
}
