// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Device memory: mapped into the process, copied by the CPU.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_user_ioctl.h>

#include "siw.h"

/* Copies are of whole words, as devices want them */
#define DM_WORD 4

/**
 * struct siw_dm - device memory
 * @vdm: what the library knows
 * @map: the memory
 * @map_len: bytes mapped
 * @length: bytes asked for
 */
struct siw_dm {
	struct verbs_dm vdm;
	uint8_t *map;
	size_t map_len;
	size_t length;
};

static struct siw_dm *to_siw_dm(struct ibv_dm *dm)
{
	return siw_container(dm, struct siw_dm, vdm.dm);
}

/* The library's own command has no room for the key: an ioctl of ours */
static int alloc_cmd(struct siw_dm *dm, int cmd_fd,
		     const struct ibv_alloc_dm_attr *attr, uint64_t *key)
{
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attr[4];
	} cmd = {
		.hdr = {
			.length = sizeof(cmd),
			.object_id = UVERBS_OBJECT_DM,
			.method_id = UVERBS_METHOD_DM_ALLOC,
			.num_attrs = 4,
			.driver_id = RDMA_DRIVER_SIW,
		},
		.attr[0] = {
			.attr_id = UVERBS_ATTR_ALLOC_DM_HANDLE,
			.flags = UVERBS_ATTR_F_MANDATORY,
		},
		.attr[1] = {
			.attr_id = UVERBS_ATTR_ALLOC_DM_LENGTH,
			.len = sizeof(uint64_t),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = attr->length,
		},
		.attr[2] = {
			.attr_id = UVERBS_ATTR_ALLOC_DM_ALIGNMENT,
			.len = sizeof(uint32_t),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = attr->log_align_req,
		},
		.attr[3] = {
			.attr_id = SIW_ATTR_ALLOC_DM_KEY,
			.len = sizeof(*key),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = (uintptr_t)key,
		},
	};

	if (ioctl(cmd_fd, RDMA_VERBS_IOCTL, &cmd))
		return errno;
	dm->vdm.handle = cmd.attr[0].data;
	dm->vdm.dm.handle = dm->vdm.handle;
	return 0;
}

static bool in_words(const struct siw_dm *dm, uint64_t offset, size_t length)
{
	return offset % DM_WORD == 0 && length % DM_WORD == 0 &&
	       offset <= dm->length && length <= dm->length - offset;
}

static int copy_to(struct ibv_dm *ibdm, uint64_t offset, const void *src,
		   size_t length)
{
	struct siw_dm *dm = to_siw_dm(ibdm);

	if (!in_words(dm, offset, length))
		return EINVAL;
	memcpy(dm->map + offset, src, length);
	return 0;
}

static int copy_from(void *dst, struct ibv_dm *ibdm, uint64_t offset,
		     size_t length)
{
	struct siw_dm *dm = to_siw_dm(ibdm);

	if (!in_words(dm, offset, length))
		return EINVAL;
	memcpy(dst, dm->map + offset, length);
	return 0;
}

static int map_dm(struct siw_dm *dm, int cmd_fd, uint64_t key)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *map;

	dm->map_len = (dm->length + page - 1) & ~(page - 1);
	map = mmap(NULL, dm->map_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		   cmd_fd, (off_t)key);
	if (map == MAP_FAILED)
		return errno;
	dm->map = map;
	return 0;
}

static struct siw_dm *new_dm(struct ibv_context *context)
{
	struct siw_dm *dm;

	dm = calloc(1, sizeof(*dm));
	if (!dm)
		return NULL;
	dm->vdm.dm.context = context;
	dm->vdm.dm.memcpy_to_dm = copy_to;
	dm->vdm.dm.memcpy_from_dm = copy_from;
	return dm;
}

struct ibv_dm *siw_alloc_dm(struct ibv_context *context,
			    struct ibv_alloc_dm_attr *attr)
{
	struct siw_dm *dm;
	uint64_t key;
	int ret;

