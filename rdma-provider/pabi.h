/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The private ABI between libibverbs and a provider.
 *
 * libibverbs installs no header for it. This one states names, order, offsets
 * and sizes as measured on the libraries, and asserts each of them. One value,
 * SIW_RDMA_CORE (the rdma-core release the provider is built against), selects
 * the layout; SIW_PABI, the number in the file name and in the registration
 * symbol, follows from it, but does not identify the layout: 44 and 45 differ
 * under PABI 34, 61 and 62 under PABI 59.
 *
 *  rdma-core  PABI  ops  verbs_context  verbs_qp  comp_mask
 *  44         34    608  648            368       352
 *  45..56     34    608  648            376       360
 *  57, 58     57    608  648            376       360
 *  59..61     59    632  672            376       360
 *  62, 63     59    648  680            376       360
 *  64         64    664  696            376       360
 *  65         65    744  696            376       360	(provisional)
 *
 * The public types come from <infiniband/verbs.h>, which is why the installed
 * header must be of the selected release; their sizes are asserted, too. With
 * SIW_PABI_LAYOUT_ONLY those assertions are left out, so that the rest can be
 * checked for a release that is not installed.
 */
#ifndef SIW_PABI_H
#define SIW_PABI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>

#ifndef SIW_RDMA_CORE
#define SIW_RDMA_CORE 44
#endif

#if SIW_RDMA_CORE < 44 || SIW_RDMA_CORE > 65
#error "no layout known for this rdma-core release"
#elif SIW_RDMA_CORE <= 56
#define SIW_PABI 34
#define SIW_OPS_SIZE 608
#define SIW_VERBS_CONTEXT_SIZE 648
#elif SIW_RDMA_CORE <= 58
#define SIW_PABI 57
#define SIW_OPS_SIZE 608
#define SIW_VERBS_CONTEXT_SIZE 648
#elif SIW_RDMA_CORE <= 61
#define SIW_PABI 59
#define SIW_OPS_SIZE 632
#define SIW_VERBS_CONTEXT_SIZE 672
#elif SIW_RDMA_CORE <= 63
#define SIW_PABI 59
#define SIW_OPS_SIZE 648
#define SIW_VERBS_CONTEXT_SIZE 680
#elif SIW_RDMA_CORE <= 64
#define SIW_PABI 64
#define SIW_OPS_SIZE 664
#define SIW_VERBS_CONTEXT_SIZE 696
#else
#define SIW_PABI 65
#define SIW_OPS_SIZE 744
#define SIW_VERBS_CONTEXT_SIZE 696
#endif

#if SIW_RDMA_CORE == 44
#define SIW_QP_EX_SIZE 352
#else
#define SIW_QP_EX_SIZE 360
#endif

struct ibv_buf;
struct ibv_command_buffer;
struct ibv_comp_cntr;
struct ibv_comp_cntr_caps;
struct ibv_comp_cntr_init_attr;
struct ibv_dmah;
struct ibv_dmah_init_attr;
struct ibv_fd_arr;
struct ibv_mr_init_attr;
struct ibv_qp_attach_comp_cntr_attr;
struct verbs_create_cq_prov_attr;
struct verbs_device;
struct verbs_sysfs_dev;

/*
 * Matching and device life cycle
 */

enum verbs_match_kind {
	VERBS_MATCH_SENTINEL = 0,
	VERBS_MATCH_PCI = 1,
	VERBS_MATCH_MODALIAS = 2,
	VERBS_MATCH_DRIVER_ID = 3,
};

struct verbs_match_ent {
	void *driver_data;
	union {
		const char *modalias;
		uint64_t driver_id;
	} u;
	uint16_t vendor;
	uint16_t device;
	uint8_t kind;
};

struct verbs_device_ops {
	const char *name;
	uint32_t match_min_abi_version;
	uint32_t match_max_abi_version;
	const struct verbs_match_ent *match_table;
	const struct verbs_device_ops **static_providers;
	bool (*match_device)(struct verbs_sysfs_dev *sysfs_dev);
	struct verbs_context *(*alloc_context)(struct ibv_device *device,
					       int cmd_fd, void *private_data);
	struct verbs_context *(*import_context)(struct ibv_device *device,
						int cmd_fd);
	struct verbs_device *(*alloc_device)(struct verbs_sysfs_dev *sysfs_dev);
	void (*uninit_device)(struct verbs_device *device);
};

struct pabi_list_node {
	struct pabi_list_node *next;
	struct pabi_list_node *prev;
};

struct verbs_device {
	struct ibv_device device;
	const struct verbs_device_ops *ops;
	atomic_int refcount;
	struct pabi_list_node entry;
	struct verbs_sysfs_dev *sysfs;
	uint64_t core_support;
};

struct verbs_sysfs_dev {
	struct pabi_list_node entry;
	void *provider_data;
	const struct verbs_match_ent *match;
	unsigned int flags;
	char sysfs_name[64];
	dev_t sysfs_cdev;
	char ibdev_name[64];
	char ibdev_path[256];
	char modalias[512];
	uint64_t node_guid;
	uint32_t driver_id;
	enum ibv_node_type node_type;
	int ibdev_idx;
	uint32_t num_ports;
	uint32_t abi_ver;
	struct timespec time_created;
};

