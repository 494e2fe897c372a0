// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * On-demand paging. A region with it pins nothing: its pages are looked up when
 * data first go there, in process context, and forgotten as soon as the
 * process's memory changes under them (munmap, fork, swap, migration).
 *
 * A data path that finds a page missing does nothing, notes the range, has it fetched
 * (pager.c) and tries again when that is done.
 *
 * The mm tells of a change before it happens and waits for us meanwhile:
 * odp_invalidate() shuts the region, waits until no data path is inside of
 * siw_mem_begin() .. siw_mem_end(), and drops the pages.
 */
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "compat/odp.h"
#include "device.h"
#include "mem.h"
#include "odp.h"
#include "pager.h"
#include "ucontext.h"

#define ODP_CHUNK_BITS		9
#define ODP_CHUNK		BIT(ODP_CHUNK_BITS)
/* Pages looked up at once. */
#define ODP_BATCH		16
/* Times that the memory may change while its pages are looked up. */
#define ODP_TRIES		1000

/**
 * struct odp_chunk - pages of 2 MiB of addresses
 * @kva: their kernel addresses, NULL: not there
 */
struct odp_chunk {
	void *kva[ODP_CHUNK];
};

/**
 * struct siw_odp - the pages of a region
 * @notifier: tells when the process's memory changes
 * @mem: the region's memory; freed with this
 * @start: address of page 0 in the process
 * @writable: all pages are looked up for writing
 * @shut: no page is there for data paths just now
 * @lock: guards changes of @chunks and @shut; taken under locks of the mm
 * @chunks: struct odp_chunk by page number / ODP_CHUNK; what a data path finds
 *	stays until siw_mem_end()
 * @ref: the region, and who looks up pages
 * @pager: where the process's fetches sleep; there is a reference
 */
struct siw_odp {
	struct mmu_interval_notifier notifier;
	struct siw_mem *mem;
	unsigned long start;
	bool writable;
	bool shut;
	struct mutex lock;	/* see above */
	struct xarray chunks;
	struct kref ref;
	struct siw_pager *pager;
};

/* ------------------------------------------------------ what is there --- */

static void *odp_find(struct siw_odp *odp, u64 idx)
{
	struct odp_chunk *chunk;

	chunk = xa_load(&odp->chunks, idx >> ODP_CHUNK_BITS);
	/* pairs with odp_keep() */
	return chunk ? READ_ONCE(chunk->kva[idx & (ODP_CHUNK - 1)]) : NULL;
}

static u64 odp_index(const struct siw_mem *mem, u64 to)
{
	return (to - mem->va + mem->first_off) >> PAGE_SHIFT;
}

/**
 * siw_odp_present() - are all pages of a range there
 * @mem: memory with on-demand paging
 * @to: tagged offset of the first octet; the range was checked
 * @len: octets, not 0
 *
 * Context: as siw_mem_present(). Return: true if they are.
 */
bool siw_odp_present(const struct siw_mem *mem, u64 to, u32 len)
{
	u64 idx = odp_index(mem, to);
	u64 last = odp_index(mem, to + len - 1);

	/* after siw_mem_begin() has counted us; pairs with odp_drop() */
	if (smp_load_acquire(&mem->odp->shut))
		return false;
	for (; idx <= last; idx++)
		if (!odp_find(mem->odp, idx))
			return false;
	return true;
}

/**
 * siw_odp_page() - kernel address of a page
 * @odp: pages
 * @idx: page number
 *
 * Context: after siw_odp_present() said so. Return: the address.
 */
void *siw_odp_page(struct siw_odp *odp, u64 idx)
{
	return odp_find(odp, idx);
}

/* --------------------------------------------------- what goes away --- */

