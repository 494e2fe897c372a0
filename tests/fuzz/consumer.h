/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A receiver in user space: takes a stream in pieces of any size, puts FPDUs
 * together and checks them with siw/proto as the kernel does.
 */
#ifndef TESTS_FUZZ_CONSUMER_H
#define TESTS_FUZZ_CONSUMER_H

#include "proto/mpa.h"
#include "proto/rdmap.h"

#define CONSUMER_ROOM	4096	/* size of every posted receive */

/**
 * struct consumer - receive side of one stream
 * @markers: the stream carries markers
 * @crc: CRCs are checked
 * @pos: stream position of the FPDU being put together
 * @have: octets of it that have arrived
 * @rx: RDMAP state
 * @err: first fault; nothing is accepted after it
 * @fpdus: FPDUs accepted
 * @digest: over everything that was accepted, to compare two runs
 * @buf: the FPDU being put together, with its markers
 */
struct consumer {
	bool		markers;
	bool		crc;
	u32		pos;
	u32		have;
	struct rdmap_rx	rx;
	enum iw_err	err;
	u32		fpdus;
	u32		digest;
	u8		buf[MPA_MARKED_MAX];
};

/**
 * consumer_init() - start of full operation
 * @c: receiver
 * @markers: the stream carries markers
 * @crc: check CRCs
 */
void consumer_init(struct consumer *c, bool markers, bool crc);

/**
 * consumer_feed() - a piece of the stream arrives
 * @c: receiver
 * @data: octets
 * @len: number of octets
 */
void consumer_feed(struct consumer *c, const u8 *data, size_t len);

#endif /* TESTS_FUZZ_CONSUMER_H */
