// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * A storm of connections that negotiate rightly and then send mutated FPDUs
 * with a valid CRC, so that they reach the deep layers of the endpoint.
 *
 * usage: storm AGENT-ADDRESS CONTROL-PORT STREAMS [SEED [SECONDS]]
 *
 * Ends after that many streams or, at the end of a batch, seconds.
 *
 * After each batch the agent must find its memory as it was: canaries around
 * every region whole, regions nobody may write unchanged. At the end the
 * endpoint must still serve. Status 0 if all that is so.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS		8u
#define BATCH		400u		/* streams a session of the agent */
#define MAX_STREAM	65536u
#define ADVERT		80u
#define READS		2u		/* Reads the endpoint sends us */

struct region {
	uint32_t stag, len;
	uint64_t to;
};

struct stream {
	int fd;
	uint64_t rng;
	uint8_t out[MAX_STREAM];
	size_t len;
	struct region r[5];
	struct {
		uint32_t stag;
		uint64_t to;
	} sink[READS];
	uint32_t msn[4];
	bool markers;
};

struct batch {
	uint64_t seed;
	unsigned int first, count;
	unsigned int done, refused;
};

static const char *host;
static char port_text[32];
static uint32_t crc_table[256];

/* --- small things --- */

static uint64_t rnd(struct stream *s)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return s->rng;
}

static unsigned int below(struct stream *s, unsigned int n)
{
	return (rnd(s) >> 20) % n;
}

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
		crc_table[i] = c;
	}
}

static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t c = ~0u;

	while (n--)
		c = crc_table[(c ^ *p++) & 255] ^ c >> 8;
	return ~c;
}

static void put(uint8_t **p, uint64_t value, unsigned int octets)
{
	while (octets--)
		*(*p)++ = value >> 8 * octets;
}

static uint64_t get(const uint8_t *p, unsigned int octets)
{
	uint64_t v = 0;

	while (octets--)
		v = v << 8 | *p++;
	return v;
}

static int dial(const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *ai;
	struct timeval limit = { .tv_sec = 20 };
	int one = 1, fd;

	if (getaddrinfo(host, port, &hints, &ai))
		return -1;
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (connect(fd, ai->ai_addr, ai->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(ai);
	return fd;
}

static bool take(int fd, uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, buf, n, 0);

		if (got <= 0)
			return false;
		buf += got;
		n -= got;
	}
	return true;
}

/* --- the agent --- */

/* Sends a command and reads its one line of answer. */
static bool ask(int ctl, char *answer, size_t size, const char *text)
{
	size_t n = 0;

	if (send(ctl, text, strlen(text), MSG_NOSIGNAL) < 0)
		return false;
	while (n + 1 < size && recv(ctl, answer + n, 1, 0) == 1)
		if (answer[n++] == '\n')
			break;
	answer[n] = 0;
	return !strncmp(answer, "OK", 2);
}

static void field(const char *answer, const char *name, char *out, size_t size)
{
	const char *p = strstr(answer, name);

	*out = 0;
	if (p)
		snprintf(out, size, "%.*s", (int)strcspn(p, "\n "), p);
}

/* What must not change: regions PEER has no right to write, and canaries. */
static bool same_memory(const char *before, const char *after)
{
	static const char * const keep[] = { "R2=", "R4=", "KTAIL=", "canary=" };
	char a[64], b[64];

	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		field(before, keep[i], a, sizeof(a));
		field(after, keep[i], b, sizeof(b));
		if (!*a || strcmp(a, b)) {
			printf("# memory changed: %s -> %s\n", a, b);
			return false;
		}
	}
	return !strcmp(b, "canary=whole");
}

/* --- FPDUs --- */

