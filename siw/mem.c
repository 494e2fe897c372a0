// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * STag table, access checks, copying in and out of memory regions.
 */
#include <linux/bottom_half.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <siw_ext_abi.h>

#include "device.h"
#include "mem.h"
#include "mw.h"
#include "odp.h"
#include "pd.h"

#define MEM_INDEX_BITS		24
#define MEM_TRIES		64

static u32 mem_index(u32 stag)
{
	return stag >> 8;
}

/**
 * siw_mem_insert() - give memory an STag and make it known to peers
 * @sdev: device
 * @mem: filled in but for the STag
 * @key: low octet of the STag, -1 for a random one
 *
 * STags are hard to guess and spread over all 32 bits, and a value that was
 * freed does not come back soon (RFC 5042 6.1.1, SEC-03). STags 0 and 1 are
 * never given out: peers use them in zero-length messages (SEC-04).
 *
 * Context: process.
 * Return: 0, -ENOMEM, -ENOSPC.
 */
int siw_mem_insert(struct siw_device *sdev, struct siw_mem *mem, int key)
{
	int i, rv = -ENOSPC;

	mem->sdev = sdev;
	for (i = 0; i < MEM_TRIES; i++) {
		u32 r = get_random_u32();

		if (!mem_index(r))
			continue;
		if (key >= 0)
			r = (r & ~0xff) | key;
		mem->stag = r;
		rv = xa_insert(&sdev->mems, mem_index(r), mem, GFP_KERNEL);
		if (rv != -EBUSY)
			return rv;
	}
	return -ENOSPC;
}

/**
 * siw_mem_init_null() - make the null region of a device
 * @sdev: device
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_mem_init_null(struct siw_device *sdev)
{
	struct siw_mem *mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	int rv;

	if (!mem)
		return -ENOMEM;
	mem->sdev = sdev;
	mem->kind = SIW_MEM_NULL;
	mem->stag = SIW_NULL_STAG;
	mem->valid = true;
	rv = xa_insert(&sdev->mems, mem_index(mem->stag), mem, GFP_KERNEL);
	if (rv)
		kfree(mem);
	return rv;
}

/**
 * siw_mem_exit_null() - undo siw_mem_init_null(), if it was done
 * @sdev: device
 *
 * Context: process.
 */
void siw_mem_exit_null(struct siw_device *sdev)
{
	struct siw_mem *mem;

	rcu_read_lock();
	mem = siw_mem_find(sdev, SIW_NULL_STAG);
	rcu_read_unlock();
	if (mem)
		siw_mem_remove(mem);
}

static void mem_free_rcu(struct rcu_head *rcu)
{
	struct siw_mem *mem = container_of(rcu, struct siw_mem, rcu);

	kvfree(mem->kva);
	kfree(mem);
}

/**
 * siw_mem_free() - free memory that nobody finds any more
 * @mem: memory; data paths may be about to see that it is not valid
 *
 * Context: any.
 */
void siw_mem_free(struct siw_mem *mem)
{
	call_rcu(&mem->rcu, mem_free_rcu);
}

/**
 * siw_mem_remove() - take memory away for good
 * @mem: from siw_mem_insert()
 *
 * When it returns, no data path touches the memory any more. The object
 * itself is freed after a grace period.
 *
 * Context: process.
 */
void siw_mem_remove(struct siw_mem *mem)
{
	xa_erase(&mem->sdev->mems, mem_index(mem->stag));
	/* who has missed it is waited for by RCU; pairs with mem_hinted() */
	smp_mb__before_atomic();
	atomic_long_inc(&mem->sdev->mems_gen);
	siw_mem_revoke(mem);
	if (mem->odp)
		siw_odp_put(mem->odp);
	else
		siw_mem_free(mem);
}

/**
 * siw_mem_find() - what an STag's index names, valid or not
 * @sdev: device
 * @stag: its key does not count
 *
 * Context: under RCU, which is all that keeps the object.
 * Return: the memory or NULL.
 */
struct siw_mem *siw_mem_find(struct siw_device *sdev, u32 stag)
{
	return xa_load(&sdev->mems, mem_index(stag));
}

