// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Memory regions: of processes, of all kernel memory, and for fast
 * registration.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <rdma/ib_umem.h>
#include <rdma/siw-abi.h>
#include <rdma/uverbs_ioctl.h>

#include "device.h"
#include "dmabuf.h"
#include "mr.h"
#include "odp.h"
#include "ucontext.h"

/**
 * siw_mr_alloc() - a region that has no STag yet
 * @pd: protection domain
 * @kind: what it will hold
 * @max_pages: pages there is to be room for
 *
 * Context: process. Return: the region or an ERR_PTR of -ENOMEM.
 */
struct siw_mr *siw_mr_alloc(struct ib_pd *pd, enum siw_mem_kind kind,
			    u32 max_pages)
{
	struct siw_device *sdev = to_siw_dev(pd->device);
	struct siw_mem *mem;
	struct siw_mr *mr;

	if (!siw_count_get(&sdev->num_mr, SIW_MAX_MR))
		return ERR_PTR(-ENOMEM);
	mr = kzalloc(sizeof(*mr), GFP_KERNEL_ACCOUNT);
	mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	if (!mr || !mem)
		goto err_free;
	if (max_pages) {
		mem->kva = kvcalloc(max_pages, sizeof(*mem->kva),
				    GFP_KERNEL_ACCOUNT);
		if (!mem->kva)
			goto err_free;
	}
	mem->max_pages = max_pages;
	mem->kind = kind;
	mem->pd = pd;
	mr->mem = mem;
	return mr;

err_free:
	kfree(mem);
	kfree(mr);
	atomic_dec(&sdev->num_mr);
	return ERR_PTR(-ENOMEM);
}

/**
 * siw_mr_free() - free a region that never got an STag
 * @mr: from siw_mr_alloc()
 *
 * Context: process.
 */
void siw_mr_free(struct siw_mr *mr)
{
	struct siw_device *sdev = to_siw_dev(mr->mem->pd->device);

	if (mr->mem->odp) {
		siw_odp_put(mr->mem->odp);
	} else {
		kvfree(mr->mem->kva);
		kfree(mr->mem);
	}
	kfree(mr);
	atomic_dec(&sdev->num_mr);
}

static int mr_publish(struct siw_device *sdev, struct siw_mr *mr, int key)
{
	int rv = siw_mem_insert(sdev, mr->mem, key);

	if (rv)
		return rv;
	mr->base.lkey = mr->mem->stag;
	mr->base.rkey = mr->mem->stag;
	return 0;
}

static void mr_set_rights(struct siw_mem *mem, int access, u64 iova)
{
	mem->access = access;
	mem->va = access & IB_ZERO_BASED ? 0 : iova;
}

/**
 * siw_mr_list_linear() - fill a region's page list
 * @mr: region with room for pages
 * @kva: kernel address of the first of as many pages in a row
 *
 * Context: any.
 */
void siw_mr_list_linear(struct siw_mr *mr, void *kva)
{
	struct siw_mem *mem = mr->mem;

	for (; mem->num_pages < mem->max_pages; kva += PAGE_SIZE)
		mem->kva[mem->num_pages++] = kva;
}

/**
 * siw_mr_open() - give a process's region an STag
 * @mr: region that lists its pages; freed on error, with all it holds
 * @access: rights
 * @iova: tagged offset of its first octet
 *
 * Context: process. Return: the region or an ERR_PTR as siw_mem_insert().
 */
struct ib_mr *siw_mr_open(struct siw_mr *mr, int access, u64 iova)
{
	int rv;

	mr_set_rights(mr->mem, access, iova);
	mr->mem->inval = SIW_INVAL_ALONE;
	mr->mem->valid = true;
	rv = mr_publish(to_siw_dev(mr->mem->pd->device), mr, -1);
	if (!rv)
		return &mr->base;
	if (mr->dmabuf)
		siw_dmabuf_put(mr);
	siw_mr_free(mr);
	return ERR_PTR(rv);
}

/**
 * siw_get_dma_mr() - ib_device_ops.get_dma_mr: all memory of the kernel
 * @pd: protection domain
 * @access: rights
 *
 * Context: process. Return: the region or an ERR_PTR.
 */
