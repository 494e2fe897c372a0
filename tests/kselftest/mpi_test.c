// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MPI over whatever mpirun was told to use: each octet is checked.
 *
 *	mpirun -np N mpi_test [pingpong] [allreduce] [alltoall]
 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEN		(4u << 20)
#define ROUNDS		4
#define ELEMENTS	69905

static int rank, ranks;

static void wrong(const char *what, size_t at, long is, long should)
{
	fprintf(stderr, "rank %d: %s: element %zu is %ld, not %ld\n", rank, what,
		at, is, should);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void *area(size_t len)
{
	void *p = malloc(len);

	if (!p)
		MPI_Abort(MPI_COMM_WORLD, 2);
	memset(p, 0xee, len);
	return p;
}

/* What rank @from sends in a round; no two messages are alike. */
static uint8_t octet(int from, int round, size_t len, size_t i)
{
	uint32_t x = i * 2654435761u + from * 40503u + round * 977u + len;

	return x >> 13;
}

static void fill(uint8_t *p, int round, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = octet(rank, round, len, i);
}

static void check(const uint8_t *p, int from, int round, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != octet(from, round, len, i))
			wrong("message", i, p[i], octet(from, round, len, i));
	if (p[len] != 0xee)
		wrong("behind the message", len, p[len], 0xee);
}

/* Neighbours in pairs: the even rank speaks first. */
static void pingpong(void)
{
	static const size_t lens[] = { 0, 1, 7, 64, 1000, 4096, 16384, 16385,
				       65536, 262147, MAX_LEN };
	uint8_t *out = area(MAX_LEN + 1), *in = area(MAX_LEN + 1);
	int other = rank ^ 1, r, got;
	MPI_Status st;
	size_t i;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (r = 0; r < ROUNDS; r++) {
			fill(out, r, lens[i]);
			memset(in, 0xee, lens[i] + 1);
			if (!(rank & 1))
				MPI_Send(out, lens[i], MPI_BYTE, other, r,
					 MPI_COMM_WORLD);
			MPI_Recv(in, MAX_LEN, MPI_BYTE, other, r,
				 MPI_COMM_WORLD, &st);
			MPI_Get_count(&st, MPI_BYTE, &got);
			if ((size_t)got != lens[i])
				wrong("length", r, got, lens[i]);
			check(in, other, r, lens[i]);
			if (rank & 1)
				MPI_Send(out, lens[i], MPI_BYTE, other, r,
					 MPI_COMM_WORLD);
		}
	}
	free(out);
	free(in);
}

static void allreduce(void)
{
	long *a = area(ELEMENTS * sizeof(*a)), *b = area(ELEMENTS * sizeof(*b));
	long should;
	int n, i, r;

	for (n = 1; n <= ELEMENTS; n = n * 16 + 1) {
		for (i = 0; i < n; i++)
			a[i] = (long)i * (rank + 1) - n;
		MPI_Allreduce(a, b, n, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
		for (i = 0; i < n; i++) {
			should = 0;
			for (r = 0; r < ranks; r++)
				should += (long)i * (r + 1) - n;
			if (b[i] != should)
				wrong("sum", i, b[i], should);
		}
	}
	free(a);
	free(b);
}

static void alltoall(void)
{
	size_t n = 20000, i;
	int *a = area(n * ranks * sizeof(*a)), *b = area(n * ranks * sizeof(*b));
	int r;

	for (r = 0; r < ranks; r++)
		for (i = 0; i < n; i++)
			a[r * n + i] = rank * 1000003 + r * 1009 + i;
	MPI_Alltoall(a, n, MPI_INT, b, n, MPI_INT, MPI_COMM_WORLD);
	for (r = 0; r < ranks; r++)
		for (i = 0; i < n; i++)
			if (b[r * n + i] != r * 1000003 + rank * 1009 + (int)i)
				wrong("alltoall", r * n + i, b[r * n + i],
				      r * 1000003 + rank * 1009 + i);
	free(a);
	free(b);
}

static void run_case(const char *name)
{
	double t;

	MPI_Barrier(MPI_COMM_WORLD);
	t = MPI_Wtime();
	if (!strcmp(name, "pingpong"))
		pingpong();
	else if (!strcmp(name, "allreduce"))
		allreduce();
	else if (!strcmp(name, "alltoall"))
		alltoall();
	else
		MPI_Abort(MPI_COMM_WORLD, 3);
	MPI_Barrier(MPI_COMM_WORLD);
	if (!rank)
		printf("%s: %.0f ms\n", name, (MPI_Wtime() - t) * 1000);
}

int main(int argc, char **argv)
{
	char host[MPI_MAX_PROCESSOR_NAME];
	int i, len;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	MPI_Get_processor_name(host, &len);
	printf("rank %d on %s\n", rank, host);
	if (ranks & 1)
		MPI_Abort(MPI_COMM_WORLD, 4);
	for (i = 1; i < argc; i++)
		run_case(argv[i]);
	if (!rank)
		printf("all is well on %d ranks\n", ranks);
	MPI_Finalize();
	return 0;
}
