// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Protection domains. An STag belongs to one and is compared by address, so
 * there is nothing to keep but the count.
 */
#include "device.h"
#include "pd.h"

/**
 * siw_alloc_pd() - verbs entry point
 * @pd: protection domain, allocated by the core
 * @udata: user's request or NULL
 *
 * Context: process.
 * Return: 0, or -ENOMEM at the device's limit.
 */
int siw_alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	struct siw_device *sdev = to_siw_dev(pd->device);

	return siw_count_get(&sdev->num_pd, SIW_MAX_PD) ? 0 : -ENOMEM;
}

/**
 * siw_dealloc_pd() - verbs entry point
 * @pd: protection domain that nothing uses any more
 * @udata: user's request or NULL
 *
 * Context: process.
 * Return: 0.
 */
int siw_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	atomic_dec(&to_siw_dev(pd->device)->num_pd);
	return 0;
}
