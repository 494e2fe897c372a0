// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Memory regions of dma-bufs. A device without DMA attaches to nothing: it
 * has the exporter map the buffer into the kernel, and copies.
 */
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/overflow.h>

#include "compat/dmabuf.h"
#include "dmabuf.h"
#include "mr.h"

MODULE_IMPORT_NS(DMA_BUF);

/* A buffer as the CPU sees it, for as long as the region lives. */
static int dmabuf_open(struct siw_mr *mr, struct dma_buf *buf)
{
	int rv = compat_dma_buf_vmap(buf, &mr->map);

	if (rv)
		return rv;
	rv = -EOPNOTSUPP;
	/* what is not memory has no plain copying */
	if (mr->map.is_iomem)
		goto err_unmap;
	rv = dma_buf_begin_cpu_access(buf, DMA_BIDIRECTIONAL);
	if (rv)
		goto err_unmap;
	mr->dmabuf = buf;
	return 0;

err_unmap:
	compat_dma_buf_vunmap(buf, &mr->map);
	return rv;
}

/**
 * siw_dmabuf_put() - let go of a region's dma-buf
 * @mr: region that nobody uses any more
 *
 * Context: process.
 */
void siw_dmabuf_put(struct siw_mr *mr)
{
	dma_buf_end_cpu_access(mr->dmabuf, DMA_BIDIRECTIONAL);
	compat_dma_buf_vunmap(mr->dmabuf, &mr->map);
	dma_buf_put(mr->dmabuf);
}

static int dmabuf_check(struct dma_buf *buf, u64 offset, u64 len,
			int access)
{
	u64 end;

	if (!len || check_add_overflow(offset, len, &end) || end > buf->size)
		return -EINVAL;
	/* what may not be mapped for writing is not written here either */
	if (ib_access_writable(access) && !(buf->file->f_mode & FMODE_WRITE))
		return -EACCES;
	/* whose pages may move under a mapping for the CPU, and this is no importer */
	if (dma_buf_is_dynamic(buf))
		return -EOPNOTSUPP;
	return 0;
}

static struct siw_mr *dmabuf_region(struct ib_pd *pd, struct dma_buf *buf,
				    u64 offset, u64 len)
{
	u64 first = offset & PAGE_MASK;
	struct siw_mr *mr;
	int rv;

	mr = siw_mr_alloc(pd, SIW_MEM_PAGES,
			  (PAGE_ALIGN(offset + len) - first) >> PAGE_SHIFT);
	if (IS_ERR(mr))
		return mr;
	rv = dmabuf_open(mr, buf);
	if (rv) {
		siw_mr_free(mr);
		return ERR_PTR(rv);
	}
	siw_mr_list_linear(mr, mr->map.vaddr + first);
	mr->mem->first_off = offset - first;
	mr->mem->len = len;
	return mr;
}

/**
 * siw_dmabuf_reg() - register part of a dma-buf
 * @pd: protection domain
 * @offset: of the first octet in the buffer
 * @len: octets
 * @iova: tagged offset of the first octet
 * @fd: of the calling process, names the buffer
 * @access: rights
 *
 * Context: process.
 * Return: the region or an ERR_PTR: -EBADF or -EINVAL for what is no dma-buf,
 * -EINVAL for a range outside of it, -EACCES for writing rights to one that
 * may only be read, -EOPNOTSUPP for rights unknown or a buffer that is not in
 * memory, -ENOMEM, or what its exporter said.
 */
struct ib_mr *siw_dmabuf_reg(struct ib_pd *pd, u64 offset, u64 len, u64 iova,
			     int fd, int access)
{
	struct dma_buf *buf;
	struct siw_mr *mr;
	int rv;

	if (access & ~SIW_MR_ACCESS)
		return ERR_PTR(-EOPNOTSUPP);
	if (!siw_mr_iova_ok(iova, len))
		return ERR_PTR(-EINVAL);
	buf = dma_buf_get(fd);
	if (IS_ERR(buf))
		return ERR_CAST(buf);
	rv = dmabuf_check(buf, offset, len, access);
	if (rv)
		goto err_put;
	mr = dmabuf_region(pd, buf, offset, len);
	if (IS_ERR(mr)) {
		rv = PTR_ERR(mr);
		goto err_put;
	}
	/* the buffer is the region's from here on */
	return siw_mr_open(mr, access, iova);

err_put:
	dma_buf_put(buf);
	return ERR_PTR(rv);
}
