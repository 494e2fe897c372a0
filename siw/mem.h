/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * STag table: everything that an STag can name, access checks, and copying
 * between memory regions and linear buffers.
 */
#ifndef _SIW_MEM_H
#define _SIW_MEM_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/types.h>
#include <rdma/ib_verbs.h>

struct siw_device;
struct siw_odp;

#define SIW_ACCESS_REMOTE	(IB_ACCESS_REMOTE_WRITE | \
				 IB_ACCESS_REMOTE_READ | \
				 IB_ACCESS_REMOTE_ATOMIC)

enum siw_mem_kind {
	SIW_MEM_PAGES,		/* page list: user regions, fast registration */
	SIW_MEM_DMA,		/* all kernel memory: get_dma_mr */
	SIW_MEM_ODP,		/* of a process, paged on demand */
	SIW_MEM_WINDOW,		/* part of a user region, for peers alone */
	SIW_MEM_NULL,		/* no memory: takes anything, gives zeros */
};

/* Whether Send with Invalidate and local invalidation may revoke it. */
enum siw_mem_inval {
	SIW_INVAL_NEVER,
	SIW_INVAL_ALONE,	/* if only one connection of its PD can use it */
	SIW_INVAL_ALWAYS,
};

/**
 * struct siw_mem - what an STag names
 * @sdev: device whose table holds it
 * @pd: protection domain; never dereferenced on the data path
 * @kva: page list, kernel addresses of pages of PAGE_SIZE
 * @num_pages: entries of @kva in use
 * @max_pages: entries of @kva there is room for
 * @odp: pages that come and go, instead of @kva
 * @first_off: offset of @va within the first page
 * @va: tagged offset of the first octet
 * @len: octets
 * @stag: the full 32-bit STag; changed by fast registration (key part)
 * @access: IB_ACCESS_* rights
 * @kind: see enum siw_mem_kind
 * @valid: false once deregistered or invalidated, or not yet registered
 * @lendable: pages of a process that are pinned: TCP may be given them
 * @remapped: of a kernel user: voided by mapping other pages, before its
 *	invalidation was executed
 * @inval: who may invalidate it
 * @users: data paths inside of siw_mem_begin() .. siw_mem_end()
 * @qp: the only QP that may use it, NULL: all of the domain
 * @windows: of a region: windows bound to it, or SIW_MEM_NO_WINDOWS
 * @lock: of a window: guards binding it and all below; bottom halves off
 * @parent: of a window: region it is bound to, which owns @kva
 * @bound: of a window with a @qp: in its list
 * @gone: of a window: deallocated
 * @rcu: freed after a grace period, the table is read locklessly
 *
 * A data path may touch the memory only between siw_mem_begin() and
 * siw_mem_end(), with bottom halves off. Revocation clears @valid and then
 * waits for @users to drain: after that no octet of the region moves.
 */
struct siw_mem {
	struct siw_device *sdev;
	struct ib_pd *pd;
	void **kva;
	u32 num_pages;
	u32 max_pages;
	struct siw_odp *odp;
	u32 first_off;
	u64 va;
	u64 len;
	u32 stag;
	u32 access;
	enum siw_mem_kind kind;
	enum siw_mem_inval inval;
	bool valid;
	bool lendable;
	u32 remapped;
	atomic_t users;
	const struct ib_qp *qp;
	atomic_t windows;
	spinlock_t lock;	/* see above */
	struct siw_mem *parent;
	struct list_head bound;
	bool gone;
	struct rcu_head rcu;
};

/* Places of struct siw_mem_hints. */
#define SIW_MEM_HINTS		4

/**
 * struct siw_mem_hints - what a data path has found in the table lately
 * @hint: by the STag's index modulo their number
 * @hint.mem: to be looked at only under RCU, and if @hint.gen is the device's
 * @hint.gen: the device's @mems_gen when it was found
 *
 * All zeros to begin with. Owned by the data path.
 */
struct siw_mem_hints {
	struct {
		struct siw_mem *mem;
		unsigned long gen;
	} hint[SIW_MEM_HINTS];
};

