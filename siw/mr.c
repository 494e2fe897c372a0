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
#include "mr.h"

#define MR_ACCESS	(IB_ACCESS_LOCAL_WRITE | SIW_ACCESS_REMOTE | \
			 IB_ACCESS_MW_BIND | IB_ACCESS_OPTIONAL)

static struct siw_mr *mr_alloc(struct ib_pd *pd, enum siw_mem_kind kind,
			       u32 max_pages)
{
	struct siw_device *sdev = to_siw_dev(pd->device);
	struct siw_mem *mem;
	struct siw_mr *mr;

	if (!siw_count_get(&sdev->num_mr, SIW_MAX_MR))
		return ERR_PTR(-ENOMEM);
	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	mem = kzalloc(sizeof(*mem), GFP_KERNEL);
	if (!mr || !mem)
		goto err_free;
	if (max_pages) {
		mem->kva = kvcalloc(max_pages, sizeof(*mem->kva), GFP_KERNEL);
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

/* Of a region that never got an STag. */
static void mr_free(struct siw_device *sdev, struct siw_mr *mr)
{
	kvfree(mr->mem->kva);
	kfree(mr->mem);
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
	struct siw_mr *mr = mr_alloc(pd, SIW_MEM_DMA, 0);
	int rv;

	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->mem->access = access;
	mr->mem->len = U64_MAX;
	mr->mem->valid = true;
	rv = mr_publish(sdev, mr, -1);
	if (rv) {
		mr_free(sdev, mr);
		return ERR_PTR(rv);
	}
	return &mr->base;
}

static void mr_list_pages(struct siw_mem *mem, struct ib_umem *umem)
{
	struct sg_page_iter it;

	for_each_sgtable_page(&umem->sgt_append.sgt, &it, 0) {
		if (mem->num_pages == mem->max_pages)
			break;
		mem->kva[mem->num_pages++] =
			page_address(sg_page_iter_page(&it));
	}
}

static int mr_pin(struct siw_mr *mr, struct ib_pd *pd, u64 start, u64 len,
		  u64 iova, int access)
{
	struct siw_mem *mem = mr->mem;

	mr->umem = ib_umem_get(pd->device, start, len, access);
	if (IS_ERR(mr->umem))
		return PTR_ERR(mr->umem);
	mr_list_pages(mem, mr->umem);
	mem->va = iova;
	mem->len = len;
	mem->first_off = start & ~PAGE_MASK;
	mem->access = access;
	mem->inval = SIW_INVAL_ALONE;
	mem->valid = true;
	return 0;
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

/**
 * siw_reg_user_mr() - ib_device_ops.reg_user_mr
 * @pd: protection domain
 * @start: address in the process
 * @len: octets
 * @iova: tagged offset of the first octet
 * @access: rights
 * @udata: driver bytes
 *
 * Context: process.
 * Return: the region or an ERR_PTR: -EINVAL for an empty or wrapping range
 * or too few driver bytes, -EOPNOTSUPP for rights unknown, -ENOMEM, or what
 * pinning said.
 */
struct ib_mr *siw_reg_user_mr(struct ib_pd *pd, u64 start, u64 len, u64 iova,
			      int access, struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(pd->device);
	u64 end, pages;
	struct siw_mr *mr;
	int key, rv;

	if (access & ~MR_ACCESS)
		return ERR_PTR(-EOPNOTSUPP);
	if (!len || check_add_overflow(start, len, &end) ||
	    (iova + len < iova && iova + len))
		return ERR_PTR(-EINVAL);
	key = mr_user_key(udata);
	if (key < 0 && key != -ENOKEY)
		return ERR_PTR(key);
	pages = (PAGE_ALIGN(end) - (start & PAGE_MASK)) >> PAGE_SHIFT;
	if (pages > U32_MAX)
		return ERR_PTR(-EINVAL);
	mr = mr_alloc(pd, SIW_MEM_PAGES, pages);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	rv = mr_pin(mr, pd, start, len, iova, access);
	if (rv)
		goto err_free;
	rv = mr_publish(sdev, mr, key);
	if (rv)
		goto err_unpin;
	rv = mr_answer(mr, udata);
	if (rv) {
		siw_dereg_mr(&mr->base, NULL);
		return ERR_PTR(rv);
	}
	return &mr->base;

err_unpin:
	ib_umem_release(mr->umem);
err_free:
	mr_free(sdev, mr);
	return ERR_PTR(rv);
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
	mr = mr_alloc(pd, SIW_MEM_PAGES, max_sg);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	mr->mem->inval = SIW_INVAL_ALWAYS;
	rv = mr_publish(sdev, mr, -1);
	if (rv) {
		mr_free(sdev, mr);
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
 * @base: region from siw_alloc_mr(), not valid now
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
	if (READ_ONCE(mem->valid))
		siw_mem_revoke(mem);
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
	kfree(mr);
	atomic_dec(&sdev->num_mr);
	return 0;
}