/*
 * Objects a provider embeds. The library reads members behind the public
 * object, so that each must have the full size and start zeroed.
 */

struct verbs_xrcd;

enum verbs_qp_comp_mask {
	VERBS_QP_XRCD = 1 << 0,
	VERBS_QP_EX = 1 << 1,
};

struct verbs_qp {
	union {
		struct ibv_qp qp;
		struct ibv_qp_ex qp_ex;
	};
	uint32_t comp_mask;
	struct verbs_xrcd *xrcd;
};

struct verbs_cq {
	union {
		struct ibv_cq cq;
		struct ibv_cq_ex cq_ex;
	};
};

struct verbs_srq {
	struct ibv_srq srq;
	enum ibv_srq_type srq_type;
	struct verbs_xrcd *xrcd;
	struct ibv_cq *cq;
	uint32_t srq_num;
};

enum ibv_mr_type {
	IBV_MR_TYPE_MR = 0,
	IBV_MR_TYPE_NULL_MR = 1,
	IBV_MR_TYPE_IMPORTED_MR = 2,
	IBV_MR_TYPE_DMABUF_MR = 3,
};

struct verbs_mr {
	struct ibv_mr ibv_mr;
	enum ibv_mr_type mr_type;
	int access;
};

struct verbs_dm {
	struct ibv_dm dm;
	uint32_t handle;
};

/*
 * Operations. A NULL entry leaves the library's default.
 */

