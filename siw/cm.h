/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connection management: iw_cm operations, MPA startup, end of a connection.
 */
#ifndef _SIW_CM_H
#define _SIW_CM_H

#include <rdma/iw_cm.h>

struct siw_device;
struct siw_ep;
struct siw_llp;
struct siw_qp;

/* iw_cm operations of the device */
int siw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int siw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param);
int siw_reject(struct iw_cm_id *cm_id, const void *pdata, u8 pd_len);
int siw_create_listen(struct iw_cm_id *cm_id, int backlog);
int siw_destroy_listen(struct iw_cm_id *cm_id);

/*
 * Called by the QP, process context, qp->mutex not held. The QP has let go of
 * the connection: it neither sends nor places any more, its queues are
 * flushed. The endpoint tells iw_cm and closes the connection.
 */
enum siw_close_how {
	SIW_CLOSE_GRACEFUL,	/* FIN sent or to be sent, drain until FIN */
	SIW_CLOSE_ABORT,	/* reset */
};

void siw_cm_qp_released(struct siw_ep *ep, enum siw_close_how how, int status);

/*
 * Called by the QP in softirq or process context, once: the first valid FPDU
 * of a passive connection arrived, the connection is now established for
 * both sides.
 */
void siw_cm_first_fpdu(struct siw_ep *ep);

/*
 * To be called first when a QP is destroyed: ends a startup exchange that
 * still holds a reference on it. Context: process or softirq.
 */
void siw_cm_abort_connect(struct siw_qp *qp);

void siw_ep_get(struct siw_ep *ep);
void siw_ep_put(struct siw_ep *ep);

/*
 * siw_cm_device_down() ends all connections and listeners of a device for
 * good, siw_cm_device_moved() ends them and listens again in the namespace the
 * netdev is in now. Both wait until everything is gone; process context, RTNL
 * not held.
 */
void siw_cm_device_down(struct siw_device *sdev);
void siw_cm_device_moved(struct siw_device *sdev);

/*
 * Resets connections when the netdev is about to be removed and can still
 * send. Process context, RTNL may be held.
 */
void siw_cm_device_leaving(struct siw_device *sdev);

int siw_cm_init(void);
void siw_cm_exit(void);

#endif
