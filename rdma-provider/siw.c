// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Device and context: which devices are ours, what an open one can do.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl.h>

#include "siw.h"

/* Where the kernel pages on demand, it does for atomics as well */
static void add_odp_atomics(struct ibv_device_attr_ex *attr, size_t size)
{
	if (size >= offsetof(struct ibv_device_attr_ex, odp_caps) +
		    sizeof(attr->odp_caps) &&
	    attr->odp_caps.general_caps & IBV_ODP_SUPPORT)
		attr->odp_caps.per_transport_caps.rc_odp_caps |=
			IBV_ODP_SUPPORT_ATOMIC;
}

static int siw_query_device_ex(struct ibv_context *context,
			       const struct ibv_query_device_ex_input *input,
			       struct ibv_device_attr_ex *attr,
			       size_t attr_size)
{
	struct ib_uverbs_ex_query_device_resp resp = {};
	size_t resp_size = sizeof(resp);
	uint64_t fw;
	int ret;

	ret = ibv_cmd_query_device_any(context, input, attr, attr_size, &resp,
				       &resp_size);
	if (ret)
		return ret;
	/* the kernel states what version 1 rings have room for */
	if (siw_has(context, SIW_FEAT_EXT_QP))
		attr->orig_attr.max_sge = SIW_EXT_MAX_SEND_SGE;
	/* done with the CPU's own atomic instructions */
	if (siw_has(context, SIW_FEAT_ATOMIC))
		attr->orig_attr.atomic_cap = IBV_ATOMIC_GLOB;
	if (siw_has(context, SIW_FEAT_DM) &&
	    attr_size >= offsetof(struct ibv_device_attr_ex, max_dm_size) +
			 sizeof(attr->max_dm_size))
		attr->max_dm_size = SIW_EXT_MAX_DM;
	if (siw_has(context, SIW_FEAT_ATOMIC))
		add_odp_atomics(attr, attr_size);
	fw = resp.base.fw_ver;
	snprintf(attr->orig_attr.fw_ver, sizeof(attr->orig_attr.fw_ver),
		 "%u.%u.%u", (unsigned int)(fw >> 32) & 0xffff,
		 (unsigned int)(fw >> 16) & 0xffff, (unsigned int)fw & 0xffff);
	return 0;
}

static int siw_query_port(struct ibv_context *context, uint8_t port,
			  struct ibv_port_attr *attr)
{
	struct ibv_query_port cmd;

	return ibv_cmd_query_port(context, port, attr, &cmd, sizeof(cmd));
}

/* Completion timestamps are CLOCK_MONOTONIC, hence so is the device's clock */
static int siw_query_rt_values(struct ibv_context *context,
			       struct ibv_values_ex *values)
{
	uint32_t wanted = values->comp_mask;

	values->comp_mask = 0;
	if (wanted & IBV_VALUES_MASK_RAW_CLOCK) {
		if (!siw_has(context, SIW_FEAT_CQ_TS))
			return EOPNOTSUPP;
		if (clock_gettime(CLOCK_MONOTONIC, &values->raw_clock))
			return errno;
		values->comp_mask |= IBV_VALUES_MASK_RAW_CLOCK;
	}
	return 0;
}

static void siw_free_context(struct ibv_context *context)
{
	struct siw_context *ctx = to_siw_ctx(context);

	verbs_uninit_context(&ctx->vctx);
	free(ctx);
}

static const struct verbs_context_ops siw_ops = {
	.advise_mr = siw_advise_mr,
	.alloc_dm = siw_alloc_dm,
	.alloc_mw = siw_alloc_mw,
	.alloc_null_mr = siw_alloc_null_mr,
	.alloc_parent_domain = siw_alloc_parent_domain,
	.alloc_pd = siw_alloc_pd,
	.alloc_td = siw_alloc_td,
	.bind_mw = siw_bind_mw,
	.create_cq = siw_create_cq,
	.create_cq_ex = siw_create_cq_ex,
	.create_qp = siw_create_qp,
	.create_qp_ex = siw_create_qp_ex,
	.create_srq = siw_create_srq,
	.create_srq_ex = siw_create_srq_ex,
	.dealloc_mw = siw_dealloc_mw,
	.dealloc_pd = siw_dealloc_pd,
	.dealloc_td = siw_dealloc_td,
	.dereg_mr = siw_dereg_mr,
	.destroy_cq = siw_destroy_cq,
	.destroy_qp = siw_destroy_qp,
	.destroy_srq = siw_destroy_srq,
	.free_context = siw_free_context,
	.free_dm = siw_free_dm,
	.import_dm = siw_import_dm,
	.import_mr = siw_import_mr,
	.import_pd = siw_import_pd,
	.modify_cq = siw_modify_cq,
	.modify_qp = siw_modify_qp,
	.modify_srq = siw_modify_srq,
	.poll_cq = siw_poll_cq,
	.post_recv = siw_post_recv,
	.post_send = siw_post_send,
	.post_srq_recv = siw_post_srq_recv,
	.query_device_ex = siw_query_device_ex,
	.query_port = siw_query_port,
	.query_qp = siw_query_qp,
	.query_rt_values = siw_query_rt_values,
	.query_srq = siw_query_srq,
	.reg_dm_mr = siw_reg_dm_mr,
	.reg_dmabuf_mr = siw_reg_dmabuf_mr,
	.reg_mr = siw_reg_mr,
	.req_notify_cq = siw_req_notify_cq,
	.rereg_mr = siw_rereg_mr,
	.resize_cq = siw_resize_cq,
	.unimport_dm = siw_unimport_dm,
	.unimport_mr = siw_unimport_mr,
	.unimport_pd = siw_unimport_pd,
};

