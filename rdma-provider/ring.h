/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rings shared with the kernel.
 *
 * No index is shared: each side counts for itself, and an element changes
 * hands by its flags. Whoever hands over stores the flags last, with release
 * order; whoever takes loads them first, with acquire order. The kernel's
 * store that frees an SQE is followed by a full barrier, which pairs with the
 * one between a provider's last publication and its look at the slot before
 * (or at the control word): see siw_ring_fence().
 */
#ifndef SIW_PROVIDER_RING_H
#define SIW_PROVIDER_RING_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <rdma/siw-abi.h>

/**
 * struct siw_ring - the provider's side of one ring
 * @base: first element, NULL if the ring does not exist
 * @pos: free-running count of the next element to produce or consume
 * @mask: number of elements - 1; that number is a power of two
 * @stride: bytes from one element to the next
 * @map_len: length of the mapping at @base
 */
struct siw_ring {
	uint8_t *base;
	uint32_t pos;
	uint32_t mask;
	uint32_t stride;
	size_t map_len;
};

/**
 * struct siw_lock - a spin lock an application may promise not to need
 * @spin: the lock
 * @unused: all users run in one thread
 */
struct siw_lock {
	pthread_spinlock_t spin;
	bool unused;
};

static inline int siw_lock_init(struct siw_lock *lock, bool unused)
{
	lock->unused = unused;
	return pthread_spin_init(&lock->spin, PTHREAD_PROCESS_PRIVATE);
}

static inline void siw_lock_destroy(struct siw_lock *lock)
{
	pthread_spin_destroy(&lock->spin);
}

static inline void siw_lock(struct siw_lock *lock)
{
	if (!lock->unused)
		pthread_spin_lock(&lock->spin);
}

static inline void siw_unlock(struct siw_lock *lock)
{
	if (!lock->unused)
		pthread_spin_unlock(&lock->spin);
}

/**
 * siw_ring_map() - map a ring the kernel has made
 * @ring: to be filled in
 * @fd: the context's command file
 * @key: mmap offset from the kernel's response; any value is valid, 0 too
 * @num: number of elements, must be a power of two
 * @stride: bytes from one element to the next
 * @tail: bytes of the control structure behind the last element
 *
 * The mapping is shared memory of the device: nothing is copied on write
 * after a fork, so that it needs no protection against it.
 *
 * Return: 0 or a positive errno; EPROTO if the kernel's sizes make no ring.
 */
static inline int siw_ring_map(struct siw_ring *ring, int fd, uint64_t key,
			       uint32_t num, uint32_t stride, size_t tail)
{
	size_t len = (size_t)num * stride + tail;
	void *base;

	if (!num || num & (num - 1) || !stride)
		return EPROTO;
	base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)key);
	if (base == MAP_FAILED)
		return errno;
	ring->base = base;
	ring->pos = 0;
	ring->mask = num - 1;
	ring->stride = stride;
	ring->map_len = len;
	return 0;
}

/**
 * siw_ring_unmap() - undo siw_ring_map()
 * @ring: a mapped ring, or one that never was
 *
 * To be called after the kernel object is gone: should its destruction fail,
 * the object must remain usable.
 */
static inline void siw_ring_unmap(struct siw_ring *ring)
{
	if (ring->base)
		munmap(ring->base, ring->map_len);
	ring->base = NULL;
}

/* The element at count @pos, which may be any free-running count */
static inline void *siw_ring_at(const struct siw_ring *ring, uint32_t pos)
{
	return ring->base + (size_t)(pos & ring->mask) * ring->stride;
}

/* The control structure behind the last element */
static inline void *siw_ring_tail(const struct siw_ring *ring)
{
	return ring->base + ((size_t)ring->mask + 1) * ring->stride;
}

/* Work request elements have 16 bits of flags, completions 8 */

static inline bool siw_wqe_is_valid(const uint16_t *flags)
{
	return __atomic_load_n(flags, __ATOMIC_ACQUIRE) & SIW_WQE_VALID;
}

static inline void siw_wqe_publish(uint16_t *flags, uint16_t bits)
{
	__atomic_store_n(flags, bits | SIW_WQE_VALID, __ATOMIC_RELEASE);
}

/*
 * Take a published element back. Returns its flags, without VALID if the
 * kernel has started it. Only for use after a doorbell that failed.
 */
static inline uint16_t siw_wqe_withdraw(uint16_t *flags)
{
	return __atomic_exchange_n(flags, 0, __ATOMIC_SEQ_CST);
}

static inline bool siw_cqe_is_valid(const uint8_t *flags)
{
	return __atomic_load_n(flags, __ATOMIC_ACQUIRE) & SIW_WQE_VALID;
}

static inline void siw_cqe_release(uint8_t *flags)
{
	__atomic_store_n(flags, 0, __ATOMIC_RELEASE);
}

/* Orders publications before the loads that decide about the doorbell */
static inline void siw_ring_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
