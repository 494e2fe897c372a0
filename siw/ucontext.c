// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * User contexts, and how a process gets at the rings of its queues.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <rdma/siw-abi.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/uverbs_ioctl.h>
#include "device.h"
#include "dm.h"
#include "pager.h"
#include "ucontext.h"

#define UVERBS_MODULE_NAME siw
#include <rdma/uverbs_named_ioctl.h>

/* Page offset that user space takes for "no ring" */
#define SIW_NO_RING_PGOFF	(SIW_INVAL_UOBJ_KEY >> PAGE_SHIFT)

static struct siw_ring *to_siw_ring(struct rdma_user_mmap_entry *entry)
{
	return container_of(entry, struct siw_ring, entry);
}

/* How soon after its queue a ring is looked at, and how often from then on. */
#define REAP_SOON		(HZ / 10)
#define REAP_PERIOD		HZ

/*
 * Rings are pages that cannot be swapped: they count against RLIMIT_MEMLOCK as
 * registered memory does, or one process could take all that there is.
 */
static int ring_charge(struct siw_ring *ring)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long pages = DIV_ROUND_UP(ring->size, PAGE_SIZE);
	struct mm_struct *mm = current->mm;

	if (atomic64_add_return(pages, &mm->pinned_vm) > limit &&
	    !capable(CAP_IPC_LOCK)) {
		atomic64_sub(pages, &mm->pinned_vm);
		return -ENOMEM;
	}
	mmgrab(mm);
	ring->mm = mm;
	return 0;
}

static void ring_release(struct siw_ring *ring)
{
	vfree(ring->mem);
	if (ring->mm) {
		atomic64_sub(DIV_ROUND_UP(ring->size, PAGE_SIZE),
			     &ring->mm->pinned_vm);
		mmdrop(ring->mm);
	}
	if (ring->used)
		atomic_long_sub(ring->size, ring->used);
	kfree(ring);
}

/*
 * Somebody but us has a page of it: mapped, or for I/O. Without a key no more
 * can come to that.
 */
static bool ring_in_use(const struct siw_ring *ring)
{
	size_t off;

	for (off = 0; off < ring->size; off += PAGE_SIZE)
		if (page_count(vmalloc_to_page(ring->mem + off)) > 1)
			return true;
	return false;
}

/* Frees what is not in use, or everything; true if some is left. */
static bool ring_reap(struct siw_ucontext *uctx, bool all)
{
	struct siw_ring *ring, *next;
	bool left;

	mutex_lock(&uctx->lock);
	list_for_each_entry_safe(ring, next, &uctx->stale, stale) {
		if (!all && ring_in_use(ring))
			continue;
		list_del(&ring->stale);
		ring_release(ring);
	}
	left = !list_empty(&uctx->stale);
	mutex_unlock(&uctx->lock);
	return left;
}

static void ring_reap_work(struct work_struct *work)
{
	struct siw_ucontext *uctx = container_of(to_delayed_work(work),
						 struct siw_ucontext, reap);

	if (ring_reap(uctx, false))
		queue_delayed_work(siw_wq, &uctx->reap, REAP_PERIOD);
}

/* Its pages cannot be taken away, and go on to count for who had them. */
static void ring_keep(struct siw_ring *ring)
{
	struct siw_ucontext *uctx = ring->uctx;

	mutex_lock(&uctx->lock);
	list_add_tail(&ring->stale, &uctx->stale);
	mutex_unlock(&uctx->lock);
	/* providers unmap a ring right after they have destroyed its queue */
	mod_delayed_work(siw_wq, &uctx->reap, REAP_SOON);
}

/**
 * siw_ring_reap() - free the rings of former queues that are unmapped by now
 * @udata: request of the process, before its limits are looked at
 *
 * Context: process.
 */
void siw_ring_reap(struct ib_udata *udata)
{
	struct siw_ucontext *uctx;

	uctx = rdma_udata_to_drv_context(udata, struct siw_ucontext, base);
	/* what this process has destroyed, this process sees */
	if (!list_empty_careful(&uctx->stale))
		ring_reap(uctx, false);
}

/**
 * siw_ring_alloc() - memory of a queue
 * @udata: request of the process that creates the queue, NULL: a kernel user
 * @size: octets
 *
 * Context: process.
 * Return: the ring, its siw_ring.mem zeroed, or -ENOMEM as a pointer, also
 * beyond what the process may pin.
 */
