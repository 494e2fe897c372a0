/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rendezvous: queue pairs that are connected by modify_qp, without rdma_cm.
 * Documentation/qp-rendezvous.rst has the exchange, states and timers.
 */
#ifndef _SIW_RDV_H
#define _SIW_RDV_H

#include <linux/list.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include "proto/rdv.h"

struct siw_device;
struct siw_ep;
struct siw_qp;
struct siw_rdv_listener;
struct sockaddr_storage;

/* What this kernel's end takes, RDV_CAP_*. */
#define SIW_RDV_CAPS		(RDV_CAP_SEND_IMM | RDV_CAP_ACK)

enum siw_rdv_state {
	SIW_RDV_NONE,		/* no peer was named */
	SIW_RDV_WAIT,		/* named, not connected yet */
	SIW_RDV_UP,		/* connected */
	SIW_RDV_OVER,		/* the wait or the connection has ended */
};

/**
 * struct siw_rdv - a QP's part in the rendezvous
 * @state: enum siw_rdv_state; written under siw_qp.mutex, read anywhere
 * @role: what this end does
 * @rts: the application has asked for RTS
 * @trying: an endpoint of ours is under way
 * @gone: the device goes or moves: give up; set in any context
 * @closing: the peer has closed in order; set in any context
 * @gen: number of the wait, to tell one from the next; never 0
 * @names: our end, the other end
 * @port: TCP port of the rendezvous
 * @deadline: end of the wait, in jiffies
 * @linger: end of the grace after @closing, in jiffies
 * @retry: when to try again, in jiffies
 * @delay: from one attempt to the next, in milliseconds
 * @node: in the table of those that wait as passive end
 * @ln: TCP listener; owned by @work
 * @work: takes the next step
 * @grh: of the address vector, without references
 * @sl: likewise
 * @path_mtu: attributes as given to modify_qp, for query_qp alone
 * @rq_psn: likewise
 * @sq_psn: likewise
 * @timeout: likewise
 * @retry_cnt: likewise
 * @rnr_retry: likewise
 * @min_rnr_timer: likewise
 * @max_rd_atomic: bound of our ORD
 * @max_dest_rd_atomic: our IRD
 *
 * All under siw_qp.mutex, but for what says otherwise, and @node and @gen,
 * which rdv_wait_lock guards too.
 */
struct siw_rdv {
	enum siw_rdv_state state;
	enum rdv_role role;
	bool rts;
	bool trying;
	bool gone;
	bool closing;
	u32 gen;
	struct rdv_hello names;
	u16 port;
	unsigned long deadline;
	unsigned long linger;
	unsigned long retry;
	unsigned int delay;
	struct hlist_node node;
	struct siw_rdv_listener *ln;
	struct delayed_work work;

	struct ib_global_route grh;
	u8 sl;
	enum ib_mtu path_mtu;
	u32 rq_psn;
	u32 sq_psn;
	u8 timeout;
	u8 retry_cnt;
	u8 rnr_retry;
	u8 min_rnr_timer;
	u8 max_rd_atomic;
	u8 max_dest_rd_atomic;
};

/* verbs (rdv.c) */
void siw_rdv_init(struct siw_qp *qp);
int siw_rdv_begin(struct siw_qp *qp, const struct ib_qp_attr *attr, int mask);
int siw_rdv_rts(struct siw_qp *qp, const struct ib_qp_attr *attr, int mask);
void siw_rdv_end(struct siw_qp *qp);
void siw_rdv_reset(struct siw_qp *qp);
void siw_rdv_stop(struct siw_qp *qp);
void siw_rdv_exit(struct siw_qp *qp);
void siw_rdv_query(const struct siw_qp *qp, struct ib_qp_attr *attr);
enum ib_qp_state siw_rdv_shown(const struct siw_qp *qp);
const char *siw_rdv_state_name(const struct siw_qp *qp);

/* the QP's connection (rdv.c) */
bool siw_rdv_named(const struct siw_qp *qp);
u32 siw_rdv_wait_gen(const struct siw_qp *qp);
void siw_rdv_attached(struct siw_qp *qp);
void siw_rdv_released(struct siw_qp *qp);
bool siw_rdv_linger(struct siw_qp *qp);

/* endpoints (rdv.c) */
bool siw_rdv_peer_ok(struct siw_ep *ep, const void *pdata);
void siw_rdv_replied(struct siw_ep *ep, int status);
void siw_rdv_requested(struct siw_ep *ep, const void *pdata);
void siw_rdv_self_up(struct siw_ep *ep);

/* devices (rdv.c) */
void siw_rdv_device_off(struct siw_device *sdev);

/* TCP listeners (rdv_listen.c) */
void siw_rdv_addr(struct siw_device *sdev, const u8 *gid, u16 port,
		  struct sockaddr_storage *addr);
void siw_rdv_gid(const struct sockaddr_storage *addr, u8 *gid);
void siw_rdv_expect(struct siw_qp *qp);
void siw_rdv_forget(struct siw_qp *qp);
struct siw_qp *siw_rdv_find(const struct net *net,
			    const struct siw_device *sdev, const u8 *own,
			    const u8 *peer, const struct rdv_hello *hello,
			    u32 *gen);
int siw_rdv_listen(struct siw_qp *qp, const struct sockaddr_storage *addr);
void siw_rdv_unlisten(struct siw_qp *qp);
void siw_rdv_check_all_gone(void);

#endif
