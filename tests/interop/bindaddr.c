// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * LD_PRELOAD library: servers that bind to the wildcard address (perftest's)
 * bind to $SIW_BIND_ADDR instead. Mainline siw cannot serve a wildcard
 * listener while two of its devices are visible, and comparing two modules
 * needs the same command on both.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <rdma/rdma_cma.h>

typedef int (*bind_fn)(struct rdma_cm_id *id, struct sockaddr *addr);

static int is_any(const struct sockaddr *addr)
{
	const struct sockaddr_in *sin = (const void *)addr;
	const struct sockaddr_in6 *sin6 = (const void *)addr;

	if (addr->sa_family == AF_INET)
		return sin->sin_addr.s_addr == htonl(INADDR_ANY);
	if (addr->sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr);
	return 0;
}

int rdma_bind_addr(struct rdma_cm_id *id, struct sockaddr *addr)
{
	bind_fn next = (bind_fn)dlsym(RTLD_NEXT, "rdma_bind_addr");
	const char *want = getenv("SIW_BIND_ADDR");
	const struct sockaddr_in *old = (const void *)addr;
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };

	if (!want || !is_any(addr) || !old->sin_port)
		return next(id, addr);
	/* The port is at the same place in both families. */
	sin.sin_port = old->sin_port;
	sin6.sin6_port = old->sin_port;
	if (inet_pton(AF_INET, want, &sin.sin_addr) == 1)
		return next(id, (struct sockaddr *)&sin);
	if (inet_pton(AF_INET6, want, &sin6.sin6_addr) == 1)
		return next(id, (struct sockaddr *)&sin6);
	return next(id, addr);
}
