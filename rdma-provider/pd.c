// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Protection domains, thread domains, parent domains, and the memory of
 * objects that live in them.
 */

#include <stdlib.h>
#include <string.h>

#include "siw.h"

/* An application's allocator is asked for whole cache lines */
#define SIW_OBJ_ALIGN 64

static void get_user(uint32_t *users)
{
	__atomic_fetch_add(users, 1, __ATOMIC_RELAXED);
}

static void put_user(uint32_t *users)
{
	__atomic_fetch_sub(users, 1, __ATOMIC_RELEASE);
}

static bool has_users(const uint32_t *users)
{
	return __atomic_load_n(users, __ATOMIC_ACQUIRE);
}

struct ibv_pd *siw_alloc_pd(struct ibv_context *context)
{
	struct ib_uverbs_alloc_pd_resp resp;
	struct ibv_alloc_pd cmd;
	struct siw_pd *pd;

	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;
	if (ibv_cmd_alloc_pd(context, &pd->pd, &cmd, sizeof(cmd), &resp,
			     sizeof(resp))) {
		free(pd);
		return NULL;
	}
	return &pd->pd;
}

struct ibv_pd *siw_import_pd(struct ibv_context *context, uint32_t handle)
{
	struct siw_pd *pd;

	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;
	pd->pd.context = context;
	pd->pd.handle = handle;
	return &pd->pd;
}

void siw_unimport_pd(struct ibv_pd *ibpd)
{
	free(to_siw_pd(ibpd));
}

static int check_parent_attr(const struct ibv_parent_domain_init_attr *attr)
{
	const uint32_t known = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
			       IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;

	if (!attr->pd || to_siw_pd(attr->pd)->base)
		return EINVAL;
	if (attr->comp_mask & ~known)
		return EOPNOTSUPP;
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS &&
	    (!attr->alloc || !attr->free))
		return EINVAL;
	return 0;
}

struct ibv_pd *siw_alloc_parent_domain(struct ibv_context *context,
				       struct ibv_parent_domain_init_attr *attr)
{
	struct siw_pd *pd;

	errno = check_parent_attr(attr);
	if (errno)
		return NULL;
	pd = calloc(1, sizeof(*pd));
	if (!pd)
		return NULL;
	pd->pd.context = context;
	pd->pd.handle = attr->pd->handle;
	pd->base = to_siw_pd(attr->pd);
	get_user(&pd->base->users);
	if (attr->td) {
		pd->td = siw_container(attr->td, struct siw_td, td);
		get_user(&pd->td->users);
	}
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) {
		pd->alloc = attr->alloc;
		pd->free = attr->free;
	}
	if (attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT)
		pd->alloc_ctx = attr->pd_context;
	return &pd->pd;
}

int siw_dealloc_pd(struct ibv_pd *ibpd)
{
	struct siw_pd *pd = to_siw_pd(ibpd);
	int ret;

	if (has_users(&pd->users))
		return EBUSY;
	if (pd->base) {
		put_user(&pd->base->users);
		if (pd->td)
			put_user(&pd->td->users);
	} else {
		ret = ibv_cmd_dealloc_pd(ibpd);
		if (ret)
			return ret;
	}
	free(pd);
	return 0;
}

struct ibv_td *siw_alloc_td(struct ibv_context *context,
			    struct ibv_td_init_attr *attr)
{
	struct siw_td *td;

	if (attr->comp_mask) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	td = calloc(1, sizeof(*td));
	if (!td)
		return NULL;
	td->td.context = context;
	return &td->td;
}

int siw_dealloc_td(struct ibv_td *ibtd)
{
	struct siw_td *td = siw_container(ibtd, struct siw_td, td);

	if (has_users(&td->users))
		return EBUSY;
	free(td);
	return 0;
}

/* ibv_alloc_parent_domain(3): whose it is, above what it is */
static uint64_t resource_type(enum siw_resource type)
{
	return (uint64_t)RDMA_DRIVER_SIW << 32 | type;
}

/**
 * siw_obj_alloc() - memory for an object, zeroed
 * @ibpd: domain the object is created in, may be NULL
 * @size: in bytes
 * @type: told to the application's allocator
 * @home: filled in; what siw_obj_free() needs to know
 *
 * Only a parent domain counts its users here: the kernel does so for a
 * protection domain.
 *
 * Return: the memory, or NULL with errno set.
 */
void *siw_obj_alloc(struct ibv_pd *ibpd, size_t size, enum siw_resource type,
		    struct siw_home *home)
{
	struct siw_pd *pd = ibpd ? to_siw_pd(ibpd) : NULL;
	void *obj = IBV_ALLOCATOR_USE_DEFAULT;

	if (pd && !pd->base)
		pd = NULL;
	home->domain = pd;
	home->custom = false;
	if (pd && pd->alloc)
		obj = pd->alloc(&pd->pd, pd->alloc_ctx, size, SIW_OBJ_ALIGN,
				resource_type(type));
	if (obj != IBV_ALLOCATOR_USE_DEFAULT)
		home->custom = true;
	else if (posix_memalign(&obj, SIW_OBJ_ALIGN, size))
		obj = NULL;
	if (!obj) {
		errno = ENOMEM;
		return NULL;
	}
	if (pd)
		get_user(&pd->users);
	memset(obj, 0, size);
	return obj;
}

/**
 * siw_obj_free() - undo siw_obj_alloc()
 * @home: as filled in then; by value, because it usually is part of @obj
 * @obj: the memory
 * @type: as given then
 *
 * Leaves errno alone, so that error paths may use it.
 */
void siw_obj_free(struct siw_home home, void *obj, enum siw_resource type)
{
	struct siw_pd *pd = home.domain;
	int err = errno;

	if (home.custom)
		pd->free(&pd->pd, pd->alloc_ctx, obj, resource_type(type));
	else
		free(obj);
	if (pd)
		put_user(&pd->users);
	errno = err;
}

/* Has the application promised to use the object from one thread only? */
bool siw_single_threaded(const struct siw_home *home)
{
	return home->domain && home->domain->td;
}
