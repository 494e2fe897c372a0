/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Endpoint: one connection as the connection manager sees it. Private to
 * ep.c, cm.c, startup.c, listen.c, rdv.c and rdv_listen.c.
 *
 * Life of an endpoint. Everything that happens to it is handled under its
 * mutex, in process context: by the caller of an iw_cm operation, by the QP
 * that lets go of it, or by its one work item. Socket callbacks, its timer and the
 * receive path only set bits and queue that work.
 *
 *	active:  CONNECTING -> WAIT_REPLY ------------------+
 *	passive: WAIT_REQUEST -> OFFERED -> WAIT_ACCEPT -+  +-> UP
 *	                                                 |     ^ |
 *	                              peer-to-peer only: +-> WAIT_FIRST
 *	                                                       | |
 *	                          DEAD <------ DRAINING <------+-+
 *
 * Each state but UP has a deadline, and every state can go to DEAD at once.
 *
 * Lock order: siw_ep.lock, then siw_listen_id.lock or the QP's mutex, then
 * the socket lock, then siw_device.ep_lock. iw_cm's event handler only takes a
 * spinlock of its own and queues the event, so it is called under siw_ep.lock:
 * that keeps the events of a connection in order.
 */
#ifndef _SIW_EP_H
#define _SIW_EP_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/socket.h>
#include <linux/workqueue.h>
#include "proto/mpa.h"

struct iw_cm_conn_param;
struct iw_cm_id;
struct net;
struct siw_acceptor;
struct siw_device;
struct siw_listen_id;
struct siw_llp;
struct siw_qp;

/* Time limits of startup and end, in seconds (RFC 5044 7.1.2 rule 8). */
#define SIW_CONNECT_TIMEOUT_S	30	/* TCP handshake */
#define SIW_REPLY_TIMEOUT_S	30	/* Request sent, Reply awaited */
#define SIW_REQUEST_TIMEOUT_S	10	/* for the whole Request */
#define SIW_REQUEST_CROWD_S	2	/* if many wait for theirs */
#define SIW_ACCEPT_TIMEOUT_S	60	/* our application decides */
#define SIW_FIRST_TIMEOUT_S	10	/* Reply sent, RTR awaited */
#define SIW_DRAIN_TIMEOUT_S	2	/* FIN sent, the peer's awaited: silence */
#define SIW_DRAIN_LAST_S	10	/* after a connection, whatever comes */

/* Endpoints of a device that may live at a time. */
#define SIW_MAX_EP		0x40000
/* Added to siw_device.num_eps: no new endpoints, see siw_cm_device_down(). */
#define SIW_EP_GATE		0x1000000

enum siw_ep_state {
	SIW_EP_IDLE,		/* not connected to anything yet */
	SIW_EP_CONNECTING,	/* active: TCP handshake */
	SIW_EP_WAIT_REPLY,	/* active: Request sent */
	SIW_EP_WAIT_REQUEST,	/* passive: Request incomplete */
	SIW_EP_OFFERED,		/* passive: iw_cm has no room for the event */
	SIW_EP_WAIT_ACCEPT,	/* passive: the application was asked */
	SIW_EP_WAIT_FIRST,	/* passive: QP attached, first FPDU awaited */
	SIW_EP_UP,		/* QP attached, iw_cm told */
	SIW_EP_DRAINING,	/* FIN sent, input dropped until the peer's */
	SIW_EP_DEAD,
	SIW_EP_NUM_STATES
};

enum siw_ep_event {
	SIW_EPE_FIRST,		/* a first FPDU arrived */
	SIW_EPE_ABORT,		/* the device goes, or the listener went */
};