static struct siw_context *siw_new_context(struct ibv_device *device,
					   int cmd_fd)
{
	uintptr_t off = offsetof(struct siw_context, vctx);

	return _verbs_init_and_alloc_context(device, cmd_fd,
					     sizeof(struct siw_context),
					     (struct verbs_context *)off,
					     RDMA_DRIVER_SIW);
}

static struct verbs_context *siw_alloc_context(struct ibv_device *device,
					       int cmd_fd, void *private_data)
{
	struct siw_get_context_resp resp = {};
	struct ibv_get_context cmd;
	struct siw_context *ctx;

	(void)private_data;
	ctx = siw_new_context(device, cmd_fd);
	if (!ctx)
		return NULL;
#if SIW_PABI >= 57
	if (ibv_cmd_get_context(&ctx->vctx, &cmd, sizeof(cmd), NULL,
				&resp.core, sizeof(resp)))
		goto uninit;
#else
	if (ibv_cmd_get_context(&ctx->vctx, &cmd, sizeof(cmd), &resp.core,
				sizeof(resp)))
		goto uninit;
#endif
	ctx->features = resp.drv.pad;
	verbs_set_ops(&ctx->vctx, &siw_ops);
	return &ctx->vctx;

uninit:
	verbs_uninit_context(&ctx->vctx);
	free(ctx);
	return NULL;
}

/*
 * The features of an imported context. QUERY_CONTEXT has no room for driver
 * bytes, only for attributes, so that it takes an ioctl of our own.
 */
static uint32_t siw_imported_features(int cmd_fd)
{
	struct siw_uresp_alloc_ctx resp = {};
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attr[1];
	} cmd = {
		.hdr = {
			.length = sizeof(cmd),
			.object_id = UVERBS_OBJECT_DEVICE,
			.method_id = UVERBS_METHOD_QUERY_CONTEXT,
			.num_attrs = 1,
			.driver_id = RDMA_DRIVER_SIW,
		},
		.attr[0] = {
			.attr_id = SIW_ATTR_QUERY_CONTEXT_RESP,
			.len = sizeof(resp),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = (uintptr_t)&resp,
		},
	};

	if (ioctl(cmd_fd, RDMA_VERBS_IOCTL, &cmd))
		return 0;
	return resp.pad;
}

static struct verbs_context *siw_import_context(struct ibv_device *device,
						int cmd_fd)
{
	struct siw_context *ctx;

	ctx = siw_new_context(device, cmd_fd);
	if (!ctx)
		return NULL;
	if (ibv_cmd_query_context(&ctx->vctx.context, NULL)) {
		verbs_uninit_context(&ctx->vctx);
		free(ctx);
		return NULL;
	}
	ctx->features = siw_imported_features(cmd_fd);
	verbs_set_ops(&ctx->vctx, &siw_ops);
	return &ctx->vctx;
}

static struct verbs_device *siw_alloc_device(struct verbs_sysfs_dev *sysfs_dev)
{
	(void)sysfs_dev;
	return calloc(1, sizeof(struct verbs_device));
}

static void siw_uninit_device(struct verbs_device *device)
{
	free(device);
}

static const struct verbs_match_ent siw_match[] = {
	{
		.kind = VERBS_MATCH_DRIVER_ID,
		.u.driver_id = RDMA_DRIVER_SIW,
	},
	{ .kind = VERBS_MATCH_SENTINEL },
};

static const struct verbs_device_ops siw_dev_ops = {
	.name = "siw",
	.match_min_abi_version = SIW_ABI_VERSION,
	.match_max_abi_version = SIW_ABI_VERSION,
	.match_table = siw_match,
	.alloc_context = siw_alloc_context,
	.import_context = siw_import_context,
	.alloc_device = siw_alloc_device,
	.uninit_device = siw_uninit_device,
};

static __attribute__((constructor)) void siw_register(void)
{
	verbs_register_driver(&siw_dev_ops);
}