	if (!siw_has(context, SIW_FEAT_DM) || attr->comp_mask) {
		errno = attr->comp_mask ? EINVAL : EOPNOTSUPP;
		return NULL;
	}
	dm = new_dm(context);
	if (!dm)
		return NULL;
	dm->length = attr->length;
	ret = alloc_cmd(dm, context->cmd_fd, attr, &key);
	if (ret)
		goto free_dm;
	ret = map_dm(dm, context->cmd_fd, key);
	if (ret)
		goto dealloc_dm;
	return &dm->vdm.dm;

dealloc_dm:
	ibv_cmd_free_dm(&dm->vdm);
free_dm:
	free(dm);
	errno = ret;
	return NULL;
}

int siw_free_dm(struct ibv_dm *ibdm)
{
	struct siw_dm *dm = to_siw_dm(ibdm);
	int ret;

	ret = ibv_cmd_free_dm(&dm->vdm);
	if (ret)
		return ret;
	munmap(dm->map, dm->map_len);
	free(dm);
	return 0;
}

static int query_cmd(int cmd_fd, uint32_t handle, uint64_t *key,
		     uint64_t *length)
{
	struct {
		struct ib_uverbs_ioctl_hdr hdr;
		struct ib_uverbs_attr attr[3];
	} cmd = {
		.hdr = {
			.length = sizeof(cmd),
			.object_id = UVERBS_OBJECT_DM,
			.method_id = SIW_METHOD_DM_QUERY,
			.num_attrs = 3,
			.driver_id = RDMA_DRIVER_SIW,
		},
		.attr[0] = {
			.attr_id = SIW_ATTR_QUERY_DM_HANDLE,
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = handle,
		},
		.attr[1] = {
			.attr_id = SIW_ATTR_QUERY_DM_KEY,
			.len = sizeof(*key),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = (uintptr_t)key,
		},
		.attr[2] = {
			.attr_id = SIW_ATTR_QUERY_DM_LENGTH,
			.len = sizeof(*length),
			.flags = UVERBS_ATTR_F_MANDATORY,
			.data = (uintptr_t)length,
		},
	};

	return ioctl(cmd_fd, RDMA_VERBS_IOCTL, &cmd) ? errno : 0;
}

struct ibv_dm *siw_import_dm(struct ibv_context *context, uint32_t handle)
{
	uint64_t key, length;
	struct siw_dm *dm;
	int ret;

	if (!siw_has(context, SIW_FEAT_DM)) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	ret = query_cmd(context->cmd_fd, handle, &key, &length);
	if (ret) {
		errno = ret;
		return NULL;
	}
	dm = new_dm(context);
	if (!dm)
		return NULL;
	dm->vdm.handle = handle;
	dm->vdm.dm.handle = handle;
	dm->length = length;
	ret = map_dm(dm, context->cmd_fd, key);
	if (ret) {
		free(dm);
		errno = ret;
		return NULL;
	}
	return &dm->vdm.dm;
}

/* The memory stays with its owner */
void siw_unimport_dm(struct ibv_dm *ibdm)
{
	struct siw_dm *dm = to_siw_dm(ibdm);

	munmap(dm->map, dm->map_len);
	free(dm);
}

struct ibv_mr *siw_reg_dm_mr(struct ibv_pd *pd, struct ibv_dm *ibdm,
			     uint64_t offset, size_t length,
			     unsigned int access)
{
	struct siw_dm *dm = to_siw_dm(ibdm);
	struct verbs_mr *mr;
	int ret;

	mr = calloc(1, sizeof(*mr));
	if (!mr)
		return NULL;
	ret = ibv_cmd_reg_dm_mr(pd, &dm->vdm, offset, length, access, mr,
				NULL);
	if (ret) {
		free(mr);
		errno = ret;
		return NULL;
	}
	return &mr->ibv_mr;
}