struct verbs_context_ops {
	int (*advise_mr)(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
			 uint32_t flags, struct ibv_sge *sg_list,
			 uint32_t num_sge);
#if SIW_RDMA_CORE >= 64
	void *(*alloc_buf)(struct ibv_pd *pd, size_t size,
			   struct ibv_buf **buf);
#endif
	struct ibv_dm *(*alloc_dm)(struct ibv_context *context,
				   struct ibv_alloc_dm_attr *attr);
#if SIW_RDMA_CORE >= 59
	struct ibv_dmah *(*alloc_dmah)(struct ibv_context *context,
				       struct ibv_dmah_init_attr *attr);
#endif
	struct ibv_mw *(*alloc_mw)(struct ibv_pd *pd, enum ibv_mw_type type);
	struct ibv_mr *(*alloc_null_mr)(struct ibv_pd *pd);
	struct ibv_pd *(*alloc_parent_domain)(struct ibv_context *context,
					      struct ibv_parent_domain_init_attr *attr);
	struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
	struct ibv_td *(*alloc_td)(struct ibv_context *context,
				   struct ibv_td_init_attr *attr);
	void (*async_event)(struct ibv_context *context,
			    struct ibv_async_event *event);
	int (*attach_counters_point_flow)(struct ibv_counters *counters,
					  struct ibv_counter_attach_attr *attr,
					  struct ibv_flow *flow);
	int (*attach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid,
			    uint16_t lid);
	int (*bind_mw)(struct ibv_qp *qp, struct ibv_mw *mw,
		       struct ibv_mw_bind *bind);
	int (*close_xrcd)(struct ibv_xrcd *xrcd);
	void (*cq_event)(struct ibv_cq *cq);
	struct ibv_ah *(*create_ah)(struct ibv_pd *pd,
				    struct ibv_ah_attr *attr);
#if SIW_RDMA_CORE >= 65
	struct ibv_comp_cntr *(*create_comp_cntr)(struct ibv_context *context,
						  struct ibv_comp_cntr_init_attr *attr);
#endif
	struct ibv_counters *(*create_counters)(struct ibv_context *context,
						struct ibv_counters_init_attr *attr);
	struct ibv_cq *(*create_cq)(struct ibv_context *context, int cqe,
				    struct ibv_comp_channel *channel,
				    int vector);
	struct ibv_cq_ex *(*create_cq_ex)(struct ibv_context *context,
					  struct ibv_cq_init_attr_ex *attr);
	struct ibv_flow *(*create_flow)(struct ibv_qp *qp,
					struct ibv_flow_attr *attr);
	struct ibv_flow_action *(*create_flow_action_esp)(struct ibv_context *context,
							  struct ibv_flow_action_esp_attr *attr);
	struct ibv_qp *(*create_qp)(struct ibv_pd *pd,
				    struct ibv_qp_init_attr *attr);
	struct ibv_qp *(*create_qp_ex)(struct ibv_context *context,
				       struct ibv_qp_init_attr_ex *attr);
	struct ibv_rwq_ind_table *(*create_rwq_ind_table)(struct ibv_context *context,
							  struct ibv_rwq_ind_table_init_attr *attr);
	struct ibv_srq *(*create_srq)(struct ibv_pd *pd,
				      struct ibv_srq_init_attr *attr);
	struct ibv_srq *(*create_srq_ex)(struct ibv_context *context,
					 struct ibv_srq_init_attr_ex *attr);
	struct ibv_wq *(*create_wq)(struct ibv_context *context,
				    struct ibv_wq_init_attr *attr);
#if SIW_RDMA_CORE >= 59
	int (*dealloc_dmah)(struct ibv_dmah *dmah);
#endif
	int (*dealloc_mw)(struct ibv_mw *mw);
	int (*dealloc_pd)(struct ibv_pd *pd);
	int (*dealloc_td)(struct ibv_td *td);
	int (*dereg_mr)(struct verbs_mr *mr);
	int (*destroy_ah)(struct ibv_ah *ah);
#if SIW_RDMA_CORE >= 65
	int (*destroy_comp_cntr)(struct ibv_comp_cntr *cntr);
#endif
	int (*destroy_counters)(struct ibv_counters *counters);
	int (*destroy_cq)(struct ibv_cq *cq);
	int (*destroy_flow)(struct ibv_flow *flow);
	int (*destroy_flow_action)(struct ibv_flow_action *action);
	int (*destroy_qp)(struct ibv_qp *qp);
	int (*destroy_rwq_ind_table)(struct ibv_rwq_ind_table *table);
	int (*destroy_srq)(struct ibv_srq *srq);
	int (*destroy_wq)(struct ibv_wq *wq);
	int (*detach_mcast)(struct ibv_qp *qp, const union ibv_gid *gid,
			    uint16_t lid);
#if SIW_RDMA_CORE >= 62
	int (*dm_export_dmabuf_fd)(struct ibv_dm *dm);
#endif
#if SIW_RDMA_CORE >= 64
	void (*free_buf)(struct ibv_buf *buf);
#endif
	void (*free_context)(struct ibv_context *context);
	int (*free_dm)(struct ibv_dm *dm);
	int (*get_srq_num)(struct ibv_srq *srq, uint32_t *num);
	struct ibv_dm *(*import_dm)(struct ibv_context *context,
				    uint32_t handle);
	struct ibv_mr *(*import_mr)(struct ibv_pd *pd, uint32_t handle);
	struct ibv_pd *(*import_pd)(struct ibv_context *context,
				    uint32_t handle);
#if SIW_RDMA_CORE >= 65
	int (*inc_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t amount);
	int (*inc_err_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t amount);
#endif
	int (*modify_cq)(struct ibv_cq *cq, struct ibv_modify_cq_attr *attr);
	int (*modify_flow_action_esp)(struct ibv_flow_action *action,
				      struct ibv_flow_action_esp_attr *attr);
	int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
	int (*modify_qp_rate_limit)(struct ibv_qp *qp,
				    struct ibv_qp_rate_limit_attr *attr);
	int (*modify_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr,
			  int mask);
	int (*modify_wq)(struct ibv_wq *wq, struct ibv_wq_attr *attr);
	struct ibv_qp *(*open_qp)(struct ibv_context *context,
				  struct ibv_qp_open_attr *attr);
	struct ibv_xrcd *(*open_xrcd)(struct ibv_context *context,
				      struct ibv_xrcd_init_attr *attr);
	int (*poll_cq)(struct ibv_cq *cq, int num, struct ibv_wc *wc);
	int (*post_recv)(struct ibv_qp *qp, struct ibv_recv_wr *wr,
			 struct ibv_recv_wr **bad_wr);
	int (*post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr,
			 struct ibv_send_wr **bad_wr);
	int (*post_srq_ops)(struct ibv_srq *srq, struct ibv_ops_wr *wr,
			    struct ibv_ops_wr **bad_wr);
	int (*post_srq_recv)(struct ibv_srq *srq, struct ibv_recv_wr *wr,
			     struct ibv_recv_wr **bad_wr);
#if SIW_RDMA_CORE >= 65
	int (*qp_attach_comp_cntr)(struct ibv_qp *qp,
				   struct ibv_comp_cntr *cntr,
				   struct ibv_qp_attach_comp_cntr_attr *attr);
	int (*query_comp_cntr_caps)(struct ibv_context *context,
				    struct ibv_comp_cntr_caps *caps,
				    size_t size);
#endif
	int (*query_device_ex)(struct ibv_context *context,
			       const struct ibv_query_device_ex_input *input,
			       struct ibv_device_attr_ex *attr,
			       size_t attr_size);
	int (*query_ece)(struct ibv_qp *qp, struct ibv_ece *ece);
	int (*query_port)(struct ibv_context *context, uint8_t port,
			  struct ibv_port_attr *attr);
#if SIW_RDMA_CORE >= 62
	int (*query_port_speed)(struct ibv_context *context, uint32_t port,
				uint64_t *speed);
#endif
	int (*query_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
			struct ibv_qp_init_attr *init_attr);
	int (*query_qp_data_in_order)(struct ibv_qp *qp, enum ibv_wr_opcode op,
				      uint32_t flags);
	int (*query_rt_values)(struct ibv_context *context,
			       struct ibv_values_ex *values);
	int (*query_srq)(struct ibv_srq *srq, struct ibv_srq_attr *attr);
#if SIW_RDMA_CORE >= 65
	int (*read_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t *value);
#endif
	int (*read_counters)(struct ibv_counters *counters, uint64_t *values,
			     uint32_t num, uint32_t flags);
#if SIW_RDMA_CORE >= 65
	int (*read_err_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t *value);
#endif
	struct ibv_mr *(*reg_dm_mr)(struct ibv_pd *pd, struct ibv_dm *dm,
				    uint64_t offset, size_t length,
				    unsigned int access);
	struct ibv_mr *(*reg_dmabuf_mr)(struct ibv_pd *pd, uint64_t offset,
					size_t length, uint64_t iova, int fd,
					int access);
	struct ibv_mr *(*reg_mr)(struct ibv_pd *pd, void *addr, size_t length,
				 uint64_t hca_va, int access);
#if SIW_RDMA_CORE >= 59
	struct ibv_mr *(*reg_mr_ex)(struct ibv_pd *pd,
				    struct ibv_mr_init_attr *attr);
#endif
	int (*req_notify_cq)(struct ibv_cq *cq, int solicited_only);
	int (*rereg_mr)(struct verbs_mr *mr, int flags, struct ibv_pd *pd,
			void *addr, size_t length, int access);
	int (*resize_cq)(struct ibv_cq *cq, int cqe);
#if SIW_RDMA_CORE >= 65
	int (*set_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t value);
#endif
	int (*set_ece)(struct ibv_qp *qp, struct ibv_ece *ece);
#if SIW_RDMA_CORE >= 65
	int (*set_err_comp_cntr)(struct ibv_comp_cntr *cntr, uint64_t value);
#endif
	void (*unimport_dm)(struct ibv_dm *dm);
	void (*unimport_mr)(struct ibv_mr *mr);
	void (*unimport_pd)(struct ibv_pd *pd);
};