/*
 * siw_mem_find() for who looks for the same few again and again. Whatever was
 * removed before the generation was read is not found. What is removed later lives
 * on: the caller is under RCU.
 */
static struct siw_mem *mem_hinted(struct siw_device *sdev, u32 stag,
				  struct siw_mem_hints *hints)
{
	/* before the table; pairs with siw_mem_remove() */
	unsigned long gen = atomic_long_read_acquire(&sdev->mems_gen);
	u32 i = mem_index(stag) % SIW_MEM_HINTS;
	struct siw_mem *mem = hints->hint[i].mem;

	if (likely(hints->hint[i].gen == gen &&
		   mem_index(READ_ONCE(mem->stag)) == mem_index(stag)))
		return mem;
	mem = siw_mem_find(sdev, stag);
	if (mem) {
		hints->hint[i].mem = mem;
		/* from before it was found: it may be gone by now */
		hints->hint[i].gen = gen;
	}
	return mem;
}

/**
 * siw_mem_begin() - find memory and keep it from being revoked
 * @sdev: device
 * @stag: all 32 bits count
 * @hints: of the caller, which nobody else uses meanwhile, or NULL
 *
 * Context: bottom halves are off until siw_mem_end(), which must come soon and
 * without sleeping: a revocation spins for it.
 * Return: the memory, or NULL if the STag names nothing valid.
 */
struct siw_mem *siw_mem_begin(struct siw_device *sdev, u32 stag,
			      struct siw_mem_hints *hints)
{
	struct siw_mem *mem;

	/* RCU waits for who has bottom halves off, too */
	local_bh_disable();
	mem = hints ? mem_hinted(sdev, stag, hints) : siw_mem_find(sdev, stag);
	if (mem) {
		atomic_inc(&mem->users);
		/* pairs with siw_mem_revoke(): it sees us or we see it */
		smp_mb__after_atomic();
		/* pairs with siw_mr_fast_reg() */
		if (smp_load_acquire(&mem->valid) &&
		    READ_ONCE(mem->stag) == stag)
			return mem;
		atomic_dec(&mem->users);
	}
	local_bh_enable();
	return NULL;
}

/**
 * siw_mem_end() - let go of memory
 * @mem: from siw_mem_begin()
 *
 * Context: as siw_mem_begin().
 */
void siw_mem_end(struct siw_mem *mem)
{
	/* what was copied is done before a revocation goes on */
	smp_mb__before_atomic();
	atomic_dec(&mem->users);
	local_bh_enable();
}

/**
 * siw_mem_revoke() - no octet of the memory moves after this
 * @mem: memory; the caller is not between siw_mem_begin() and _end() with it
 *
 * Users run with bottom halves off on another CPU, so the wait is short.
 *
 * Context: any but hard interrupts.
 */
void siw_mem_revoke(struct siw_mem *mem)
{
	WRITE_ONCE(mem->valid, false);
	/* pairs with siw_mem_begin(): it sees this or we see the user */
	smp_mb();
	while (atomic_read(&mem->users))
		cpu_relax();
	/* what the users copied is visible before the caller reuses it */
	smp_mb();
}

/**
 * siw_mem_check_range() - is a range part of memory
 * @mem: memory
 * @to: first octet
 * @len: octets, not 0
 *
 * Context: any. Return: SIW_MEM_OK, _WRAP or _BOUNDS.
 */
enum siw_mem_fault siw_mem_check_range(const struct siw_mem *mem, u64 to,
				       u64 len)
{
	u64 off = to - mem->va;

	if (to + len < to && to + len)
		return SIW_MEM_WRAP;
	if (mem->kind == SIW_MEM_DMA)
		return SIW_MEM_OK;
	if (to < mem->va || off > mem->len || len > mem->len - off)
		return SIW_MEM_BOUNDS;
	return SIW_MEM_OK;
}

/**
 * siw_mem_check() - may a range be accessed
 * @mem: memory
 * @qp: the accessing queue pair
 * @to: first octet
 * @len: octets, not 0
 * @access: IB_ACCESS_* right needed, 0 for local reading
 *
 * Order of checks as in RFC 5041 7.1: association, rights, wrap, bounds; the
 * arithmetic is unsigned 64 bit throughout. Windows are for peers: they
 * have remote rights alone, and reading here takes none. The null region is
 * anybody's, but for peers.
 *
 * Context: any.
 * Return: SIW_MEM_OK or what is wrong.
 */
