// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Device memory: what a NIC would have on its board is kernel memory here,
 * which its process maps and peers reach by a region of it.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <rdma/uverbs_ioctl.h>
#include <siw_ext_abi.h>

#include "device.h"
#include "dm.h"
#include "mr.h"
#include "ucontext.h"

static bool dm_charge(struct siw_device *sdev, size_t size)
{
	if (atomic_long_add_return(size, &sdev->dm_used) <= SIW_EXT_MAX_DM)
		return true;
	atomic_long_sub(size, &sdev->dm_used);
	return false;
}

static int dm_expose(struct siw_dm *dm, struct uverbs_attr_bundle *attrs)
{
	u64 key;
	int rv;

	rv = siw_ring_expose(dm->ring, &key);
	if (rv)
		return rv;
	rv = uverbs_copy_to(attrs, SIW_ATTR_ALLOC_DM_KEY, &key, sizeof(key));
	return IS_UVERBS_COPY_ERR(rv) ? rv : 0;
}

/**
 * siw_alloc_dm() - ib_device_ops.alloc_dm
 * @ibdev: device
 * @ctx: context of the process
 * @attr: octets, binary logarithm of their alignment
 * @attrs: attributes of the call
 *
 * Context: process.
 * Return: the memory, zeroed, or an ERR_PTR: -EINVAL for no octets or more
 * than a page's alignment, -ENOMEM, also if the device has no more.
 */
struct ib_dm *siw_alloc_dm(struct ib_device *ibdev, struct ib_ucontext *ctx,
			   struct ib_dm_alloc_attr *attr,
			   struct uverbs_attr_bundle *attrs)
{
	struct siw_device *sdev = to_siw_dev(ibdev);
	struct siw_dm *dm;
	int rv;

	if (!attr->length || attr->alignment > PAGE_SHIFT)
		return ERR_PTR(-EINVAL);
	if (attr->length > SIW_EXT_MAX_DM)
		return ERR_PTR(-ENOMEM);
	dm = kzalloc(sizeof(*dm), GFP_KERNEL);
	if (!dm)
		return ERR_PTR(-ENOMEM);
	dm->length = attr->length;
	dm->size = PAGE_ALIGN(attr->length);
	siw_ring_reap(&attrs->driver_udata);
	if (!dm_charge(sdev, dm->size)) {
		rv = -ENOMEM;
		goto err_free;
	}
	dm->ring = siw_ring_alloc(&attrs->driver_udata, dm->size);
	if (IS_ERR(dm->ring)) {
		rv = PTR_ERR(dm->ring);
		goto err_charge;
	}
	/* which gives it back when the memory is free indeed */
	dm->ring->used = &sdev->dm_used;
	dm->mem = dm->ring->mem;
	rv = dm_expose(dm, attrs);
	if (!rv)
		return &dm->base;
	siw_ring_free(dm->ring);
	goto err_free;

err_charge:
	atomic_long_sub(dm->size, &sdev->dm_used);
err_free:
	kfree(dm);
	return ERR_PTR(rv);
}

/**
 * siw_query_dm() - what a process needs to import device memory
 * @attrs: attributes of the call
 *
 * Context: process. Return: 0, or what the copy said.
 */
int siw_query_dm(struct uverbs_attr_bundle *attrs)
{
	struct ib_dm *base = uverbs_attr_get_obj(attrs,
						 SIW_ATTR_QUERY_DM_HANDLE);
	struct siw_dm *dm;
	u64 key;
	int rv;

	if (IS_ERR(base))
		return PTR_ERR(base);
	dm = to_siw_dm(base);
	key = rdma_user_mmap_get_offset(&dm->ring->entry);
	rv = uverbs_copy_to(attrs, SIW_ATTR_QUERY_DM_KEY, &key, sizeof(key));
	if (rv)
		return rv;
	return uverbs_copy_to(attrs, SIW_ATTR_QUERY_DM_LENGTH, &dm->length,
			      sizeof(dm->length));
}

/**
 * siw_dealloc_dm() - ib_device_ops.dealloc_dm
 * @base: memory without regions; pages a process has mapped live on
 * @attrs: not used
 *
 * Context: process. Return: 0.
 */
int siw_dealloc_dm(struct ib_dm *base, struct uverbs_attr_bundle *attrs)
{
	struct siw_dm *dm = to_siw_dm(base);

	siw_ring_free(dm->ring);
	kfree(dm);
	return 0;
}

/**
 * siw_reg_dm_mr() - ib_device_ops.reg_dm_mr
 * @pd: protection domain
 * @base: device memory
 * @attr: range of it, which the core has checked, and rights
 * @attrs: not used
 *
 * Tagged offsets of the region begin with 0. One of no octets is good for
 * nothing, but applications try.
 *
 * Context: process.
 * Return: the region or an ERR_PTR: -EOPNOTSUPP for rights unknown, -ENOMEM.
 */
struct ib_mr *siw_reg_dm_mr(struct ib_pd *pd, struct ib_dm *base,
			    struct ib_dm_mr_attr *attr,
			    struct uverbs_attr_bundle *attrs)
{
	u64 first = attr->offset & PAGE_MASK;
	struct siw_mr *mr;

	if (attr->access_flags & ~SIW_MR_ACCESS)
		return ERR_PTR(-EOPNOTSUPP);
	mr = siw_mr_alloc(pd, SIW_MEM_PAGES,
			  (PAGE_ALIGN(attr->offset + attr->length) - first) >>
			  PAGE_SHIFT);
	if (IS_ERR(mr))
		return ERR_CAST(mr);
	siw_mr_list_linear(mr, to_siw_dm(base)->mem + first);
	mr->mem->first_off = attr->offset - first;
	mr->mem->len = attr->length;
	return siw_mr_open(mr, attr->access_flags, 0);
}
