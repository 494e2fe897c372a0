// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The RNIC as the RDMA core sees it: operations, attributes, birth and death.
 */
#include <linux/moduleparam.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/net_namespace.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/siw-abi.h>
#include "cm.h"
#include "compat/verbs.h"
#include "counter.h"
#include "cq.h"
#include "dm.h"
#include "device.h"
#include "mr.h"
#include "mw.h"
#include "netdev.h"
#include "odp.h"
#include "pd.h"
#include "qp.h"
#include "restrack.h"
#include "srq.h"
#include "stats.h"
#include "ucontext.h"
#include "version.h"

/* What libibverbs and ibv_devinfo know this vendor as */
#define SIW_VENDOR_ID		0x626d74

static void siw_query_odp(struct ib_device_attr *attr)
{
	if (!SIW_ODP_OFFERED)
		return;
	/* atomics are added by a provider that can post them */
	attr->kernel_cap_flags |= IBK_ON_DEMAND_PAGING;
	attr->odp_caps.general_caps = IB_ODP_SUPPORT | IB_ODP_SUPPORT_IMPLICIT;
	attr->odp_caps.per_transport_caps.rc_odp_caps =
		IB_ODP_SUPPORT_SEND | IB_ODP_SUPPORT_RECV |
		IB_ODP_SUPPORT_WRITE | IB_ODP_SUPPORT_READ |
		IB_ODP_SUPPORT_SRQ_RECV;
}

static int siw_query_device(struct ib_device *ibdev,
			    struct ib_device_attr *attr,
			    struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(ibdev);

	if (udata->inlen || udata->outlen)
		return -EINVAL;

	attr->fw_ver = SIW_FW_VER;
	attr->sys_image_guid = ibdev->node_guid;
	attr->vendor_id = SIW_VENDOR_ID;
	attr->vendor_part_id = sdev->part_id;
	attr->device_cap_flags = IB_DEVICE_MEM_MGT_EXTENSIONS |
				 IB_DEVICE_MEM_WINDOW |
				 IB_DEVICE_MEM_WINDOW_TYPE_2B;
	attr->kernel_cap_flags = IBK_ALLOW_USER_UNREG;
	attr->page_size_cap = PAGE_SIZE;
	attr->max_mr_size = U64_MAX;
	attr->max_mr = SIW_MAX_MR;
	attr->max_mw = SIW_MAX_MW;
	attr->max_pd = SIW_MAX_PD;
	attr->max_qp = SIW_MAX_QP;
	attr->max_qp_wr = SIW_MAX_QP_WR;
	attr->max_send_sge = SIW_MAX_SGE;
	attr->max_recv_sge = SIW_MAX_SGE;
	attr->max_sge_rd = 1;
	attr->max_cq = SIW_MAX_CQ;
	attr->max_cqe = SIW_MAX_CQE;
	attr->max_srq = SIW_MAX_SRQ;
	attr->max_srq_wr = SIW_MAX_SRQ_WR;
	attr->max_srq_sge = SIW_MAX_SGE;
	attr->max_qp_rd_atom = SIW_MAX_IRD;
	attr->max_qp_init_rd_atom = SIW_MAX_ORD;
	attr->max_res_rd_atom = SIW_MAX_QP * SIW_MAX_IRD;
	/* a version 1 provider cannot post any; ours knows better */
	attr->atomic_cap = IB_ATOMIC_NONE;
	attr->max_fast_reg_page_list_len = SIW_MAX_FMR_PAGES;
	attr->max_pkeys = 1;
	attr->cq_caps.max_cq_moderation_count = SIW_MAX_CQ_COUNT;
	attr->cq_caps.max_cq_moderation_period = SIW_MAX_CQ_PERIOD;
	/* timestamps are CLOCK_MONOTONIC in ns; the unit here is kHz */
	attr->timestamp_mask = U64_MAX;
	attr->hca_core_clock = 1000000;
	siw_query_odp(attr);
	return 0;
}

