/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Memory regions of dma-bufs.
 */
#ifndef _SIW_DMABUF_H
#define _SIW_DMABUF_H

#include <rdma/ib_verbs.h>

struct siw_mr;

struct ib_mr *siw_dmabuf_reg(struct ib_pd *pd, u64 offset, u64 len, u64 iova,
			     int fd, int access);
void siw_dmabuf_put(struct siw_mr *mr);

#endif