struct siw_ring *siw_ring_alloc(struct ib_udata *udata, size_t size)
{
	struct siw_ring *ring = kzalloc(sizeof(*ring), GFP_KERNEL);

	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring->size = size;
	init_completion(&ring->unused);
	if (udata) {
		siw_ring_reap(udata);
		ring->uctx = rdma_udata_to_drv_context(udata,
						       struct siw_ucontext,
						       base);
		/* before the memory: nobody gets more than is his, even briefly */
		if (ring_charge(ring))
			goto err;
	}
	ring->mem = vmalloc_user(size);
	if (ring->mem)
		return ring;
err:
	ring_release(ring);
	return ERR_PTR(-ENOMEM);
}

/* Gives the ring a key, but never the one that means "no ring". */
static int ring_insert(struct siw_ring *ring)
{
	struct ib_ucontext *ctx = &ring->uctx->base;

	if (!rdma_user_mmap_entry_insert_range(ctx, &ring->entry, ring->size,
					       0, SIW_NO_RING_PGOFF - 1))
		return 0;
	return rdma_user_mmap_entry_insert_range(ctx, &ring->entry, ring->size,
						 SIW_NO_RING_PGOFF + 1,
						 U32_MAX);
}

/**
 * siw_ring_expose() - let a process map a ring
 * @ring: of a queue of that process; a mapping must be as long as it is, in
 *	pages
 * @key: offset to be passed to mmap
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int siw_ring_expose(struct siw_ring *ring, u64 *key)
{
	int err = ring_insert(ring);

	if (err)
		return err;
	ring->exposed = true;
	*key = rdma_user_mmap_get_offset(&ring->entry);
	return 0;
}

/**
 * siw_ring_free() - take a ring's key back, free the ring
 * @ring: from siw_ring_alloc(), or NULL
 *
 * A mmap() under way is waited for. A ring that is mapped lives on until it
 * is not, or its user context ends, and is still charged: mapping it and then
 * destroying its queue must not be a way to memory without limit.
 *
 * Context: process.
 */
void siw_ring_free(struct siw_ring *ring)
{
	if (!ring)
		return;
	if (ring->exposed) {
		rdma_user_mmap_entry_remove(&ring->entry);
		wait_for_completion(&ring->unused);
		if (ring_in_use(ring)) {
			ring_keep(ring);
			return;
		}
	}
	ring_release(ring);
}

/**
 * siw_mmap_free() - verbs entry point: the last user of an entry is gone
 * @entry: entry of a ring
 *
 * Context: process.
 */
void siw_mmap_free(struct rdma_user_mmap_entry *entry)
{
	complete(&to_siw_ring(entry)->unused);
}

/**
 * siw_mmap() - verbs entry point: map a ring
 * @ctx: context of the process
 * @vma: shared mapping, its offset a key
 *
 * The mapping gets no operations of this module and holds nothing of it: the
 * pages outlive queue, device and module.
 *
 * Context: process.
 * Return: 0, or -EINVAL if the offset is no key, the length is not the ring's
 * or the mapping is private.
 */
int siw_mmap(struct ib_ucontext *ctx, struct vm_area_struct *vma)
{
	struct rdma_user_mmap_entry *entry;
	int err;

	entry = rdma_user_mmap_entry_get(ctx, vma);
	if (!entry)
		return -EINVAL;
	err = remap_vmalloc_range(vma, to_siw_ring(entry)->mem, 0);
	rdma_user_mmap_entry_put(entry);
	return err;
}

static struct siw_uresp_alloc_ctx ctx_answer(const struct siw_device *sdev)
{
	return (struct siw_uresp_alloc_ctx) {
		.dev_id = sdev->part_id,
		.pad = SIW_FEATURES,
	};
}

/**
 * siw_alloc_ucontext() - verbs entry point: a process opens the device
 * @ctx: context, allocated by the core
 * @udata: room for the answer
 *
 * Context: process.
 * Return: 0; -EINVAL if there is no room for the answer of ABI 1, -ENOMEM at
 * the device's limit, -EFAULT.
 */