struct ib_mr *siw_get_dma_mr(struct ib_pd *pd, int access)
{
	struct siw_device *sdev = to_siw_dev(pd->device);
	struct siw_mr *mr = siw_mr_alloc(pd, SIW_MEM_DMA, 0);
	int rv;

	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->mem->access = access;
	mr->mem->len = U64_MAX;
	mr->mem->valid = true;
	rv = mr_publish(sdev, mr, -1);
	if (rv) {
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	return &mr->base;
}

/**
 * struct mr_pages - pinned pages of a process
 * @umem: what pins them
 * @kva: their kernel addresses
 * @num: how many
 */
struct mr_pages {
	struct ib_umem *umem;
	void **kva;
	u32 num;
};

static void mr_list_pages(struct mr_pages *p, u32 max)
{
	struct sg_page_iter it;

	for_each_sgtable_page(&p->umem->sgt_append.sgt, &it, 0) {
		if (p->num == max)
			break;
		p->kva[p->num++] = page_address(sg_page_iter_page(&it));
	}
}

static void mr_unpin(struct mr_pages *p)
{
	if (!p->umem)
		return;
	ib_umem_release(p->umem);
	kvfree(p->kva);
}

/* Pages of a range of the calling process; errors as siw_reg_user_mr(). */
static int mr_pin(struct ib_device *ibdev, u64 start, u64 len, int access,
		  struct mr_pages *p)
{
	u64 end, pages;

	if (!len || check_add_overflow(start, len, &end) ||
	    PAGE_ALIGN(end) < end)
		return -EINVAL;
	pages = (PAGE_ALIGN(end) - (start & PAGE_MASK)) >> PAGE_SHIFT;
	if (pages > U32_MAX)
		return -EINVAL;
	p->umem = ib_umem_get(ibdev, start, len, access);
	if (IS_ERR(p->umem)) {
		int rv = PTR_ERR(p->umem);

		p->umem = NULL;
		return rv;
	}
	/* now that RLIMIT_MEMLOCK has judged how many: a length is but a number */
	p->num = 0;
	p->kva = kvcalloc(pages, sizeof(*p->kva),
			  GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!p->kva) {
		ib_umem_release(p->umem);
		p->umem = NULL;
		return -ENOMEM;
	}
	mr_list_pages(p, pages);
	return 0;
}

/* Nobody may use the region now. @p gets the pages it had before. */
static void mr_swap_pages(struct siw_mr *mr, struct mr_pages *p)
{
	struct siw_mem *mem = mr->mem;

	swap(mr->umem, p->umem);
	swap(mem->kva, p->kva);
	mem->num_pages = p->num;
	mem->len = mr->umem->length;
	mem->first_off = ib_umem_offset(mr->umem);
	mem->lendable = true;
}

static int mr_user_key(struct ib_udata *udata)
{
	struct siw_ureq_reg_mr req = {};

	if (udata->inlen < sizeof(req) ||
	    udata->outlen < sizeof(struct siw_uresp_reg_mr))
		return -EINVAL;
	if (ib_copy_from_udata(&req, udata, sizeof(req)))
		return -EFAULT;
	/* a provider that does not care sends 0 and gets a random key */
	return req.stag_key ? req.stag_key : -ENOKEY;
}

static int mr_answer(struct siw_mr *mr, struct ib_udata *udata)
{
	struct siw_uresp_reg_mr resp = { .stag = mr->mem->stag };

	return ib_copy_to_udata(udata, &resp, sizeof(resp));
}

/* With its STag, and the answer. Everything is undone on error. */
static struct ib_mr *mr_open_user(struct siw_mr *mr, int key,
				  struct ib_udata *udata)
{
	int rv;