static void add_fpdu(struct stream *s, const uint8_t *ulpdu, unsigned int len,
		     unsigned int claimed, uint32_t flip)
{
	unsigned int pad = -(2 + len) & 3, total = 2 + len + pad;
	uint8_t *p = s->out + s->len;
	uint32_t crc;

	if (s->len + total + 4 > sizeof(s->out))
		return;
	put(&p, claimed, 2);
	memcpy(p, ulpdu, len);
	memset(p + len, 0, pad);
	crc = htole32(crc32c(s->out + s->len, total) ^ flip);
	memcpy(p + len + pad, &crc, 4);
	s->len += total + 4;
}

static unsigned int tagged(uint8_t *u, unsigned int op, uint32_t stag,
			   uint64_t to, unsigned int payload, bool last)
{
	uint8_t *p = u;

	put(&p, last ? 0xc1 : 0x81, 1);
	put(&p, 0x40 | op, 1);
	put(&p, stag, 4);
	put(&p, to, 8);
	memset(p, 0x5a, payload);
	return 14 + payload;
}

static uint8_t *untagged(struct stream *s, uint8_t *p, unsigned int op,
			 unsigned int qn, uint32_t inv)
{
	put(&p, 0x41, 1);
	put(&p, 0x40 | op, 1);
	put(&p, inv, 4);
	put(&p, qn, 4);
	put(&p, s->msn[qn]++, 4);
	put(&p, 0, 4);
	return p;
}

static uint64_t near(struct stream *s, const struct region *r)
{
	switch (below(s, 8)) {
	case 0:
		return r->to + r->len - below(s, 80);
	case 1:
		return r->to - below(s, 16);
	case 2:
		return 0 - (uint64_t)below(s, 64);
	default:
		return r->to + below(s, r->len);
	}
}

static unsigned int make_request(struct stream *s, uint8_t *u)
{
	const struct region *r = &s->r[below(s, 5)];
	bool atomic = !below(s, 4);
	uint8_t *p = untagged(s, u, atomic ? 10 : 1, 1, 0);

	if (atomic) {
		put(&p, below(s, 3), 4);
		put(&p, rnd(s), 4);
		put(&p, r->stag, 4);
		put(&p, near(s, r) & ~7ull, 8);
		for (int i = 0; i < 4; i++)
			put(&p, rnd(s), 8);
	} else {
		put(&p, 1, 4);
		put(&p, 0, 8);
		put(&p, below(s, 4) ? below(s, 3000) : rnd(s), 4);
		put(&p, r->stag, 4);
		put(&p, near(s, r), 8);
	}
	return p - u;
}

static unsigned int make_send(struct stream *s, uint8_t *u)
{
	static const uint8_t ops[] = { 3, 3, 4, 5, 6, 8, 9 };
	unsigned int op = ops[below(s, sizeof(ops))];
	unsigned int n = op >= 8 ? 8 : below(s, 70);
	uint8_t *p = untagged(s, u, op, 0, op == 4 || op == 6 ?
			      s->r[below(s, 5)].stag : 0);

	memset(p, 0x33, n);
	if (n > 20 && !below(s, 3))
		u[0] &= ~0x40;
	return p + n - u;
}

static unsigned int make_terminate(struct stream *s, uint8_t *u)
{
	unsigned int n = 4 + below(s, 60);
	uint8_t *p = untagged(s, u, 7, 2, 0);

	for (unsigned int i = 0; i < n; i++)
		*p++ = rnd(s);
	return p - u;
}

/* A segment as it should be, at the place the stream has come to. */
static unsigned int make_segment(struct stream *s, uint8_t *u)
{
	const struct region *r = &s->r[below(s, 5)];
	unsigned int i = below(s, READS);

	switch (below(s, 16)) {
	case 0 ... 5:
		return tagged(u, 0, r->stag, near(s, r), below(s, 300),
			      below(s, 4));
	case 6 ... 8:
		return make_request(s, u);
	case 9 ... 12:
		return make_send(s, u);
	case 13:
	case 14:
		return tagged(u, 2, s->sink[i].stag, s->sink[i].to, 512,
			      below(s, 3));
	default:
		return make_terminate(s, u);
	}
}