/* Width and speed of the slowest IB link that is no slower. */
static void siw_ib_speed(u32 mbps, struct ib_port_attr *attr)
{
	static const struct {
		u32 mbps;
		u8 width;
		u16 speed;
	} rates[] = {
		{ 2500, IB_WIDTH_1X, IB_SPEED_SDR },
		{ 5000, IB_WIDTH_1X, IB_SPEED_DDR },
		{ 10000, IB_WIDTH_1X, IB_SPEED_FDR10 },
		{ 25000, IB_WIDTH_1X, IB_SPEED_EDR },
		{ 40000, IB_WIDTH_4X, IB_SPEED_FDR10 },
		{ 50000, IB_WIDTH_1X, IB_SPEED_HDR },
		{ 100000, IB_WIDTH_4X, IB_SPEED_EDR },
		{ 200000, IB_WIDTH_4X, IB_SPEED_HDR },
		{ 400000, IB_WIDTH_4X, IB_SPEED_NDR },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rates) - 1; i++)
		if (mbps <= rates[i].mbps)
			break;
	attr->active_width = rates[i].width;
	attr->active_speed = rates[i].speed;
}

/*
 * The core has filled in the MTU. Its idea of the state wants an IPv4
 * address; a link that has only IPv6 is just as good.
 */
static int siw_query_port(struct ib_device *ibdev, u32 port,
			  struct ib_port_attr *attr)
{
	struct siw_device *sdev = to_siw_dev(ibdev);

	if (siw_link_up(sdev)) {
		attr->state = IB_PORT_ACTIVE;
		attr->phys_state = IB_PORT_PHYS_STATE_LINK_UP;
	} else {
		attr->state = IB_PORT_DOWN;
		attr->phys_state = IB_PORT_PHYS_STATE_DISABLED;
	}
	attr->gid_tbl_len = SIW_GID_TBL_LEN;
	attr->pkey_tbl_len = 1;
	attr->max_msg_sz = SIW_MAX_MSG;
	attr->max_vl_num = 1;
	attr->port_cap_flags = IB_PORT_CM_SUP;
	siw_ib_speed(READ_ONCE(sdev->speed), attr);
	return 0;
}

static int siw_port_immutable(struct ib_device *ibdev, u32 port,
			      struct ib_port_immutable *attr)
{
	attr->gid_tbl_len = SIW_GID_TBL_LEN;
	attr->pkey_tbl_len = 1;
	attr->core_cap_flags = RDMA_CORE_PORT_IWARP;
	return 0;
}

static int siw_query_pkey(struct ib_device *ibdev, u32 port, u16 index,
			  u16 *pkey)
{
	if (index)
		return -EINVAL;
	*pkey = 0xffff;
	return 0;
}

static void siw_fw_str(struct ib_device *ibdev, char *str)
{
	strscpy(str, SIW_VERSION, IB_FW_VERSION_NAME_MAX);
}

/*
 * Last word of the core, when no client, user object or caller is left:
 * connections may still be closing.
 */
static void siw_dealloc_driver(struct ib_device *ibdev)
{
	struct siw_device *sdev = to_siw_dev(ibdev);

	siw_link_exit(sdev);
	siw_cm_device_down(sdev);
	WARN_ON_ONCE(!xa_empty(&sdev->qps));
	xa_destroy(&sdev->qps);
	siw_mem_exit_null(sdev);
	WARN_ON_ONCE(!xa_empty(&sdev->mems));
	xa_destroy(&sdev->mems);
	WARN_ON_ONCE(!xa_empty(&sdev->counters));
	xa_destroy(&sdev->counters);
	siw_stats_exit(sdev);
	netdev_put(sdev->netdev, &sdev->netdev_ref);
}