/**
 * struct siw_ep - endpoint
 * @refs: references: one until the endpoint is dead, one of the queued work and
 *	one of the timer,
 *	one of the cookie, one of the QP
 * @lock: guards all below that has no other note; process context
 * @state: enum siw_ep_state
 * @events: enum siw_ep_event bits
 * @work: handles events and deadlines
 * @timer: queues it for the deadline
 * @deadline: jiffies when the state has lasted too long
 * @poll: look again soon, no event will tell
 * @sdev: device; constant
 * @dev_node: in siw_device.eps, under siw_device.ep_lock
 * @llp: socket; referenced, NULL once closed
 * @net: namespace of @llp, counted there
 * @cm_id: referenced; NULL before accept and once iw_cm has heard the last
 * @qp: referenced until the QP lets go
 * @qpn: number of @qp for those who do not hold @lock; 0 if none
 * @drain_end: when draining ends at the latest, in jiffies
 * @lid: passive: listener that gets the connect request, referenced
 * @acceptor: passive: socket that counts this endpoint as half open, referenced
 * @cookie: what iw_cm knows us by between request and accept; 0 if none
 * @rdv: of the rendezvous (rdv.c), not of iw_cm; constant once in use
 * @rdv_gen: number of the QP's wait, once it is known
 * @peer_caps: what the peer's end of a rendezvous can take, RDV_CAP_*
 * @self: the socket is connected to itself
 * @active: we are the initiator
 * @enhanced: active: the Request is one of MPA revision 2
 * @attached: the QP owns the connection
 * @cfg: what we offer and want
 * @sent: active: Request as sent
 * @rcvd: the peer's frame as received
 * @pdata: active: private data for the Request
 * @pdata_len: octets at @pdata
 * @have: octets of the frame in @buf
 * @buf: startup frame being received, or to be sent
 */
struct siw_ep {
	refcount_t refs;
	struct mutex lock;	/* all without a note above */
	enum siw_ep_state state;
	unsigned long events;
	struct work_struct work;
	struct timer_list timer;
	unsigned long deadline;
	unsigned long drain_end;
	bool poll;

	struct siw_device *sdev;
	struct list_head dev_node;
	struct siw_llp *llp;
	struct net *net;
	struct iw_cm_id *cm_id;
	struct siw_qp *qp;
	u32 qpn;
	struct siw_listen_id *lid;
	struct siw_acceptor *acceptor;
	u32 cookie;

	bool rdv;
	u32 rdv_gen;
	u32 peer_caps;

	bool self;
	bool active;
	bool enhanced;
	bool attached;
	struct mpa_config cfg;
	struct mpa_params sent;
	struct mpa_params rcvd;
	void *pdata;
	u16 pdata_len;

	u16 have;
	u8 buf[MPA_FRAME_MAX];
};

/* ep.c: life of an endpoint */
struct siw_ep *siw_ep_new(struct siw_device *sdev);
void siw_ep_kick(struct siw_ep *ep);
void siw_ep_set_state(struct siw_ep *ep, enum siw_ep_state state,
		      unsigned int timeout_s, int status);
void siw_ep_set_llp(struct siw_ep *ep, struct siw_llp *llp, struct net *net);
void siw_ep_close_llp(struct siw_ep *ep, bool reset);
void siw_ep_own(struct siw_ep *ep);
void siw_ep_drain(struct siw_ep *ep, unsigned int last_s, int status);
void siw_ep_die(struct siw_ep *ep, bool reset, int status);
int siw_ep_attach(struct siw_ep *ep, const struct mpa_settings *set);
void siw_ep_drop_cm_id(struct siw_ep *ep);
int siw_ep_give_cookie(struct siw_ep *ep);
void siw_ep_withdraw_cookie(struct siw_ep *ep);
struct siw_ep *siw_ep_take_cookie(u32 cookie);
void siw_ep_check_all_gone(void);
/* cm.c: what iw_cm is told */
int siw_ep_tell_request(struct siw_ep *ep, const void *pdata);
void siw_ep_tell_reply(struct siw_ep *ep, int status, const void *pdata);
void siw_ep_tell_established(struct siw_ep *ep, int status);

/* startup.c: MPA startup */
void siw_ep_config(struct siw_ep *ep, u32 ird, u32 ord);
int siw_ep_connect(struct siw_ep *ep, struct iw_cm_id *cm_id,
		   const struct iw_cm_conn_param *param);
void siw_ep_work(struct work_struct *work);
void siw_ep_timer(struct siw_ep *ep, unsigned long when);
int siw_ep_accept(struct siw_ep *ep, struct iw_cm_id *cm_id,
		  const struct iw_cm_conn_param *param);
void siw_ep_refuse(struct siw_ep *ep, const void *pdata, u16 pd_len,
		   int status);

#endif