/**
 * struct siw_mem_span - octets of one region, in sequence
 * @mem: from siw_mem_begin(), NULL: the span is closed
 * @to: tagged offset of the next octet
 * @left: octets from @to on that were checked, and are present
 * @p: next octet
 * @run: octets at @p
 */
struct siw_mem_span {
	struct siw_mem *mem;
	u64 to;
	u64 left;
	u8 *p;
	u32 run;
};

/* No window can be bound to a region any more. */
#define SIW_MEM_NO_WINDOWS	INT_MIN

enum siw_mem_fault {
	SIW_MEM_OK,
	SIW_MEM_BAD_STAG,
	SIW_MEM_BAD_PD,
	SIW_MEM_BAD_ACCESS,
	SIW_MEM_WRAP,
	SIW_MEM_BOUNDS,
	SIW_MEM_ALIGN,		/* target of an atomic; not from siw_mem_check() */
	SIW_MEM_ABSENT,		/* pages to be fetched; neither */
};

/**
 * struct siw_mem_want - pages that a data path waits for
 * @stag: memory
 * @len: octets, 0: none
 * @to: tagged offset of the first
 */
struct siw_mem_want {
	u32 stag;
	u32 len;
	u64 to;
};

int siw_mem_init_null(struct siw_device *sdev);
void siw_mem_exit_null(struct siw_device *sdev);
int siw_mem_insert(struct siw_device *sdev, struct siw_mem *mem, int key);
void siw_mem_remove(struct siw_mem *mem);
void siw_mem_free(struct siw_mem *mem);
struct siw_mem *siw_mem_find(struct siw_device *sdev, u32 stag);

struct siw_mem *siw_mem_begin(struct siw_device *sdev, u32 stag,
			      struct siw_mem_hints *hints);
void siw_mem_end(struct siw_mem *mem);

enum siw_mem_fault siw_mem_check(const struct siw_mem *mem,
				 const struct ib_qp *qp, u64 to, u64 len,
				 u32 access);
enum siw_mem_fault siw_mem_check_range(const struct siw_mem *mem, u64 to,
				       u64 len);
void siw_mem_copy_to(const struct siw_mem *mem, u64 to, const void *src,
		     u32 len);
u64 siw_mem_room(const struct siw_mem *mem, u64 to);
void siw_mem_span_next(struct siw_mem_span *s);
void *siw_mem_ptr(const struct siw_mem *mem, u64 to);
struct page *siw_mem_lend(const struct siw_mem *mem, u64 to, u32 *off,
			  u32 *len);

void siw_mem_revoke(struct siw_mem *mem);
enum siw_mem_fault siw_mem_invalidate(const struct ib_qp *qp, u32 stag,
				      bool remote);

static inline void siw_mem_span_skip(struct siw_mem_span *s, u32 n)
{
	s->p += n;
	s->run -= n;
	s->to += n;
	s->left -= n;
}

/* Fetches @len octets, at most @s->left, between siw_mem_begin() and _end(). */
static inline void siw_mem_span_read(struct siw_mem_span *s, void *dst, u32 len)
{
	while (len) {
		u32 n;

		if (!s->run)
			siw_mem_span_next(s);
		n = min(len, s->run);
		memcpy(dst, s->p, n);
		siw_mem_span_skip(s, n);
		dst += n;
		len -= n;
	}
}

/* Places octets; as siw_mem_span_read(). Not in the null region. */
static inline void siw_mem_span_write(struct siw_mem_span *s, const void *src,
				      u32 len)
{
	while (len) {
		u32 n;

		if (!s->run)
			siw_mem_span_next(s);
		n = min(len, s->run);
		memcpy(s->p, src, n);
		siw_mem_span_skip(s, n);
		src += n;
		len -= n;
	}
}

/*
 * Keeps windows from being bound to a region from now on; false if some are
 * bound. A region that is to be used again sets @windows to 0.
 */
static inline bool siw_mem_close_windows(struct siw_mem *mem)
{
	return atomic_cmpxchg(&mem->windows, 0, SIW_MEM_NO_WINDOWS) <= 0;
}

#endif