/*
 * Commands. A request is [wrapper][driver request], a response
 * [core response][driver response], without gaps; the library fills wrapper
 * and core response, and tells the driver parts by the total sizes. A wrapper
 * is the write() header followed by the core request of the kernel's header.
 */

struct pabi_hdr {
	struct ib_uverbs_cmd_hdr hdr;
};

struct pabi_ex_hdr {
	struct ib_uverbs_cmd_hdr hdr;
	struct ib_uverbs_ex_cmd_hdr ex_hdr;
};

#define PABI_WRAPPER(name, header, core) \
	struct name { \
		struct header head; \
		struct core req; \
	}

PABI_WRAPPER(ibv_get_context, pabi_hdr, ib_uverbs_get_context);
PABI_WRAPPER(ibv_query_port, pabi_hdr, ib_uverbs_query_port);
PABI_WRAPPER(ibv_alloc_pd, pabi_hdr, ib_uverbs_alloc_pd);
PABI_WRAPPER(ibv_reg_mr, pabi_hdr, ib_uverbs_reg_mr);
PABI_WRAPPER(ibv_rereg_mr, pabi_hdr, ib_uverbs_rereg_mr);
PABI_WRAPPER(ibv_alloc_mw, pabi_hdr, ib_uverbs_alloc_mw);
PABI_WRAPPER(ibv_create_cq_ex, pabi_ex_hdr, ib_uverbs_ex_create_cq);
PABI_WRAPPER(ibv_resize_cq, pabi_hdr, ib_uverbs_resize_cq);
PABI_WRAPPER(ibv_modify_cq, pabi_ex_hdr, ib_uverbs_ex_modify_cq);
PABI_WRAPPER(ibv_create_qp, pabi_hdr, ib_uverbs_create_qp);
PABI_WRAPPER(ibv_query_qp, pabi_hdr, ib_uverbs_query_qp);
PABI_WRAPPER(ibv_modify_qp, pabi_hdr, ib_uverbs_modify_qp);
PABI_WRAPPER(ibv_create_srq, pabi_hdr, ib_uverbs_create_srq);
PABI_WRAPPER(ibv_create_xsrq, pabi_hdr, ib_uverbs_create_xsrq);
PABI_WRAPPER(ibv_modify_srq, pabi_hdr, ib_uverbs_modify_srq);
PABI_WRAPPER(ibv_query_srq, pabi_hdr, ib_uverbs_query_srq);
PABI_WRAPPER(ibv_post_send, pabi_hdr, ib_uverbs_post_send);

/*
 * An ioctl method with driver attributes: a head the library knows, then
 * room for attributes. An unused index is 0xff.
 */
struct ibv_command_buffer {
	struct ibv_command_buffer *next;
	struct ib_uverbs_attr *next_attr;
	struct ib_uverbs_attr *last_attr;
	uint8_t uhw_in_idx;
	uint8_t uhw_out_idx;
	uint8_t uhw_in_headroom_dwords;
	uint8_t uhw_out_headroom_dwords;
	uint8_t buffer_error:1;
	uint8_t fallback_require_ex:1;
	uint8_t fallback_ioctl_only:1;
	struct ib_uverbs_ioctl_hdr hdr;
};

/*
 * Functions of the library's private version node
 */

#define PABI_CAT_(a, b) a##b
#define PABI_CAT(a, b) PABI_CAT_(a, b)
#define verbs_register_driver PABI_CAT(verbs_register_driver_, SIW_PABI)