static void odp_drop(struct siw_odp *odp, u64 first, u64 last)
{
	struct odp_chunk *chunk;
	unsigned long ci = first >> ODP_CHUNK_BITS;

	lockdep_assert_held(&odp->lock);
	if (!xa_find(&odp->chunks, &ci, last >> ODP_CHUNK_BITS, XA_PRESENT))
		return;
	WRITE_ONCE(odp->shut, true);
	/* pairs with siw_mem_begin(): it sees this or we see the user */
	smp_mb();
	while (atomic_read(&odp->mem->users))
		cpu_relax();
	xa_for_each_range(&odp->chunks, ci, chunk, first >> ODP_CHUNK_BITS,
			  last >> ODP_CHUNK_BITS) {
		u64 base = (u64)ci << ODP_CHUNK_BITS;
		u32 from = first > base ? first - base : 0;
		u32 to = min_t(u64, last - base, ODP_CHUNK - 1);

		memset(&chunk->kva[from], 0, (to - from + 1) * sizeof(void *));
		if (memchr_inv(chunk, 0, sizeof(*chunk)))
			continue;
		xa_erase(&odp->chunks, ci);
		kfree(chunk);
	}
	/* the pages before who finds the region open */
	smp_store_release(&odp->shut, false);
}

static bool odp_invalidate(struct mmu_interval_notifier *notifier,
			   const struct mmu_notifier_range *range,
			   unsigned long seq)
{
	struct siw_odp *odp = container_of(notifier, struct siw_odp, notifier);
	u64 first = 0;

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&odp->lock);
	else if (!mutex_trylock(&odp->lock))
		return false;
	mmu_interval_set_seq(notifier, seq);
	if (range->start > odp->start)
		first = (range->start - odp->start) >> PAGE_SHIFT;
	odp_drop(odp, first, (range->end - 1 - odp->start) >> PAGE_SHIFT);
	mutex_unlock(&odp->lock);
	return true;
}

static const struct mmu_interval_notifier_ops odp_notifier_ops = {
	.invalidate = odp_invalidate,
};

/* ------------------------------------------------------- what comes --- */

/*
 * Some CPUs ignore upper bits of an address, and so does get_user_pages(); whoever
 * unmaps memory is heard of by its true address alone.
 */
static bool odp_beyond(const struct mm_struct *mm, u64 addr, u64 len)
{
	return addr > mm->task_size || len > mm->task_size - addr;
}

/* As get_user_pages_remote(). */
static long odp_look_up(struct siw_odp *odp, u64 idx, u32 num, bool fault,
			struct page **pages)
{
	u64 addr = odp->start + (idx << PAGE_SHIFT);
	struct mm_struct *mm = odp->notifier.mm;
	unsigned int flags = fault ? 0 : FOLL_NOFAULT;
	int locked = 1;
	long rv;

	if (odp->writable)
		flags |= FOLL_WRITE;
	if (odp_beyond(mm, addr, (u64)num << PAGE_SHIFT))
		return -EFAULT;
	/* the process may be gone */
	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	rv = compat_get_pages(mm, addr, num, flags, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	mmput(mm);
	return rv;
}

/* @spare is used up if there was no chunk. 0, -EAGAIN without, -ENOMEM. */
static int odp_keep(struct siw_odp *odp, u64 idx, struct page **pages,
		    long num, struct odp_chunk **spare)
{
	unsigned long ci = idx >> ODP_CHUNK_BITS;
	struct odp_chunk *chunk = xa_load(&odp->chunks, ci);
	long i;

	lockdep_assert_held(&odp->lock);
	if (!chunk && !*spare)
		return -EAGAIN;
	if (!chunk) {
		/* the mm may wait for this lock to free memory */
		if (xa_is_err(xa_store(&odp->chunks, ci, *spare, GFP_ATOMIC)))
			return -ENOMEM;
		chunk = *spare;
		*spare = NULL;
	}
	for (i = 0; i < num; i++) {
		/* a data path may look for it right now */
		WRITE_ONCE(chunk->kva[(idx + i) & (ODP_CHUNK - 1)],
			   page_address(pages[i]));
	}
	return 0;
}

/* Pages of one chunk; how many are there now, -EAGAIN, or an error. */
static long odp_try_batch(struct siw_odp *odp, u64 idx, u32 num, bool fault,
			  struct odp_chunk **spare)
{
	struct page *pages[ODP_BATCH];
	unsigned long seq;
	long i, got, rv;