enum siw_mem_fault siw_mem_check(const struct siw_mem *mem,
				 const struct ib_qp *qp, u64 to, u64 len,
				 u32 access)
{
	if (unlikely(mem->kind == SIW_MEM_NULL))
		return access & SIW_ACCESS_REMOTE ? SIW_MEM_BAD_STAG :
		       SIW_MEM_OK;
	if (mem->pd != qp->pd || (mem->qp && mem->qp != qp))
		return SIW_MEM_BAD_PD;
	if (mem->kind == SIW_MEM_WINDOW && !access)
		return SIW_MEM_BAD_ACCESS;
	if ((READ_ONCE(mem->access) & access) != access)
		return SIW_MEM_BAD_ACCESS;
	return siw_mem_check_range(mem, to, len);
}

/*
 * Where octet @to lies; @run is cut to the octets that follow it without a
 * gap. Neighbouring pages are one run where the kernel maps them so.
 */
static void *mem_at(const struct siw_mem *mem, u64 to, u32 *run)
{
	u64 off;
	u32 idx, in_page, n;
	u8 *p;

	if (mem->kind == SIW_MEM_DMA)
		return (void *)(uintptr_t)to;
	off = to - mem->va + mem->first_off;
	idx = off >> PAGE_SHIFT;
	in_page = off & ~PAGE_MASK;
	if (unlikely(mem->kind == SIW_MEM_ODP)) {
		*run = min_t(u32, *run, PAGE_SIZE - in_page);
		return siw_odp_page(mem->odp, off >> PAGE_SHIFT) + in_page;
	}
	/* a peer, or a process, has chosen it */
	idx = array_index_nospec(idx, mem->num_pages);
	p = mem->kva[idx];
	n = PAGE_SIZE - in_page;
	while (n < *run && idx + 1 < mem->num_pages &&
	       mem->kva[idx + 1] == mem->kva[idx] + PAGE_SIZE) {
		n += PAGE_SIZE;
		idx++;
	}
	*run = min(*run, n);
	return p + in_page;
}

/**
 * siw_mem_ptr() - kernel address of one octet
 * @mem: checked memory
 * @to: its tagged offset
 *
 * Context: between siw_mem_begin() and _end(). Return: the address; good to
 * the end of the page.
 */
void *siw_mem_ptr(const struct siw_mem *mem, u64 to)
{
	u32 run = 1;

	return mem_at(mem, to, &run);
}

/**
 * siw_mem_lend() - take a reference on the page of some octets
 * @mem: checked memory
 * @to: tagged offset of the first
 * @off: set to its place in the page
 * @len: octets; cut to those that lie in the page
 *
 * The page outlives the region. Only memory that somebody has pinned is lent:
 * other pages may be TCP's own, or a slab's.
 *
 * Context: between siw_mem_begin() and _end(). Return: the page, to be put, or
 * NULL if the octets must be copied.
 */
struct page *siw_mem_lend(const struct siw_mem *mem, u64 to, u32 *off,
			  u32 *len)
{
	struct page *page;
	void *p;

	if (!mem->lendable)
		return NULL;
	p = mem_at(mem, to, len);
	page = virt_to_page(p);
	if (unlikely(PageSlab(page)))
		return NULL;
	*off = offset_in_page(p);
	*len = min_t(u32, *len, PAGE_SIZE - *off);
	get_page(page);
	return page;
}

/**
 * siw_mem_copy_to() - place octets
 * @mem: memory
 * @to: tagged offset of the first; the range was checked, and is present
 * @src: octets
 * @len: number of octets
 *
 * Context: between siw_mem_begin() and _end().
 */
void siw_mem_copy_to(const struct siw_mem *mem, u64 to, const void *src,
		     u32 len)
{
	if (unlikely(mem->kind == SIW_MEM_NULL))
		return;
	while (len) {
		u32 n = len;
		void *p = mem_at(mem, to, &n);

		memcpy(p, src, n);
		src += n;
		to += n;
		len -= n;
	}
}

