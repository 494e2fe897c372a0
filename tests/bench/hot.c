// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Plugin of qemu (its plugin interface, version 1): counts the instructions that a
 * guest executes, by the block of code they are in. Argument "dir=D": whenever
 * D/hot.N appears, N from 1 on, the counts so far are written to D/hot.N.counts: lines
 * "address instructions" in hex and decimal.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "qemu_plugin.h"

PLUGIN_EXPORT int qemu_plugin_version = 1;

#define BUCKETS		0x10000

struct block {
	struct block *next;
	uint64_t at;
	uint64_t count;
};

static struct block *table[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[4096];

/* Blocks of one address share a count; user programs do so too. */
static struct block *block(uint64_t at)
{
	struct block **head = &table[(at ^ at >> 16) % BUCKETS], *b;

	for (b = *head; b; b = b->next)
		if (b->at == at)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->at = at;
	b->next = *head;
	*head = b;
	return b;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	struct block *b;

	(void)id;
	pthread_mutex_lock(&lock);
	b = block(qemu_plugin_tb_vaddr(tb));
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
						 &b->count,
						 qemu_plugin_tb_n_insns(tb));
}

static void dump(const char *path)
{
	char tmp[sizeof(dir) + 64];
	struct block *b;
	FILE *f;
	int i;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "w");
	if (!f)
		return;
	pthread_mutex_lock(&lock);
	for (i = 0; i < BUCKETS; i++)
		for (b = table[i]; b; b = b->next)
			if (b->count)
				fprintf(f, "%" PRIx64 " %" PRIu64 "\n", b->at,
					b->count);
	pthread_mutex_unlock(&lock);
	fclose(f);
	rename(tmp, path);
}

static void *watch(void *arg)
{
	char path[sizeof(dir) + 32], out[sizeof(dir) + 48];
	int n = 1;

	(void)arg;
	for (;;) {
		usleep(20000);
		snprintf(path, sizeof(path), "%s/hot.%d", dir, n);
		if (access(path, F_OK))
			continue;
		snprintf(out, sizeof(out), "%s.counts", path);
		dump(out);
		n++;
	}
	return NULL;
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc,
				      char **argv)
{
	pthread_t thread;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "dir=", 4))
		return -1;
	snprintf(dir, sizeof(dir), "%s", argv[0] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return pthread_create(&thread, NULL, watch, NULL) ? -1 : 0;
}