	seq = mmu_interval_read_begin(&odp->notifier);
	got = odp_look_up(odp, idx, num, fault, pages);
	if (got <= 0)
		return got ? got : -EFAULT;
	mutex_lock(&odp->lock);
	if (mmu_interval_read_retry(&odp->notifier, seq))
		rv = -EAGAIN;
	else
		rv = odp_keep(odp, idx, pages, got, spare);
	mutex_unlock(&odp->lock);
	/* from here on the notifier is what keeps them */
	for (i = 0; i < got; i++)
		put_page(pages[i]);
	return rv ? rv : got;
}

static long odp_batch(struct siw_odp *odp, u64 idx, u32 num, bool fault)
{
	struct odp_chunk *spare = NULL;
	int tries = ODP_TRIES;
	long rv;

	do {
		if (!spare && !xa_load(&odp->chunks, idx >> ODP_CHUNK_BITS)) {
			spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
			if (!spare)
				return -ENOMEM;
		}
		rv = odp_try_batch(odp, idx, num, fault, &spare);
	} while (rv == -EAGAIN && --tries);
	kfree(spare);
	return rv;
}

/* Behind page @idx, which is not there: where one may be; or behind all. */
static u64 odp_next(struct siw_odp *odp, u64 idx)
{
	struct mm_struct *mm = odp->notifier.mm;
	struct vm_area_struct *vma;
	unsigned long addr;
	u64 next = U64_MAX;

	idx++;
	/* the process may be gone */
	if (!mmget_not_zero(mm))
		return next;
	addr = odp->start + (idx << PAGE_SHIFT);
	mmap_read_lock(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start > addr)
		next = (vma->vm_start - odp->start) >> PAGE_SHIFT;
	else if (vma)
		next = idx;
	mmap_read_unlock(mm);
	mmput(mm);
	return next;
}

static int odp_fetch(struct siw_odp *odp, u64 idx, u64 last, bool fault)
{
	while (idx <= last) {
		u64 end = min(last, idx | (ODP_CHUNK - 1));
		long rv = odp_batch(odp, idx, min_t(u64, end - idx + 1,
						    ODP_BATCH), fault);

		if (rv > 0)
			idx += rv;
		else if (!fault && (rv == -EFAULT || rv == -EAGAIN))
			idx = odp_next(odp, idx);
		else
			/* who wants them in spite of -EAGAIN asks again */
			return rv == -EAGAIN ? 0 : rv;
		/* a range may be long */
		if (idx <= last && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * siw_odp_get() - the pages of a range that may have to be fetched
 * @sdev: device
 * @want: STag and range
 * @first: number of the first page
 * @last: number of the last page
 *
 * Context: process or softirq.
 * Return: pages with a reference for siw_odp_put(); NULL: memory that is not paged on
 * demand, or a range outside of it, which the data path's own checks find.
 */
struct siw_odp *siw_odp_get(struct siw_device *sdev,
			    const struct siw_mem_want *want, u64 *first,
			    u64 *last)
{
	struct siw_mem *mem = siw_mem_begin(sdev, want->stag, NULL);
	struct siw_odp *odp = NULL;

	if (!mem)
		return NULL;
	if (mem->kind == SIW_MEM_ODP && want->len &&
	    !siw_mem_check_range(mem, want->to, want->len)) {
		odp = mem->odp;
		kref_get(&odp->ref);
		*first = odp_index(mem, want->to);
		*last = odp_index(mem, want->to + want->len - 1);
	}
	siw_mem_end(mem);
	return odp;
}

/**
 * siw_odp_read() - read pages in, or create them
 * @odp: pages
 * @first: number of the first
 * @last: number of the last
 *
 * They may be gone again when it returns.
 *
 * Context: process, may sleep for ever; no lock that a notifier of the mm takes.
 * Return: 0, -EFAULT if the process has nothing there, or -ENOMEM.
 */
int siw_odp_read(struct siw_odp *odp, u64 first, u64 last)
{
	return odp_fetch(odp, first, last, true);
}

/**
 * siw_odp_pager() - where fetches of the process's pages may sleep
 * @odp: pages
 *
 * Context: any. Return: the pager, as long as there is a reference on @odp.
 */
struct siw_pager *siw_odp_pager(const struct siw_odp *odp)
{
	return odp->pager;
}

/**
 * siw_odp_fetch() - make pages of a range be there
 * @sdev: device
 * @want: STag and range
 * @fault: read them in, or create them; else only take those that are there
 *
 * Context: a process of the context; no lock that a notifier of the mm takes.
 * Return: as siw_odp_read(), or -EINTR if the caller is being killed.
 */
int siw_odp_fetch(struct siw_device *sdev, const struct siw_mem_want *want,
		  bool fault)
{
	u64 first, last;
	struct siw_odp *odp = siw_odp_get(sdev, want, &first, &last);
	int rv;

	if (!odp)
		return 0;
	rv = odp_fetch(odp, first, last, fault);
	siw_odp_put(odp);
	return rv;
}

/* ------------------------------------------------------- life cycle --- */

/* With a reference, or NULL without memory. */
static struct siw_pager *odp_pager(struct siw_ucontext *uctx)
{
	struct siw_pager *pager;

	mutex_lock(&uctx->lock);
	if (!uctx->pager)
		uctx->pager = siw_pager_new();
	pager = uctx->pager;
	if (pager)
		kref_get(&pager->ref);
	mutex_unlock(&uctx->lock);
	return pager;
}

/**
 * siw_odp_create() - page memory on demand
 * @uctx: context of the calling process
 * @mem: without STag; freed by siw_odp_put() from now on
 * @start: address of its first octet in the calling process
 * @len: octets; U64_MAX from 0: all that the process has and will have
 * @writable: look pages up for writing
 *
 * Context: process. Return: 0, -EINVAL for a range that wraps or that no process can
 * have, -ENOMEM.
 */
int siw_odp_create(struct siw_ucontext *uctx, struct siw_mem *mem, u64 start,
		   u64 len, bool writable)
{
	unsigned long first = start & PAGE_MASK;
	struct siw_odp *odp;
	int rv;

	if (len != U64_MAX && odp_beyond(current->mm, start, len))
		return -EINVAL;
	odp = kzalloc(sizeof(*odp), GFP_KERNEL_ACCOUNT);
	if (!odp)
		return -ENOMEM;
	odp->mem = mem;
	odp->start = first;
	odp->writable = writable;
	mutex_init(&odp->lock);
	xa_init(&odp->chunks);
	kref_init(&odp->ref);
	odp->pager = odp_pager(uctx);
	if (!odp->pager) {
		kfree(odp);
		return -ENOMEM;
	}
	rv = mmu_interval_notifier_insert(&odp->notifier, current->mm, first,
					  len + (start - first),
					  &odp_notifier_ops);
	if (rv) {
		siw_pager_put(odp->pager);
		kfree(odp);
		return rv;
	}
	mem->first_off = start - first;
	mem->odp = odp;
	return 0;
}

static void odp_release(struct kref *ref)
{
	struct siw_odp *odp = container_of(ref, struct siw_odp, ref);
	struct odp_chunk *chunk;
	unsigned long ci;

	mmu_interval_notifier_remove(&odp->notifier);
	xa_for_each(&odp->chunks, ci, chunk)
		kfree(chunk);
	xa_destroy(&odp->chunks);
	siw_mem_free(odp->mem);
	siw_pager_put(odp->pager);
	kfree(odp);
}

/**
 * siw_odp_put() - let go of the pages of a region
 * @odp: pages; with the last reference their memory goes
 *
 * Context: process, may sleep.
 */
void siw_odp_put(struct siw_odp *odp)
{
	kref_put(&odp->ref, odp_release);
}