static void mutate(struct stream *s, uint8_t *u, unsigned int *len,
		   unsigned int *claimed)
{
	unsigned int head = *len < 46 ? *len : 46;

	switch (below(s, 8)) {
	case 0 ... 2:
		for (unsigned int i = 0; head && i < 1 + below(s, 3); i++)
			u[below(s, head)] ^= 1 << below(s, 8);
		break;
	case 3:
		if (head)
			u[below(s, head)] = below(s, 2) ? 0xff : 0;
		break;
	case 4:
		*len = *claimed = below(s, *len + 1);
		break;
	case 5:
		memset(u + *len, 0xee, 40);
		*len += 1 + below(s, 40);
		*claimed = *len;
		break;
	case 6:
		*claimed = below(s, 2) ? rnd(s) & 0xffff : *len ^ 4;
		break;
	default:
		for (unsigned int i = 2; i < head; i++)
			u[i] = rnd(s);
	}
}

static void make_stream(struct stream *s)
{
	unsigned int n = 1 + below(s, 24);
	uint8_t u[2048];

	s->len = 0;
	while (n--) {
		unsigned int len = make_segment(s, u), claimed = len;

		if (!below(s, 3))
			mutate(s, u, &len, &claimed);
		add_fpdu(s, u, len, claimed, below(s, 40) ? 0 : 1 << below(s, 32));
	}
}

/* --- one stream --- */

/* Takes one FPDU whole; its ULPDU_Length, or 0. */
static unsigned int take_fpdu(struct stream *s, uint8_t *buf, unsigned int room)
{
	unsigned int len, rest;

	if (!take(s->fd, buf, 2))
		return 0;
	len = get(buf, 2);
	rest = len + (-(2 + len) & 3) + 4;
	if (rest > room || !take(s->fd, buf, rest))
		return 0;
	return len;
}

static bool start_up(struct stream *s)
{
	static const uint8_t ping[] = "\x41\x43\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0ping";
	static const char * const heads[] = { "\x40\1\0\0", "\x50\2\0\4", "\xc0\1\0\0" };
	unsigned int kind = below(s, 3), n;
	uint8_t buf[512];

	memcpy(s->out, "MPA ID Req Frame", 16);
	memcpy(s->out + 16, heads[kind], 4);
	memcpy(s->out + 20, "\0\4\0\4", 4);
	n = kind == 1 ? 24 : 20;
	if (send(s->fd, s->out, n, MSG_NOSIGNAL) != (ssize_t)n ||
	    !take(s->fd, buf, 20) || buf[16] & 0x20 ||
	    !take(s->fd, buf + 20, get(buf + 18, 2)))
		return false;
	s->markers = kind == 2;
	s->len = 0;
	add_fpdu(s, ping, 22, 22, 0);
	return send(s->fd, s->out, s->len, MSG_NOSIGNAL) == (ssize_t)s->len;
}

static bool meet(struct stream *s)
{
	uint8_t buf[512];

	if (!start_up(s) || (s->markers && !take(s->fd, buf, 4)) ||
	    take_fpdu(s, buf, sizeof(buf)) != 18 + ADVERT)
		return false;
	for (unsigned int i = 0; i < 5; i++) {
		const uint8_t *p = buf + 18 + 16 * i;

		s->r[i].stag = get(p, 4);
		s->r[i].to = get(p + 4, 8);
		s->r[i].len = get(p + 12, 4);
	}
	for (unsigned int i = 0; i < READS; i++) {
		if (take_fpdu(s, buf, sizeof(buf)) != 46)
			return false;
		s->sink[i].stag = get(buf + 18, 4);
		s->sink[i].to = get(buf + 22, 8);
	}
	for (unsigned int q = 0; q < 4; q++)
		s->msn[q] = q == 0 ? 2 : 1;
	return true;
}

