/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP listeners, shared by all our devices.
 */
#ifndef _SIW_LISTEN_H
#define _SIW_LISTEN_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>

struct iw_cm_event;
struct iw_cm_id;
struct net;
struct siw_device;
struct siw_ep;
struct siw_listener;
struct sockaddr_storage;

/**
 * struct siw_listen_id - one listening iw_cm_id
 * @refs: references: one until destroyed, one of each passive endpoint
 * @lock: guards @cm_id; held while iw_cm is told of a connect request
 * @cm_id: referenced; NULL once destroyed, which comes after leaving @all
 * @sdev: device of @cm_id; valid while @cm_id is
 * @net: namespace of who listens; only compared
 * @listener: shared socket, NULL while there is none; under siw_listen_lock,
 *	referenced
 * @node: in siw_listener.ids, under siw_acceptor.lock
 * @all: in the list of all, under siw_listen_lock
 * @backlog: connections that may wait
 */
struct siw_listen_id {
	refcount_t refs;
	struct mutex lock;	/* cm_id */
	struct iw_cm_id *cm_id;
	struct siw_device *sdev;
	struct net *net;
	struct siw_listener *listener;
	struct list_head node;
	struct list_head all;
	int backlog;
};

int siw_listen_tell(struct siw_listen_id *lid, struct iw_cm_event *ev);
bool siw_listen_alive(struct siw_listen_id *lid);
void siw_listen_leave(struct siw_ep *ep);
void siw_listen_report_addr(struct siw_device *sdev,
			    struct sockaddr_storage *addr);
void siw_listen_device_off(struct siw_device *sdev);
void siw_listen_device_on(struct siw_device *sdev);

#endif