void verbs_register_driver(const struct verbs_device_ops *ops);
void *_verbs_init_and_alloc_context(struct ibv_device *device, int cmd_fd,
				    size_t alloc_size,
				    struct verbs_context *context_offset,
				    uint32_t driver_id);
void verbs_uninit_context(struct verbs_context *context);
void verbs_set_ops(struct verbs_context *context,
		   const struct verbs_context_ops *ops);

int ibv_cmd_get_context(struct verbs_context *context,
			struct ibv_get_context *cmd, size_t cmd_size,
#if SIW_PABI >= 57
			struct ibv_fd_arr *fd_arr,
#endif
			struct ib_uverbs_get_context_resp *resp,
			size_t resp_size);
int ibv_cmd_query_context(struct ibv_context *context,
			  struct ibv_command_buffer *driver);
int ibv_cmd_query_device_any(struct ibv_context *context,
			     const struct ibv_query_device_ex_input *input,
			     struct ibv_device_attr_ex *attr, size_t attr_size,
			     struct ib_uverbs_ex_query_device_resp *resp,
			     size_t *resp_size);
int ibv_cmd_query_port(struct ibv_context *context, uint8_t port,
		       struct ibv_port_attr *attr, struct ibv_query_port *cmd,
		       size_t cmd_size);

int ibv_cmd_alloc_pd(struct ibv_context *context, struct ibv_pd *pd,
		     struct ibv_alloc_pd *cmd, size_t cmd_size,
		     struct ib_uverbs_alloc_pd_resp *resp, size_t resp_size);
int ibv_cmd_dealloc_pd(struct ibv_pd *pd);

int ibv_cmd_reg_mr(struct ibv_pd *pd, void *addr, size_t length,
		   uint64_t hca_va, int access, struct verbs_mr *mr,
		   struct ibv_reg_mr *cmd, size_t cmd_size,
		   struct ib_uverbs_reg_mr_resp *resp, size_t resp_size);
int ibv_cmd_rereg_mr(struct verbs_mr *mr, uint32_t flags, void *addr,
		     size_t length, uint64_t hca_va, int access,
		     struct ibv_pd *pd, struct ibv_rereg_mr *cmd,
		     size_t cmd_size, struct ib_uverbs_rereg_mr_resp *resp,
		     size_t resp_size);
/*
 * The last argument came with release 54, without a new PABI. Passing it to
 * an older library is harmless, leaving it out with a newer one is not.
 */
int ibv_cmd_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length,
			  uint64_t iova, int fd, int access,
			  struct verbs_mr *mr,
			  struct ibv_command_buffer *driver);
int ibv_cmd_dereg_mr(struct verbs_mr *mr);
int ibv_cmd_query_mr(struct ibv_pd *pd, struct verbs_mr *mr, uint32_t handle);
int ibv_cmd_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice,
		      uint32_t flags, struct ibv_sge *sg_list,
		      uint32_t num_sge);
int ibv_cmd_free_dm(struct verbs_dm *dm);
int ibv_cmd_reg_dm_mr(struct ibv_pd *pd, struct verbs_dm *dm, uint64_t offset,
		      size_t length, unsigned int access, struct verbs_mr *mr,
		      struct ibv_command_buffer *driver);
int ibv_cmd_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type,
		     struct ibv_mw *mw, struct ibv_alloc_mw *cmd,
		     size_t cmd_size, struct ib_uverbs_alloc_mw_resp *resp,
		     size_t resp_size);
int ibv_cmd_dealloc_mw(struct ibv_mw *mw);

int ibv_cmd_create_cq_ex(struct ibv_context *context,
			 const struct ibv_cq_init_attr_ex *attr,
#if SIW_PABI >= 59
			 struct verbs_create_cq_prov_attr *prov_attr,
#endif
			 struct verbs_cq *cq, struct ibv_create_cq_ex *cmd,
			 size_t cmd_size,
			 struct ib_uverbs_ex_create_cq_resp *resp,
			 size_t resp_size, uint32_t cmd_flags);
int ibv_cmd_resize_cq(struct ibv_cq *cq, int cqe, struct ibv_resize_cq *cmd,
		      size_t cmd_size, struct ib_uverbs_resize_cq_resp *resp,
		      size_t resp_size);
int ibv_cmd_modify_cq(struct ibv_cq *cq, struct ibv_modify_cq_attr *attr,
		      struct ibv_modify_cq *cmd, size_t cmd_size);
int ibv_cmd_destroy_cq(struct ibv_cq *cq);

int ibv_cmd_create_qp_ex(struct ibv_context *context, struct verbs_qp *qp,
			 struct ibv_qp_init_attr_ex *attr,
			 struct ibv_create_qp *cmd, size_t cmd_size,
			 struct ib_uverbs_create_qp_resp *resp,
			 size_t resp_size);
int ibv_cmd_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
		      struct ibv_modify_qp *cmd, size_t cmd_size);
int ibv_cmd_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
		     struct ibv_qp_init_attr *init_attr,
		     struct ibv_query_qp *cmd, size_t cmd_size);
int ibv_cmd_destroy_qp(struct ibv_qp *qp);
int ibv_cmd_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr,
		      struct ibv_send_wr **bad_wr);

