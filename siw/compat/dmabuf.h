/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Mapping of dma-bufs into the kernel: who takes the reservation lock changed.
 * Only dmabuf.c includes this.
 */
#ifndef _SIW_COMPAT_DMABUF_H
#define _SIW_COMPAT_DMABUF_H

#include <linux/dma-buf.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define compat_dma_buf_vmap	dma_buf_vmap
#define compat_dma_buf_vunmap	dma_buf_vunmap
#else
#define compat_dma_buf_vmap	dma_buf_vmap_unlocked
#define compat_dma_buf_vunmap	dma_buf_vunmap_unlocked
#endif

#endif