int siw_alloc_ucontext(struct ib_ucontext *ctx, struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(ctx->device);
	struct siw_uresp_alloc_ctx resp = ctx_answer(sdev);
	struct siw_ucontext *uctx = to_siw_uctx(ctx);
	int err;

	mutex_init(&uctx->lock);
	mutex_init(&uctx->poll_lock);
	INIT_LIST_HEAD(&uctx->stale);
	INIT_DELAYED_WORK(&uctx->reap, ring_reap_work);
	if (udata->outlen < sizeof(resp))
		return -EINVAL;
	if (!siw_count_get(&sdev->num_ctx, SIW_MAX_UCONTEXT))
		return -ENOMEM;
	err = ib_copy_to_udata(udata, &resp, sizeof(resp));
	if (err)
		atomic_dec(&sdev->num_ctx);
	return err;
}

/**
 * siw_dealloc_ucontext() - verbs entry point: a process is done
 * @ctx: context without objects
 *
 * A mapping holds the process's open device, and that the context. If rings
 * are mapped all the same the device is going, and their pages live on.
 *
 * Context: process.
 */
void siw_dealloc_ucontext(struct ib_ucontext *ctx)
{
	struct siw_ucontext *uctx = to_siw_uctx(ctx);

	WARN_ON_ONCE(uctx->poller);
	cancel_delayed_work_sync(&uctx->reap);
	ring_reap(uctx, true);
	if (uctx->pager)
		siw_pager_put(uctx->pager);
	atomic_dec(&to_siw_dev(ctx->device)->num_ctx);
}

/**
 * siw_disassociate_ucontext() - verbs entry point: device goes, process stays
 * @ctx: context that loses its objects
 *
 * Present so that the core may do it; rings stay mapped as plain memory.
 *
 * Context: process.
 */
void siw_disassociate_ucontext(struct ib_ucontext *ctx)
{
}

/**
 * siw_query_ucontext() - verbs entry point: a process imports a context
 * @ctx: the context
 * @attrs: attributes of the call
 *
 * Context: process.
 * Return: 0, or -EFAULT.
 */
int siw_query_ucontext(struct ib_ucontext *ctx,
		       struct uverbs_attr_bundle *attrs)
{
	struct siw_uresp_alloc_ctx resp = ctx_answer(to_siw_dev(ctx->device));
	int err;

	err = uverbs_copy_to_struct_or_zero(attrs, SIW_ATTR_QUERY_CONTEXT_RESP,
					    &resp, sizeof(resp));
	return IS_UVERBS_COPY_ERR(err) ? err : 0;
}

ADD_UVERBS_ATTRIBUTES_SIMPLE(siw_query_context, UVERBS_OBJECT_DEVICE,
			     UVERBS_METHOD_QUERY_CONTEXT,
	UVERBS_ATTR_PTR_OUT(SIW_ATTR_QUERY_CONTEXT_RESP,
			    UVERBS_ATTR_STRUCT(struct siw_uresp_alloc_ctx,
					       pad),
			    UA_OPTIONAL));

ADD_UVERBS_ATTRIBUTES_SIMPLE(siw_dm_alloc, UVERBS_OBJECT_DM,
			     UVERBS_METHOD_DM_ALLOC,
	UVERBS_ATTR_PTR_OUT(SIW_ATTR_ALLOC_DM_KEY, UVERBS_ATTR_TYPE(u64),
			    UA_OPTIONAL));

static int UVERBS_HANDLER(SIW_METHOD_DM_QUERY)(struct uverbs_attr_bundle *attrs)
{
	return siw_query_dm(attrs);
}

DECLARE_UVERBS_NAMED_METHOD(SIW_METHOD_DM_QUERY,
			    UVERBS_ATTR_IDR(SIW_ATTR_QUERY_DM_HANDLE,
					    UVERBS_OBJECT_DM,
					    UVERBS_ACCESS_READ, UA_MANDATORY),
			    UVERBS_ATTR_PTR_OUT(SIW_ATTR_QUERY_DM_KEY,
						UVERBS_ATTR_TYPE(u64),
						UA_MANDATORY),
			    UVERBS_ATTR_PTR_OUT(SIW_ATTR_QUERY_DM_LENGTH,
						UVERBS_ATTR_TYPE(u64),
						UA_MANDATORY));

ADD_UVERBS_METHODS(siw_dm_query, UVERBS_OBJECT_DM,
		   &UVERBS_METHOD(SIW_METHOD_DM_QUERY));

/* What the core's uverbs ioctls know beyond its own attributes. */
const struct uapi_definition siw_uapi_defs[] = {
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DM, &siw_dm_alloc),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DM, &siw_dm_query),
	UAPI_DEF_CHAIN_OBJ_TREE(UVERBS_OBJECT_DEVICE, &siw_query_context),
	{},
};