static const struct ib_device_ops siw_device_ops = {
	.owner = THIS_MODULE,
	.uverbs_abi_ver = SIW_ABI_VERSION,
	.driver_id = RDMA_DRIVER_SIW,
	.device_group = &siw_opts_group,

	.advise_mr = siw_advise_mr,
	.alloc_dm = siw_alloc_dm,
	.alloc_hw_port_stats = siw_alloc_hw_port_stats,
	.alloc_mr = siw_alloc_mr,
	.alloc_mw = siw_alloc_mw,
	.alloc_pd = siw_alloc_pd,
	.alloc_ucontext = siw_alloc_ucontext,
	.counter_alloc_stats = siw_counter_alloc_stats,
	.counter_bind_qp = siw_counter_bind_qp,
	.counter_dealloc = siw_counter_dealloc,
	.counter_unbind_qp = siw_counter_unbind_qp,
	.counter_update_stats = siw_counter_update_stats,
	.create_cq = compat_create_cq,
	.create_qp = siw_create_qp,
	.create_srq = siw_create_srq,
	.dealloc_dm = siw_dealloc_dm,
	.dealloc_driver = siw_dealloc_driver,
	.dealloc_mw = siw_dealloc_mw,
	.dealloc_pd = siw_dealloc_pd,
	.dealloc_ucontext = siw_dealloc_ucontext,
	.dereg_mr = siw_dereg_mr,
	.destroy_cq = siw_destroy_cq,
	.destroy_qp = siw_destroy_qp,
	.destroy_srq = siw_destroy_srq,
	.disassociate_ucontext = siw_disassociate_ucontext,
	.fill_res_cq_entry = siw_fill_res_cq,
	.fill_res_mr_entry = siw_fill_res_mr,
	.fill_res_qp_entry = siw_fill_res_qp,
	COMPAT_RES_SRQ_OP(siw_fill_res_srq)
	.get_dev_fw_str = siw_fw_str,
	.get_dma_mr = siw_get_dma_mr,
	.get_hw_stats = siw_get_hw_stats,
	.get_netdev = siw_get_netdev,
	.get_port_immutable = siw_port_immutable,
	.iw_accept = siw_accept,
	.iw_add_ref = siw_iw_add_ref,
	.iw_connect = siw_connect,
	.iw_create_listen = siw_create_listen,
	.iw_destroy_listen = siw_destroy_listen,
	.iw_get_qp = siw_iw_get_qp,
	.iw_reject = siw_reject,
	.iw_rem_ref = siw_iw_rem_ref,
	.map_mr_sg = siw_map_mr_sg,
	.mmap = siw_mmap,
	.mmap_free = siw_mmap_free,
	.modify_cq = siw_modify_cq,
	.modify_qp = siw_modify_qp,
	.modify_srq = siw_modify_srq,
	.poll_cq = siw_poll_cq,
	.post_recv = siw_post_recv,
	.post_send = siw_post_send,
	.post_srq_recv = siw_post_srq_recv,
	.query_device = siw_query_device,
	.query_gid = siw_query_gid,
	.query_pkey = siw_query_pkey,
	.query_port = siw_query_port,
	.query_qp = siw_query_qp,
	.query_srq = siw_query_srq,
	.query_ucontext = siw_query_ucontext,
	.reg_dm_mr = siw_reg_dm_mr,
	.reg_user_mr = siw_reg_user_mr,
	.reg_user_mr_dmabuf = compat_reg_user_mr_dmabuf,
	.req_notify_cq = siw_req_notify_cq,
	.rereg_user_mr = siw_rereg_user_mr,
	.resize_cq = siw_resize_cq,

	INIT_RDMA_OBJ_SIZE(ib_cq, siw_cq, base),
	INIT_RDMA_OBJ_SIZE(ib_mw, siw_mw, base),
	INIT_RDMA_OBJ_SIZE(ib_pd, siw_pd, base),
	INIT_RDMA_OBJ_SIZE(ib_qp, siw_qp, base),
	INIT_RDMA_OBJ_SIZE(ib_srq, siw_srq, base),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, siw_ucontext, base),
};

/**
 * siw_device_net() - namespace in which a device has its sockets
 * @sdev: device
 *
 * Context: any. The answer is old as soon as the netdev moves.
 * Return: the netdev's namespace, not referenced.
 */
struct net *siw_device_net(struct siw_device *sdev)
{
	return dev_net(sdev->netdev);
}

