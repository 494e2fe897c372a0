/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The rdma link type, and how devices follow their netdevs.
 */
#ifndef _SIW_NETDEV_H
#define _SIW_NETDEV_H

struct siw_device;

void siw_link_init(struct siw_device *sdev);
void siw_link_exit(struct siw_device *sdev);
bool siw_link_up(const struct siw_device *sdev);

int siw_netdev_init(void);
void siw_netdev_exit(void);

#endif