static void pour(struct stream *s)
{
	size_t done = 0;

	while (done < s->len) {
		size_t n = below(s, 3) ? s->len - done : 1 + below(s, 200);
		ssize_t sent;

		if (n > s->len - done)
			n = s->len - done;
		sent = send(s->fd, s->out + done, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		done += sent;
	}
}

/* RST at once, or FIN, or silence until the endpoint has closed. */
static void leave(struct stream *s)
{
	struct linger now = { 1, 0 };
	struct timeval limit = { .tv_usec = 100000 };
	unsigned int how = below(s, 3), i = 0;
	uint8_t buf[4096];

	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (how == 1)
		shutdown(s->fd, SHUT_WR);
	while (how && i++ < 64 && recv(s->fd, buf, sizeof(buf), 0) > 0)
		continue;
	if (how != 1)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s->fd);
}

static void *worker(void *data)
{
	struct batch *b = data;
	struct stream *s = malloc(sizeof(*s));

	if (!s)
		abort();
	for (unsigned int i = 0; i < b->count; i++) {
		s->rng = (b->seed + b->first + i) * 0x9e3779b97f4a7c15ull | 1;
		rnd(s);
		s->fd = dial(port_text);
		if (s->fd < 0) {
			b->refused++;
			continue;
		}
		if (meet(s)) {
			make_stream(s);
			pour(s);
			b->done++;
		} else {
			b->refused++;
		}
		leave(s);
	}
	free(s);
	return NULL;
}

/* --- batches --- */

static bool run_batch(int ctl, uint64_t seed, unsigned int first,
		      unsigned int count, unsigned int *done)
{
	char before[1024], after[1024], port[sizeof(port_text)];
	struct batch b[THREADS];
	pthread_t t[THREADS];

	if (!ask(ctl, before, sizeof(before),
		 "LISTEN keep=20 cq=128 reads=2 advert=1\n"))
		return false;
	field(before, "port=", port, sizeof(port));
	if (!*port)
		return false;
	snprintf(port_text, sizeof(port_text), "%s",
		 port + strlen("port="));
	if (!ask(ctl, before, sizeof(before), "DIGEST\n"))
		return false;
	for (unsigned int i = 0; i < THREADS; i++) {
		b[i] = (struct batch){ .seed = seed, .first = first + i * count / THREADS,
				       .count = count / THREADS };
		if (pthread_create(&t[i], NULL, worker, &b[i]))
			abort();
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(t[i], NULL);
		*done += b[i].done;
		if (b[i].refused * 4 > b[i].count) {
			printf("# %u of %u connections refused\n", b[i].refused,
			       b[i].count);
			return false;
		}
	}
	return ask(ctl, after, sizeof(after), "DIGEST\n") &&
	       same_memory(before, after);
}

int main(int argc, char **argv)
{
	unsigned int streams, done = 0;
	time_t start = time(NULL), limit;
	uint64_t seed;

	if (argc < 4) {
		fprintf(stderr, "usage: storm ADDRESS CONTROL-PORT STREAMS [SEED [SECONDS]]\n");
		return 2;
	}
	host = argv[1];
	streams = strtoul(argv[3], NULL, 0);
	seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)start;
	limit = argc > 5 ? strtol(argv[5], NULL, 0) : 0;
	make_crc_table();
	printf("KTAP version 1\n1..1\n# seed %" PRIu64 "\n", seed);
	for (unsigned int at = 0; at < streams; at += BATCH) {
		unsigned int n = streams - at < BATCH ? streams - at : BATCH;
		int ctl = dial(argv[2]);

		if (ctl < 0 || !run_batch(ctl, seed, at, n, &done)) {
			printf("# stopped in the batch at %u\nnot ok 1 storm\n", at);
			return 1;
		}
		close(ctl);
		printf("# %u streams after %ld s\n", done,
		       (long)(time(NULL) - start));
		fflush(stdout);
		if (limit && time(NULL) - start >= limit)
			break;
	}
	printf("# %u streams\n%s 1 storm\n", done, done ? "ok" : "not ok");
	return !done;
}
