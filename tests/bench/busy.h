/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How long this machine's CPUs were not idle. In a guest of tests/vm/run --icount,
 * where a nanosecond is an instruction, these are the instructions it executed.
 */
#ifndef BUSY_H
#define BUSY_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/**
 * busy_now() - nanoseconds the first CPU was busy since some point of the past
 *
 * The kernel accounts for idle time to the nanosecond, for busy time by ticks
 * only; so idle time is taken from all there was.
 *
 * Return: the time; the program ends if the kernel does not tell.
 */
static inline uint64_t busy_now(void)
{
	static const char at[] = "now at ", slept[] = "  .idle_sleeptime";
	FILE *f = fopen("/proc/timer_list", "r");
	uint64_t now = 0, idle = 0;
	char line[256];

	while (f && !idle && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, at, strlen(at)))
			now = strtoull(line + strlen(at), NULL, 10);
		else if (!strncmp(line, slept, strlen(slept)))
			idle = strtoull(strchr(line, ':') + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	if (!now || !idle) {
		fprintf(stderr, "/proc/timer_list has no idle time\n");
		exit(1);
	}
	return now - idle;
}

/**
 * busy_since() - what was spent from a point on
 * @start: what busy_now() said there
 *
 * Return: nanoseconds, without what asking twice costs.
 */
static inline uint64_t busy_since(uint64_t start)
{
	uint64_t end = busy_now(), again = busy_now();

	return end - start - (again - end);
}

#endif