/**
 * siw_device_get_net() - namespace for a new socket of a device
 * @sdev: device
 *
 * Sockets of the kernel do not keep their namespace: none is to be made in one that
 * is going.
 *
 * Context: any.
 * Return: the netdev's namespace with a reference, or NULL if it is going.
 */
struct net *siw_device_get_net(struct siw_device *sdev)
{
	struct net *net;

	/* the netdev may leave it meanwhile, and then nothing else keeps it */
	rcu_read_lock();
	net = maybe_get_net(siw_device_net(sdev));
	rcu_read_unlock();
	return net;
}

/*
 * The core puts a new device in the first namespace. Where namespaces don't
 * share devices it belongs in its netdev's; where they do, a device outside
 * of the first one could not be seen there.
 */
static void siw_device_place(struct siw_device *sdev)
{
	struct net *net = siw_device_net(sdev);

	if (!rdma_dev_access_netns(&sdev->base, net))
		write_pnet(&sdev->base.coredev.rdma_net, net);
}

static void siw_device_setup(struct siw_device *sdev,
			     struct net_device *netdev)
{
	static atomic_t last_part_id = ATOMIC_INIT(0);
	struct ib_device *base = &sdev->base;

	sdev->netdev = netdev;
	netdev_hold(netdev, &sdev->netdev_ref, GFP_KERNEL);
	sdev->part_id = atomic_inc_return(&last_part_id);
	siw_opts_default(&sdev->opts);
	INIT_LIST_HEAD(&sdev->node);
	xa_init_flags(&sdev->qps, XA_FLAGS_LOCK_IRQ);
	xa_init(&sdev->mems);
	atomic_long_set(&sdev->mems_gen, 1);
	xa_init_flags(&sdev->counters, XA_FLAGS_ALLOC1);
	spin_lock_init(&sdev->ep_lock);
	INIT_LIST_HEAD(&sdev->eps);
	init_waitqueue_head(&sdev->ep_wait);
	siw_gid_init(sdev);
	siw_link_init(sdev);

	base->node_type = RDMA_NODE_RNIC;
	base->phys_port_cnt = 1;
	base->driver_def = siw_uapi_defs;
	base->num_comp_vectors = num_possible_cpus();
	base->dev.parent = netdev->dev.parent;
	base->uverbs_cmd_mask |= BIT_ULL(IB_USER_VERBS_CMD_POST_SEND);
	siw_opts_apply(sdev);
	strscpy(base->iw_ifname, netdev->name, sizeof(base->iw_ifname));
	strscpy(base->node_desc, SIW_NODE_DESC_COMMON,
		sizeof(base->node_desc));
	addrconf_addr_eui48((u8 *)&base->node_guid, sdev->gids.gid[0].raw);
	siw_device_place(sdev);
	ib_set_device_ops(base, &siw_device_ops);
}

/**
 * siw_device_create() - make a device that nobody sees yet
 * @netdev: network device under it
 *
 * Context: process. ib_dealloc_device() undoes it.
 * Return: the device, or NULL without memory.
 */
struct siw_device *siw_device_create(struct net_device *netdev)
{
	struct siw_device *sdev = ib_alloc_device(siw_device, base);

	if (!sdev)
		return NULL;
	siw_device_setup(sdev, netdev);
	if (siw_stats_init(sdev) || siw_mem_init_null(sdev)) {
		ib_dealloc_device(&sdev->base);
		return NULL;
	}
	return sdev;
}

/**
 * siw_device_register() - show a device to the world
 * @sdev: from siw_device_create(); still the caller's on error
 * @name: name wanted
 *
 * The netdev must be known before the core registers the device, or its GID
 * cache stays empty.
 *
 * Context: process, RTNL not held.
 * Return: 0, -ENFILE if the name is taken, or what the core reports.
 */
int siw_device_register(struct siw_device *sdev, const char *name)
{
	int err;

	err = ib_device_set_netdev(&sdev->base, sdev->netdev, SIW_PORT);
	if (err)
		return err;
	return ib_register_device(&sdev->base, name, NULL);
}
