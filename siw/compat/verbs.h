/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Verbs entry points whose type differs between versions. Only device.c
 * includes this, for its table of operations.
 */
#ifndef _SIW_COMPAT_VERBS_H
#define _SIW_COMPAT_VERBS_H

#include <linux/version.h>
#include <rdma/ib_verbs.h>
#include <rdma/uverbs_ioctl.h>
#include "../cq.h"
#include "../dmabuf.h"
#include "../restrack.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)

static inline int compat_create_cq(struct ib_cq *cq,
				   const struct ib_cq_init_attr *attr,
				   struct uverbs_attr_bundle *attrs)
{
	return siw_create_cq(cq, attr, attrs ? &attrs->driver_udata : NULL);
}

#else

#define compat_create_cq siw_create_cq

#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define COMPAT_REG_DMABUF_DATA	struct uverbs_attr_bundle *
#else
#define COMPAT_REG_DMABUF_DATA	struct ib_udata *
#endif

static inline struct ib_mr *
compat_reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 len, u64 iova,
			  int fd, int access, COMPAT_REG_DMABUF_DATA unused)
{
	return siw_dmabuf_reg(pd, offset, len, iova, fd, access);
}

/* Drivers may describe an SRQ to restrack from 6.11 on */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define COMPAT_RES_SRQ_OP(fn) .fill_res_srq_entry = (fn),
#else
#define COMPAT_RES_SRQ_OP(fn)
#endif

#endif
