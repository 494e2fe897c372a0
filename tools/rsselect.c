// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * select() for programs under librspreload.
 *
 * librspreload (rdma-core 44, and later as far as we know) fills the sets that
 * its select() returns with its own descriptor numbers, not with those of the
 * program: iperf3 then waits for ever for a socket that is readable. Its poll() is
 * right, so preload this in front of it:
 *
 *	LD_PRELOAD="librsselect.so librspreload.so" iperf3 ...
 *
 * where poll() below is the one of librspreload.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/select.h>

#define READABLE	(POLLIN | POLLHUP | POLLERR)
#define WRITABLE	(POLLOUT | POLLERR)

static int is_set(int fd, const fd_set *set)
{
	return set && FD_ISSET(fd, set);
}

/* The descriptors of the three sets, in order; returns how many */
static int to_poll(int nfds, const fd_set *r, const fd_set *w,
		   const fd_set *x, struct pollfd *fds)
{
	int fd, n = 0;

	for (fd = 0; fd < nfds; fd++) {
		short events = (is_set(fd, r) ? POLLIN : 0) |
			       (is_set(fd, w) ? POLLOUT : 0) |
			       (is_set(fd, x) ? POLLPRI : 0);

		if (events)
			fds[n++] = (struct pollfd){ .fd = fd, .events = events };
	}
	return n;
}

static int keep(const struct pollfd *p, fd_set *set, short asked, short what)
{
	if (!(p->events & asked))
		return 0;
	if (p->revents & what)
		return 1;
	FD_CLR(p->fd, set);
	return 0;
}

/* Milliseconds, rounded up: never early */
static int to_ms(const struct timeval *tv)
{
	long long ms;

	if (!tv)
		return -1;
	ms = tv->tv_sec * 1000LL + (tv->tv_usec + 999) / 1000;
	return ms > INT_MAX ? INT_MAX : ms;
}

int select(int nfds, fd_set *r, fd_set *w, fd_set *x, struct timeval *tv)
{
	struct pollfd fds[FD_SETSIZE];
	int i, n, rv, found = 0;

	if (nfds < 0 || nfds > FD_SETSIZE ||
	    (tv && (tv->tv_sec < 0 || tv->tv_usec < 0))) {
		errno = EINVAL;
		return -1;
	}
	n = to_poll(nfds, r, w, x, fds);
	rv = poll(fds, n, to_ms(tv));
	if (rv < 0)
		return rv;
	for (i = 0; i < n; i++) {
		if (fds[i].revents & POLLNVAL) {
			errno = EBADF;
			return -1;
		}
		found += keep(&fds[i], r, POLLIN, READABLE);
		found += keep(&fds[i], w, POLLOUT, WRITABLE);
		found += keep(&fds[i], x, POLLPRI, POLLPRI);
	}
	return found;
}
