/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sockets of ours in a network namespace.
 */
#ifndef _SIW_NETNS_H
#define _SIW_NETNS_H

struct net;

void siw_netns_hold(struct net *net);
void siw_netns_release(struct net *net);

int siw_netns_init(void);
void siw_netns_exit(void);

#endif
