/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Pages that queue pairs wait for.
 */
#ifndef _SIW_PAGER_H
#define _SIW_PAGER_H

#include <linux/gfp_types.h>
#include <linux/kconfig.h>
#include <linux/kref.h>
#include <linux/workqueue.h>

/* For so long the end of a connection waits for pages, all together, in jiffies. */
#define SIW_FETCH_WAIT		(5 * HZ)

struct siw_fetch;
struct siw_mem_want;
struct siw_pager_user;
struct siw_qp;

/**
 * struct siw_pager - where the fetches of a user context sleep
 * @ref: the context, its regions
 * @user: who has it open
 * @wq: theirs alone
 * @free_work: frees it; who lets go last may run on @wq
 */
struct siw_pager {
	struct kref ref;
	struct siw_pager_user *user;
	struct workqueue_struct *wq;
	struct work_struct free_work;
};

enum siw_fetch_state {
	SIW_FETCH_NONE,
	SIW_FETCH_BUSY,
	SIW_FETCH_THERE,
	SIW_FETCH_LOST,
};

#if IS_ENABLED(CONFIG_MMU_NOTIFIER)

struct siw_pager *siw_pager_new(void);
void siw_pager_put(struct siw_pager *pager);
int siw_fetch_begin(struct siw_fetch **slot, struct siw_qp *qp,
		    const struct siw_mem_want *want,
		    void (*done)(struct siw_qp *qp), gfp_t gfp);
enum siw_fetch_state siw_fetch_take(struct siw_fetch **slot);
void siw_fetch_forget(struct siw_fetch *f);

#else

static inline void siw_pager_put(struct siw_pager *pager)
{
}

static inline int siw_fetch_begin(struct siw_fetch **slot, struct siw_qp *qp,
				  const struct siw_mem_want *want,
				  void (*done)(struct siw_qp *qp), gfp_t gfp)
{
	return -EFAULT;
}

static inline enum siw_fetch_state siw_fetch_take(struct siw_fetch **slot)
{
	return SIW_FETCH_NONE;
}

static inline void siw_fetch_forget(struct siw_fetch *f)
{
}

#endif

#endif