	mr->mem->inval = SIW_INVAL_ALONE;
	rv = mr_publish(to_siw_dev(mr->mem->pd->device), mr, key);
	if (rv) {
		if (mr->umem)
			ib_umem_release(mr->umem);
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	rv = mr_answer(mr, udata);
	if (rv) {
		siw_dereg_mr(&mr->base, NULL);
		return ERR_PTR(rv);
	}
	/* not before: with a window bound to it there would be no way back */
	smp_store_release(&mr->mem->valid, true);
	return &mr->base;
}

/* Nothing is pinned or even looked at yet; a whole address space may do. */
static struct ib_mr *mr_reg_odp(struct ib_pd *pd, u64 start, u64 len, u64 iova,
				int access, int key, struct ib_udata *udata)
{
	bool all = !start && len == U64_MAX;
	struct siw_mr *mr;
	u64 end;
	int rv;

	if (access & ~SIW_ODP_ACCESS || !SIW_ODP_OFFERED)
		return ERR_PTR(-EOPNOTSUPP);
	if (!len || (!all && (check_add_overflow(start, len, &end) ||
			      PAGE_ALIGN(end) < end)))
		return ERR_PTR(-EINVAL);
	mr = siw_mr_alloc(pd, SIW_MEM_ODP, 0);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	rv = siw_odp_create(rdma_udata_to_drv_context(udata,
						      struct siw_ucontext,
						      base),
			    mr->mem, start, len, ib_access_writable(access));
	if (rv) {
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	mr_set_rights(mr->mem, access, iova);
	mr->mem->len = len;
	return mr_open_user(mr, key, udata);
}

/**
 * siw_reg_user_mr() - ib_device_ops.reg_user_mr
 * @pd: protection domain
 * @start: address in the process
 * @len: octets
 * @iova: tagged offset of the first octet
 * @access: rights
 * @udata: driver bytes
 *
 * With IB_ACCESS_ON_DEMAND see odp.c: no memory windows then.
 *
 * Context: process.
 * Return: the region or an ERR_PTR: -EINVAL for an empty or wrapping range
 * or too few driver bytes, with IB_ACCESS_ON_DEMAND for one that no process can
 * have; -EOPNOTSUPP for rights unknown or a kernel user, -ENOMEM, or what pinning
 * said.
 */
struct ib_mr *siw_reg_user_mr(struct ib_pd *pd, u64 start, u64 len, u64 iova,
			      int access, struct ib_udata *udata)
{
	struct mr_pages pages = {};
	struct siw_mr *mr;
	int key, rv;

	if (!udata || access & ~(SIW_MR_ACCESS | IB_ACCESS_ON_DEMAND))
		return ERR_PTR(-EOPNOTSUPP);
	if (!siw_mr_iova_ok(iova, len))
		return ERR_PTR(-EINVAL);
	key = mr_user_key(udata);
	if (key < 0 && key != -ENOKEY)
		return ERR_PTR(key);
	if (access & IB_ACCESS_ON_DEMAND)
		return mr_reg_odp(pd, start, len, iova, access, key, udata);
	mr = siw_mr_alloc(pd, SIW_MEM_PAGES, 0);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	siw_ring_reap(udata);
	rv = mr_pin(pd->device, start, len, access, &pages);
	if (rv) {
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	mr_set_rights(mr->mem, access, iova);
	mr_swap_pages(mr, &pages);
	return mr_open_user(mr, key, udata);
}

/* Do pages have to be pinned anew for what @flags change? */
static bool mr_wants_pages(const struct siw_mr *mr, int flags, int access)
{
	if (flags & IB_MR_REREG_TRANS)
		return true;
	return flags & IB_MR_REREG_ACCESS && ib_access_writable(access) &&
	       !mr->umem->writable;
}

/**
 * siw_rereg_user_mr() - ib_device_ops.rereg_user_mr
 * @base: region of a process; keeps its STag
 * @flags: IB_MR_REREG_* bits: what changes
 * @start: new address in the process
 * @len: new length
 * @iova: new tagged offset of the first octet
 * @access: new rights
 * @pd: new protection domain
 * @udata: request of the process
 *
 * On error the region is what it was. Peers that use it meanwhile fail.
 *
 * Context: process.
 * Return: NULL, or an ERR_PTR: -EBUSY while windows are bound to it,
 * -EOPNOTSUPP for rights unknown or memory that is not pinned here, else as
 * siw_reg_user_mr().
 */
struct ib_mr *siw_rereg_user_mr(struct ib_mr *base, int flags, u64 start,
				u64 len, u64 iova, int access,
				struct ib_pd *pd, struct ib_udata *udata)
{
	struct siw_mr *mr = to_siw_mr(base);
	struct siw_mem *mem = mr->mem;
	struct mr_pages pages = {};
	bool repin;
	int rv;

	if (!mr->umem || (flags & IB_MR_REREG_ACCESS && access & ~SIW_MR_ACCESS))
		return ERR_PTR(-EOPNOTSUPP);
	if (!(flags & IB_MR_REREG_ACCESS))
		access = mem->access;
	if (!(flags & IB_MR_REREG_TRANS)) {
		start = mr->umem->address;
		len = mr->umem->length;
		iova = base->iova;
	}
	if (!siw_mr_iova_ok(iova, len))
		return ERR_PTR(-EINVAL);
	repin = mr_wants_pages(mr, flags, access);
	if (repin) {
		siw_ring_reap(udata);
		rv = mr_pin(base->device, start, len, access, &pages);
		if (rv)
			return ERR_PTR(rv);
	}
	if (!siw_mem_close_windows(mem)) {
		mr_unpin(&pages);
		return ERR_PTR(-EBUSY);
	}
	siw_mem_revoke(mem);
	mr_set_rights(mem, access, iova);
	mem->pd = pd;
	if (repin)
		mr_swap_pages(mr, &pages);
	atomic_set(&mem->windows, 0);
	/* all of it before who finds the region valid */
	smp_store_release(&mem->valid, true);
	mr_unpin(&pages);
	return NULL;
}

static int mr_may_advise(struct siw_device *sdev, const struct ib_pd *pd,
			 const struct ib_sge *sge, u32 right)
{
	struct siw_mem *mem = siw_mem_begin(sdev, sge->lkey, NULL);
	int rv = 0;

	if (!mem)
		return -ENOENT;
	if (mem->kind == SIW_MEM_WINDOW || mem->kind == SIW_MEM_NULL)
		rv = -EINVAL;
	else if (mem->pd != pd || (mem->access & right) != right)
		rv = -EPERM;
	else if (sge->length &&
		 siw_mem_check_range(mem, sge->addr, sge->length))
		rv = -EFAULT;
	siw_mem_end(mem);
	return rv;
}

/*
 * What is pinned is there already. Else it is read in before this returns,
 * also when the caller would not wait for it, who then hears of no failure.
 */
static int mr_advise(struct siw_device *sdev, const struct ib_pd *pd,
		     const struct ib_sge *sge, u32 right, bool fault,
		     bool flush)
{
	struct siw_mem_want want = {
		.stag = sge->lkey,
		.to = sge->addr,
		.len = sge->length,
	};
	int rv = mr_may_advise(sdev, pd, sge, right);

	if (rv)
		return rv;
	rv = siw_odp_fetch(sdev, &want, fault);
	/* who is being killed is not kept by the rest of a long list */
	return flush || rv == -EINTR ? rv : 0;
}

/**
 * siw_advise_mr() - ib_device_ops.advise_mr
 * @pd: protection domain
 * @advice: a prefetch
 * @flags: IB_UVERBS_ADVISE_MR_FLAG_FLUSH or 0
 * @sg_list: what will be used
 * @num_sge: elements
 * @attrs: not used
 *
 * Context: process.
 * Return: 0, -EOPNOTSUPP for another advice, -ENOENT for an STag unknown,
 * -EPERM for one of another domain, or a prefetch for writing without the
 * right, -EFAULT out of bounds or with nothing there, -EINVAL for what is no region,
 * -EINTR if the caller is being killed.
 */
int siw_advise_mr(struct ib_pd *pd, enum ib_uverbs_advise_mr_advice advice,
		  u32 flags, struct ib_sge *sg_list, u32 num_sge,
		  struct uverbs_attr_bundle *attrs)
{
	bool fault = advice != IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT;
	bool flush = flags & IB_UVERBS_ADVISE_MR_FLAG_FLUSH;
	u32 right = 0;
	u32 i;
	int rv;

	switch (advice) {
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_WRITE:
		right = IB_ACCESS_LOCAL_WRITE;
		break;
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH:
	case IB_UVERBS_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT:
		break;
	default:
		return -EOPNOTSUPP;
	}
	for (i = 0; i < num_sge; i++) {
		rv = mr_advise(to_siw_dev(pd->device), pd, &sg_list[i], right,
			       fault, flush);
		if (rv)
			return rv;
	}
	return 0;
}

/**
 * siw_alloc_mr() - ib_device_ops.alloc_mr: a region for fast registration
 * @pd: protection domain
 * @type: IB_MR_TYPE_MEM_REG
 * @max_sg: pages it may hold
 *
 * Context: process. Return: the region, invalid until registered; an ERR_PTR.
 */
struct ib_mr *siw_alloc_mr(struct ib_pd *pd, enum ib_mr_type type, u32 max_sg)
{
	struct siw_device *sdev = to_siw_dev(pd->device);
	struct siw_mr *mr;
	int rv;

	if (type != IB_MR_TYPE_MEM_REG)
		return ERR_PTR(-EOPNOTSUPP);
	if (!max_sg || max_sg > SIW_MAX_FMR_PAGES)
		return ERR_PTR(-EINVAL);
	mr = siw_mr_alloc(pd, SIW_MEM_PAGES, max_sg);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->mem->inval = SIW_INVAL_ALWAYS;
	rv = mr_publish(sdev, mr, -1);
	if (rv) {
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	return &mr->base;
}

static int mr_set_page(struct ib_mr *base, u64 addr)
{
	struct siw_mem *mem = to_siw_mr(base)->mem;

	if (mem->num_pages == mem->max_pages)
		return -ENOMEM;
	mem->kva[mem->num_pages++] = (void *)(uintptr_t)addr;
	return 0;
}

/**
 * siw_map_mr_sg() - ib_device_ops.map_mr_sg
 * @base: region from siw_alloc_mr(); not valid from now on
 * @sg: pages, mapped for a device without DMA: by kernel address
 * @nents: entries of @sg
 * @offset: of the first octet, updated
 *
 * Context: any. Return: entries mapped, or -EINVAL for foreign page sizes.
 */
int siw_map_mr_sg(struct ib_mr *base, struct scatterlist *sg, int nents,
		  unsigned int *offset)
{
	struct siw_mem *mem = to_siw_mr(base)->mem;

	if (base->page_size != PAGE_SIZE)
		return -EINVAL;
	/* peers that still hold the STag must not see the list change */
	if (READ_ONCE(mem->valid)) {
		siw_mem_revoke(mem);
		/* the invalidation may be posted with the next registration */
		WRITE_ONCE(mem->remapped, 1);
	}
	mem->num_pages = 0;
	return ib_sg_to_pages(base, sg, nents, offset, mr_set_page);
}

/**
 * siw_mr_fast_reg() - execute a registration work request
 * @mr: region, mapped by siw_map_mr_sg()
 * @key: STag it gets: index as before, new key
 * @access: rights
 *
 * Context: the sender of a kernel QP. Return: 0 or -EINVAL.
 */
int siw_mr_fast_reg(struct siw_mr *mr, u32 key, u32 access)
{
	struct siw_mem *mem = mr->mem;

	if (mem->inval != SIW_INVAL_ALWAYS || READ_ONCE(mem->valid) ||
	    (key ^ mem->stag) >> 8 || !mem->num_pages)
		return -EINVAL;
	mem->va = mr->base.iova;
	mem->first_off = mr->base.iova & ~PAGE_MASK;
	mem->len = mr->base.length;
	mem->access = access;
	WRITE_ONCE(mem->remapped, 0);
	WRITE_ONCE(mem->stag, key);
	/* all of it before who finds the region valid */
	smp_store_release(&mem->valid, true);
	return 0;
}

/**
 * siw_dereg_mr() - ib_device_ops.dereg_mr
 * @base: region
 * @udata: not used
 *
 * When it returns, no octet of the region is read or written any more.
 *
 * Context: process. Return: 0, -EBUSY while memory windows are bound to it.
 */
int siw_dereg_mr(struct ib_mr *base, struct ib_udata *udata)
{
	struct siw_mr *mr = to_siw_mr(base);
	struct siw_device *sdev = mr->mem->sdev;

	if (!siw_mem_close_windows(mr->mem))
		return -EBUSY;
	siw_mem_remove(mr->mem);
	if (mr->umem)
		ib_umem_release(mr->umem);
	if (mr->dmabuf)
		siw_dmabuf_put(mr);
	kfree(mr);
	atomic_dec(&sdev->num_mr);
	return 0;
}
