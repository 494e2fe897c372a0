/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * User contexts and the rings they map.
 */
#ifndef _SIW_UCONTEXT_H
#define _SIW_UCONTEXT_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/uverbs_ioctl.h>
#include <siw_ext_abi.h>

/* Extensions of the user ABI that work: SIW_FEAT_* of siw_ext_abi.h */
#define SIW_FEATURES	(SIW_FEAT_EXT_QP | SIW_FEAT_EXT_CQ | \
			 SIW_FEAT_IMM | SIW_FEAT_ATOMIC | SIW_FEAT_MW | \
			 SIW_FEAT_LOCAL_INV | SIW_FEAT_CQ_TS | \
			 SIW_FEAT_CQ_RESIZE | SIW_FEAT_NULL_MR | SIW_FEAT_DM | \
			 SIW_FEAT_IGN_OVERRUN | SIW_FEAT_IOVA | \
			 SIW_FEAT_SQ_POLL)

struct siw_pager;
struct siw_poller;

/**
 * struct siw_ucontext - the device as one process has it open
 * @base: verbs object
 * @lock: guards @stale and @pager
 * @stale: rings of queues that are gone, but whose pages are still mapped
 * @reap: frees them when they are not
 * @pager: fetches its pages; NULL until it has had memory that is paged on demand
 * @poll_lock: guards @poller; held while it is made and ended
 * @poller: looks at the send rings of its queue pairs, NULL: none has asked for it
 */
struct siw_ucontext {
	struct ib_ucontext base;
	struct mutex lock;	/* stale, pager */
	struct list_head stale;
	struct delayed_work reap;
	struct siw_pager *pager;
	struct mutex poll_lock;	/* poller */
	struct siw_poller *poller;
};

static inline struct siw_ucontext *to_siw_uctx(struct ib_ucontext *ctx)
{
	return container_of(ctx, struct siw_ucontext, base);
}

/**
 * struct siw_ring - memory of a queue that its process may map
 * @mem: vmalloc_user() memory, zeroed at first
 * @size: octets
 * @uctx: context of the process, NULL for a kernel user
 * @mm: whose pinned memory @mem counts as; its structure is held
 * @used: what else @size was added to, or NULL
 * @stale: in siw_ucontext.stale
 * @exposed: @entry is in the core's table of keys
 * @entry: names @mem to the process
 * @unused: nobody is in the middle of mapping @mem any more
 */
struct siw_ring {
	void *mem;
	size_t size;
	struct siw_ucontext *uctx;
	struct mm_struct *mm;
	atomic_long_t *used;
	struct list_head stale;
	bool exposed;
	struct rdma_user_mmap_entry entry;
	struct completion unused;
};

struct siw_ring *siw_ring_alloc(struct ib_udata *udata, size_t size);
int siw_ring_expose(struct siw_ring *ring, u64 *key);
void siw_ring_free(struct siw_ring *ring);
void siw_ring_reap(struct ib_udata *udata);

extern const struct uapi_definition siw_uapi_defs[];

int siw_query_ucontext(struct ib_ucontext *ctx,
		       struct uverbs_attr_bundle *attrs);
int siw_alloc_ucontext(struct ib_ucontext *ctx, struct ib_udata *udata);
void siw_dealloc_ucontext(struct ib_ucontext *ctx);
void siw_disassociate_ucontext(struct ib_ucontext *ctx);
int siw_mmap(struct ib_ucontext *ctx, struct vm_area_struct *vma);
void siw_mmap_free(struct rdma_user_mmap_entry *entry);

#endif
