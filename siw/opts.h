/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Settings: module parameters give a new device its settings, attributes in
 * /sys/class/infiniband/<dev>/siw/ change those of one device.
 */
#ifndef _SIW_OPTS_H
#define _SIW_OPTS_H

#include <linux/types.h>

struct attribute_group;
struct siw_device;

/* MPA CRC policy of a device. */
enum siw_crc_mode {
	SIW_CRC_ON,		/* ask for CRC: always used (RFC 5044 default) */
	SIW_CRC_OFF,		/* do not ask: off where the peer agrees */
};

/* What an RTR message of ours is made of, in order of preference. */
enum siw_rtr_pref {
	SIW_RTR_WRITE,
	SIW_RTR_READ,
	SIW_RTR_SEND,
};

/**
 * struct siw_dev_opts - settings of one device
 * @crc: CRC policy
 * @rtr: RTR type preferred as initiator
 * @markers: ask the peer for MPA markers
 * @p2p: offer the peer-to-peer model (MPA v2) as initiator
 * @mpa_rev: highest MPA revision spoken, 1 or 2
 * @server_first: after how long a responder in client/server mode sends though
 *	the initiator has not, in milliseconds, 0: never (RFC 5044 7.1.2)
 * @rnr_wait: how long a stream waits for a receive to be posted, in
 *	milliseconds, 0: not at all
 * @rdv_port: TCP port of the rendezvous, 0: switched off
 * @rdv_timeout: how long a QP waits for its peer there, in seconds
 * @peer_timeout: how long a peer of a connection may be silent before it is
 *	dead, in seconds
 * @zero_copy: least octets of a message that is sent by reference where that is
 *	possible, 0: none is
 * @port_map: let iwpmd map TCP ports, so that a listener does not meet a TCP
 *	listener of the host on the same port
 * @sq_poll: how long a thread may look at send queues in vain for a process, in
 *	microseconds, 0: no process may have one
 *
 * Copied from the module parameters when the device is created. Each is a
 * word of its own that may change at any time and is read once per
 * connection, @zero_copy once per message.
 */
struct siw_dev_opts {
	enum siw_crc_mode crc;
	enum siw_rtr_pref rtr;
	bool markers;
	bool p2p;
	u8 mpa_rev;
	u16 server_first;
	u16 rnr_wait;
	u16 rdv_port;
	u16 rdv_timeout;
	u16 peer_timeout;
	u32 zero_copy;
	bool port_map;
	u32 sq_poll;
};

extern const struct attribute_group siw_opts_group;

void siw_opts_default(struct siw_dev_opts *opts);
void siw_opts_apply(struct siw_device *sdev);

#endif