int ibv_cmd_create_srq(struct ibv_pd *pd, struct ibv_srq *srq,
		       struct ibv_srq_init_attr *attr,
		       struct ibv_create_srq *cmd, size_t cmd_size,
		       struct ib_uverbs_create_srq_resp *resp,
		       size_t resp_size);
int ibv_cmd_create_srq_ex(struct ibv_context *context, struct verbs_srq *srq,
			  struct ibv_srq_init_attr_ex *attr,
			  struct ibv_create_xsrq *cmd, size_t cmd_size,
			  struct ib_uverbs_create_srq_resp *resp,
			  size_t resp_size);
int ibv_cmd_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr,
		       int mask, struct ibv_modify_srq *cmd, size_t cmd_size);
int ibv_cmd_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr,
		      struct ibv_query_srq *cmd, size_t cmd_size);
int ibv_cmd_destroy_srq(struct ibv_srq *srq);

/*
 * Assertions
 */

#if defined(__x86_64__) && defined(__LP64__)

#define PABI_SIZE(type, size) \
	_Static_assert(sizeof(struct type) == (size), "size of " #type)
#define PABI_AT(type, member, off) \
	_Static_assert(offsetof(struct type, member) == (off), \
		       "offset of " #type "." #member)

PABI_SIZE(verbs_match_ent, 24);
PABI_AT(verbs_match_ent, driver_data, 0);
PABI_AT(verbs_match_ent, u, 8);
PABI_AT(verbs_match_ent, vendor, 16);
PABI_AT(verbs_match_ent, device, 18);
PABI_AT(verbs_match_ent, kind, 20);

PABI_SIZE(verbs_device_ops, 72);
PABI_AT(verbs_device_ops, name, 0);
PABI_AT(verbs_device_ops, match_min_abi_version, 8);
PABI_AT(verbs_device_ops, match_max_abi_version, 12);
PABI_AT(verbs_device_ops, match_table, 16);
PABI_AT(verbs_device_ops, static_providers, 24);
PABI_AT(verbs_device_ops, match_device, 32);
PABI_AT(verbs_device_ops, alloc_context, 40);
PABI_AT(verbs_device_ops, import_context, 48);
PABI_AT(verbs_device_ops, alloc_device, 56);
PABI_AT(verbs_device_ops, uninit_device, 64);

PABI_SIZE(pabi_list_node, 16);

PABI_SIZE(verbs_device, 712);
PABI_AT(verbs_device, device, 0);
PABI_AT(verbs_device, ops, 664);
PABI_AT(verbs_device, refcount, 672);
PABI_AT(verbs_device, entry, 680);
PABI_AT(verbs_device, sysfs, 696);
PABI_AT(verbs_device, core_support, 704);

PABI_SIZE(verbs_sysfs_dev, 992);
PABI_AT(verbs_sysfs_dev, entry, 0);
PABI_AT(verbs_sysfs_dev, provider_data, 16);
PABI_AT(verbs_sysfs_dev, match, 24);
PABI_AT(verbs_sysfs_dev, flags, 32);
PABI_AT(verbs_sysfs_dev, sysfs_name, 36);
PABI_AT(verbs_sysfs_dev, sysfs_cdev, 104);
PABI_AT(verbs_sysfs_dev, ibdev_name, 112);
PABI_AT(verbs_sysfs_dev, ibdev_path, 176);
PABI_AT(verbs_sysfs_dev, modalias, 432);
PABI_AT(verbs_sysfs_dev, node_guid, 944);
PABI_AT(verbs_sysfs_dev, driver_id, 952);
PABI_AT(verbs_sysfs_dev, node_type, 956);
PABI_AT(verbs_sysfs_dev, ibdev_idx, 960);
PABI_AT(verbs_sysfs_dev, num_ports, 964);
PABI_AT(verbs_sysfs_dev, abi_ver, 968);
PABI_AT(verbs_sysfs_dev, time_created, 976);

PABI_SIZE(verbs_cq, 288);
PABI_AT(verbs_cq, cq, 0);
PABI_AT(verbs_cq, cq_ex, 0);

PABI_SIZE(verbs_srq, 160);
PABI_AT(verbs_srq, srq, 0);
PABI_AT(verbs_srq, srq_type, 128);
PABI_AT(verbs_srq, xrcd, 136);
PABI_AT(verbs_srq, cq, 144);
PABI_AT(verbs_srq, srq_num, 152);

PABI_SIZE(verbs_mr, 56);
PABI_AT(verbs_mr, ibv_mr, 0);
PABI_AT(verbs_mr, mr_type, 48);
PABI_AT(verbs_mr, access, 52);

PABI_SIZE(verbs_dm, 40);
PABI_AT(verbs_dm, dm, 0);
PABI_AT(verbs_dm, handle, 32);

PABI_SIZE(ibv_command_buffer, 56);
PABI_AT(ibv_command_buffer, next, 0);
PABI_AT(ibv_command_buffer, next_attr, 8);
PABI_AT(ibv_command_buffer, last_attr, 16);
PABI_AT(ibv_command_buffer, uhw_in_idx, 24);
PABI_AT(ibv_command_buffer, uhw_out_idx, 25);
PABI_AT(ibv_command_buffer, uhw_in_headroom_dwords, 26);
PABI_AT(ibv_command_buffer, uhw_out_headroom_dwords, 27);
PABI_AT(ibv_command_buffer, hdr, 32);

/* Wrapper and core response sizes */
PABI_SIZE(ibv_get_context, 16);
PABI_SIZE(ibv_query_port, 24);
PABI_SIZE(ibv_alloc_pd, 16);
PABI_SIZE(ibv_reg_mr, 48);
PABI_SIZE(ibv_rereg_mr, 56);
PABI_SIZE(ibv_alloc_mw, 24);
PABI_SIZE(ibv_create_cq_ex, 56);
PABI_SIZE(ibv_resize_cq, 24);
PABI_SIZE(ibv_modify_cq, 40);
PABI_SIZE(ibv_create_qp, 64);
PABI_SIZE(ibv_query_qp, 24);
PABI_SIZE(ibv_modify_qp, 120);
PABI_SIZE(ibv_create_srq, 40);
PABI_SIZE(ibv_create_xsrq, 56);
PABI_SIZE(ibv_modify_srq, 24);
PABI_SIZE(ibv_query_srq, 24);
PABI_SIZE(ibv_post_send, 32);
PABI_SIZE(ib_uverbs_get_context_resp, 8);
PABI_SIZE(ib_uverbs_ex_query_device_resp, 304);
PABI_SIZE(ib_uverbs_alloc_pd_resp, 4);
PABI_SIZE(ib_uverbs_reg_mr_resp, 12);
PABI_SIZE(ib_uverbs_rereg_mr_resp, 8);
PABI_SIZE(ib_uverbs_alloc_mw_resp, 8);
PABI_SIZE(ib_uverbs_ex_create_cq_resp, 16);
PABI_SIZE(ib_uverbs_resize_cq_resp, 8);
PABI_SIZE(ib_uverbs_create_qp_resp, 32);
PABI_SIZE(ib_uverbs_create_srq_resp, 16);

PABI_SIZE(verbs_context_ops, SIW_OPS_SIZE);

/* Offset of an op in releases 44..58, 59..61, 62..63, 64, 65 */
#define PABI_PICK(o44, o59, o62, o64, o65) \
	(SIW_RDMA_CORE >= 65 ? (o65) : \
	 SIW_RDMA_CORE >= 64 ? (o64) : \
	 SIW_RDMA_CORE >= 62 ? (o62) : \
	 SIW_RDMA_CORE >= 59 ? (o59) : (o44))
#define PABI_OP(op, o44, o59, o62, o64, o65) \
	PABI_AT(verbs_context_ops, op, PABI_PICK(o44, o59, o62, o64, o65))

PABI_OP(advise_mr, 0, 0, 0, 0, 0);
PABI_OP(alloc_mw, 16, 24, 24, 32, 32);
PABI_OP(alloc_pd, 40, 48, 48, 56, 56);
PABI_OP(async_event, 56, 64, 64, 72, 72);
PABI_OP(bind_mw, 80, 88, 88, 96, 96);
PABI_OP(cq_event, 96, 104, 104, 112, 112);
PABI_OP(create_cq, 120, 128, 128, 136, 144);
PABI_OP(create_cq_ex, 128, 136, 136, 144, 152);
PABI_OP(create_qp, 152, 160, 160, 168, 176);
PABI_OP(create_qp_ex, 160, 168, 168, 176, 184);
PABI_OP(create_srq, 176, 184, 184, 192, 200);
PABI_OP(create_srq_ex, 184, 192, 192, 200, 208);
PABI_OP(dealloc_mw, 200, 216, 216, 224, 232);
PABI_OP(dealloc_pd, 208, 224, 224, 232, 240);
PABI_OP(dereg_mr, 224, 240, 240, 248, 256);
PABI_OP(destroy_cq, 248, 264, 264, 272, 288);
PABI_OP(destroy_qp, 272, 288, 288, 296, 312);
PABI_OP(destroy_srq, 288, 304, 304, 312, 328);
PABI_OP(free_context, 312, 328, 336, 352, 368);
PABI_OP(modify_cq, 360, 376, 384, 400, 432);
PABI_OP(modify_qp, 376, 392, 400, 416, 448);
PABI_OP(modify_srq, 392, 408, 416, 432, 464);
PABI_OP(poll_cq, 424, 440, 448, 464, 496);
PABI_OP(post_recv, 432, 448, 456, 472, 504);
PABI_OP(post_send, 440, 456, 464, 480, 512);
PABI_OP(post_srq_recv, 456, 472, 480, 496, 528);
PABI_OP(query_device_ex, 464, 480, 488, 504, 552);
PABI_OP(query_port, 480, 496, 504, 520, 568);
PABI_OP(query_qp, 488, 504, 520, 536, 584);
PABI_OP(query_srq, 512, 528, 544, 560, 608);
PABI_OP(reg_dmabuf_mr, 536, 552, 568, 584, 648);
PABI_OP(reg_mr, 544, 560, 576, 592, 656);
PABI_OP(req_notify_cq, 552, 576, 592, 608, 672);
PABI_OP(rereg_mr, 560, 584, 600, 616, 680);
PABI_OP(resize_cq, 568, 592, 608, 624, 688);

#if SIW_RDMA_CORE < 59
/* The ops the table above leaves out, where all offsets are known */
PABI_AT(verbs_context_ops, alloc_dm, 8);
PABI_AT(verbs_context_ops, alloc_null_mr, 24);
PABI_AT(verbs_context_ops, alloc_parent_domain, 32);
PABI_AT(verbs_context_ops, alloc_td, 48);
PABI_AT(verbs_context_ops, attach_counters_point_flow, 64);
PABI_AT(verbs_context_ops, attach_mcast, 72);
PABI_AT(verbs_context_ops, close_xrcd, 88);
PABI_AT(verbs_context_ops, create_ah, 104);
PABI_AT(verbs_context_ops, create_counters, 112);
PABI_AT(verbs_context_ops, create_flow, 136);
PABI_AT(verbs_context_ops, create_flow_action_esp, 144);
PABI_AT(verbs_context_ops, create_rwq_ind_table, 168);
PABI_AT(verbs_context_ops, create_wq, 192);
PABI_AT(verbs_context_ops, dealloc_td, 216);
PABI_AT(verbs_context_ops, destroy_ah, 232);
PABI_AT(verbs_context_ops, destroy_counters, 240);
PABI_AT(verbs_context_ops, destroy_flow, 256);
PABI_AT(verbs_context_ops, destroy_flow_action, 264);
PABI_AT(verbs_context_ops, destroy_rwq_ind_table, 280);
PABI_AT(verbs_context_ops, destroy_wq, 296);
PABI_AT(verbs_context_ops, detach_mcast, 304);
PABI_AT(verbs_context_ops, free_dm, 320);
PABI_AT(verbs_context_ops, get_srq_num, 328);
PABI_AT(verbs_context_ops, import_dm, 336);
PABI_AT(verbs_context_ops, import_mr, 344);
PABI_AT(verbs_context_ops, import_pd, 352);
PABI_AT(verbs_context_ops, modify_flow_action_esp, 368);
PABI_AT(verbs_context_ops, modify_qp_rate_limit, 384);
PABI_AT(verbs_context_ops, modify_wq, 400);
PABI_AT(verbs_context_ops, open_qp, 408);
PABI_AT(verbs_context_ops, open_xrcd, 416);
PABI_AT(verbs_context_ops, post_srq_ops, 448);
PABI_AT(verbs_context_ops, query_ece, 472);
PABI_AT(verbs_context_ops, query_qp_data_in_order, 496);
PABI_AT(verbs_context_ops, query_rt_values, 504);
PABI_AT(verbs_context_ops, read_counters, 520);
PABI_AT(verbs_context_ops, reg_dm_mr, 528);
PABI_AT(verbs_context_ops, set_ece, 576);
PABI_AT(verbs_context_ops, unimport_dm, 584);
PABI_AT(verbs_context_ops, unimport_mr, 592);
PABI_AT(verbs_context_ops, unimport_pd, 600);
#endif

#ifndef SIW_PABI_LAYOUT_ONLY
PABI_SIZE(ibv_device, 664);
PABI_SIZE(ibv_context, 328);
PABI_SIZE(ibv_pd, 16);
PABI_SIZE(ibv_mr, 48);
PABI_SIZE(ibv_mw, 32);
PABI_SIZE(ibv_qp, 160);
PABI_SIZE(ibv_qp_ex, SIW_QP_EX_SIZE);
PABI_SIZE(ibv_cq, 128);
PABI_SIZE(ibv_cq_ex, 288);
PABI_SIZE(ibv_srq, 128);
PABI_SIZE(ibv_ah, 24);

PABI_SIZE(verbs_context, SIW_VERBS_CONTEXT_SIZE);
PABI_AT(verbs_context, context, SIW_VERBS_CONTEXT_SIZE - 328);
PABI_AT(verbs_context, sz, SIW_VERBS_CONTEXT_SIZE - 336);
PABI_AT(verbs_context, priv, SIW_VERBS_CONTEXT_SIZE - 440);
PABI_AT(verbs_context, create_cq_ex, SIW_VERBS_CONTEXT_SIZE - 448);
PABI_AT(verbs_context, query_device_ex, SIW_VERBS_CONTEXT_SIZE - 432);
PABI_AT(verbs_context, create_qp_ex, SIW_VERBS_CONTEXT_SIZE - 384);
PABI_AT(verbs_context, create_srq_ex, SIW_VERBS_CONTEXT_SIZE - 368);

PABI_SIZE(verbs_qp, SIW_QP_EX_SIZE + 16);
PABI_AT(verbs_qp, qp, 0);
PABI_AT(verbs_qp, qp_ex, 0);
PABI_AT(verbs_qp, comp_mask, SIW_QP_EX_SIZE);
PABI_AT(verbs_qp, xrcd, SIW_QP_EX_SIZE + 8);
#endif

#endif

#endif