/**
 * siw_mem_room() - how far memory goes
 * @mem: memory
 * @to: tagged offset of an octet that was checked
 *
 * Context: any. Return: octets from @to to its end.
 */
u64 siw_mem_room(const struct siw_mem *mem, u64 to)
{
	if (mem->kind == SIW_MEM_DMA)
		return U64_MAX - to;
	return mem->va + mem->len - to;
}

/**
 * siw_mem_span_next() - find the next octets of a span
 * @s: span, @s->left is not 0
 *
 * The null region reads as the page of zeros.
 *
 * Context: between siw_mem_begin() and _end().
 */
void siw_mem_span_next(struct siw_mem_span *s)
{
	s->run = min_t(u64, s->left, SZ_64K);
	if (unlikely(s->mem->kind == SIW_MEM_NULL)) {
		s->p = page_address(ZERO_PAGE(0));
		s->run = min_t(u32, s->run, PAGE_SIZE);
	} else {
		s->p = mem_at(s->mem, s->to, &s->run);
	}
}

static enum siw_mem_fault mem_may_invalidate(const struct siw_mem *mem,
					     const struct ib_qp *qp,
					     bool remote)
{
	if (mem->kind == SIW_MEM_NULL)
		return SIW_MEM_BAD_STAG;
	if (mem->pd != qp->pd || (mem->qp && mem->qp != qp))
		return SIW_MEM_BAD_PD;
	if (mem->inval == SIW_INVAL_NEVER)
		return SIW_MEM_BAD_STAG;
	/* a peer must not take away what others still use (RFC 5040 8.1.1) */
	if (mem->inval == SIW_INVAL_ALONE &&
	    (!remote || siw_pd_conns(qp->pd) > 1))
		return SIW_MEM_BAD_STAG;
	if (remote && !(mem->access & SIW_ACCESS_REMOTE))
		return SIW_MEM_BAD_ACCESS;
	return SIW_MEM_OK;
}

/* Windows give their region free; a region with windows stays (RFC 5040). */
static bool mem_void(struct siw_mem *mem, u32 stag)
{
	if (mem->kind == SIW_MEM_WINDOW)
		return siw_mw_invalidate(mem, stag);
	if (mem->inval == SIW_INVAL_ALONE && !siw_mem_close_windows(mem))
		return false;
	siw_mem_revoke(mem);
	return true;
}

/*
 * A kernel user that maps other pages, and posts a LOCAL_INV in front of the
 * registration, means the mapping that is void already.
 */
static enum siw_mem_fault mem_inval_remapped(const struct ib_qp *qp, u32 stag)
{
	enum siw_mem_fault rv = SIW_MEM_BAD_STAG;
	struct siw_mem *mem;

	rcu_read_lock();
	mem = siw_mem_find(to_siw_dev(qp->device), stag);
	if (mem && READ_ONCE(mem->stag) == stag && mem->pd == qp->pd &&
	    xchg(&mem->remapped, 0))
		rv = SIW_MEM_OK;
	rcu_read_unlock();
	return rv;
}

/**
 * siw_mem_invalidate() - revoke an STag by its number
 * @qp: queue pair that asks, or whose peer asks
 * @stag: the STag
 * @remote: a peer asks: it must have had a remote right
 *
 * Context: softirq or process, not between siw_mem_begin() and _end().
 * Return: SIW_MEM_OK, _BAD_STAG (unknown, invalid or not invalidatable),
 * _BAD_PD, _BAD_ACCESS.
 */
enum siw_mem_fault siw_mem_invalidate(const struct ib_qp *qp, u32 stag,
				      bool remote)
{
	struct siw_mem *mem = siw_mem_begin(to_siw_dev(qp->device), stag, NULL);
	enum siw_mem_fault rv;

	if (!mem)
		return remote ? SIW_MEM_BAD_STAG : mem_inval_remapped(qp, stag);
	/* keeps the object from being freed while we wait */
	rcu_read_lock();
	rv = mem_may_invalidate(mem, qp, remote);
	siw_mem_end(mem);
	if (rv == SIW_MEM_OK && !mem_void(mem, stag))
		rv = SIW_MEM_BAD_STAG;
	rcu_read_unlock();
	return rv;
}
