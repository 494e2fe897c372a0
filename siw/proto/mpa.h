/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MPA: startup frames, negotiation, FPDU framing, CRC and markers
 * (RFC 5044, RFC 6581). Pure functions on buffers and values.
 */
#ifndef SIW_PROTO_MPA_H
#define SIW_PROTO_MPA_H

#include <iwarp/mpa.h>
#include "err.h"
#include "port.h"

/* ------------------------------------------------------------ startup --- */

/* Who sends a frame: the Initiator a Request, the Responder a Reply. */
enum mpa_frame {
	MPA_REQUEST,
	MPA_REPLY,
};

/* Ready-to-receive messages of RFC 6581 9.2: control flags B, C and D. */
enum mpa_rtr {
	MPA_RTR_SEND	= 1 << 0,	/* flag B: zero-length Send */
	MPA_RTR_WRITE	= 1 << 1,	/* flag C: zero-length RDMA Write */
	MPA_RTR_READ	= 1 << 2,	/* flag D: zero-length RDMA Read */
	MPA_RTR_ALL	= MPA_RTR_SEND | MPA_RTR_WRITE | MPA_RTR_READ,
};

/**
 * struct mpa_params - contents of a startup frame but for private data
 * @rev: MPA revision, MPA_REV_1 or MPA_REV_2
 * @markers: M bit: the sender wants markers in what it receives
 * @crc: C bit
 * @reject: R bit, of a Reply
 * @enhanced: S bit; the members below count only when it is set
 * @p2p: control flag A
 * @rtr: mask of enum mpa_rtr, control flags B, C and D
 * @ird: IRD of the sender or MPA_DEPTH_NONE
 * @ord: ORD of the sender or MPA_DEPTH_NONE
 * @pd_len: octets of the ULP's private data, enhanced header not counted
 */
struct mpa_params {
	u8	rev;
	bool	markers;
	bool	crc;
	bool	reject;
	bool	enhanced;
	bool	p2p;
	u8	rtr;
	u16	ird;
	u16	ord;
	u16	pd_len;
};

/**
 * mpa_pd_max() - room for the ULP's private data in a frame
 * @enhanced: whether the frame carries the enhanced header
 *
 * Context: any.
 * Return: octets.
 */
static inline u16 mpa_pd_max(bool enhanced)
{
	return enhanced ? MPA_ULP_PD_MAX : MPA_PD_MAX;
}

/**
 * mpa_startup_encode() - write a Request or Reply frame
 * @buf: destination
 * @size: octets at @buf, MPA_FRAME_MAX is always enough
 * @type: which of the two frames
 * @p: contents; @p->pd_len octets of @pdata follow the header
 * @pdata: private data of the ULP, may be NULL when there is none
 *
 * Reserved bits, and the R bit of a Request, are sent as zero.
 *
 * Context: any.
 * Return: length of the frame in octets; -EINVAL for a combination the RFCs
 * don't know (S without Rev 2, depth above 14 bits), -EMSGSIZE when private
 * data exceed mpa_pd_max() or the frame exceeds @size (RFC 5044 7.1.1).
 */
int mpa_startup_encode(void *buf, size_t size, enum mpa_frame type,
		       const struct mpa_params *p, const void *pdata);

/**
 * mpa_startup_check() - judge the first 20 octets of a startup frame
 * @hdr: MPA_STARTUP_LEN octets
 * @expect: the frame that is due here
 * @pd_len: set to the octets of Private Data still to be received, 0 to 512
 *
 * To be called before any memory is set aside for what follows.
 *
 * Context: any.
 * Return: IW_OK or IW_ERR_MPA_KEY, _ROLE, _REV, _PD_LEN, _ENHANCED.
 */
enum iw_err mpa_startup_check(const void *hdr, enum mpa_frame expect,
			      u16 *pd_len);

/**
 * mpa_startup_decode() - read a complete startup frame
 * @buf: the frame
 * @len: octets at @buf; those after the frame's end are not looked at
 * @expect: the frame that is due here
 * @p: contents of the frame
 * @pdata: set to the private data of the ULP inside @buf, of @p->pd_len octets
 *
 * Reserved bits and the R bit of a Request are ignored (RFC 5044 7.1.1). The
 * frame occupies MPA_STARTUP_LEN octets plus what mpa_startup_check() returned.
 *
 * Context: any.
 * Return: IW_OK or an error as of mpa_startup_check(); IW_ERR_MPA_PD_LEN also
 * when @len is less than the frame needs.
 */
enum iw_err mpa_startup_decode(const void *buf, size_t len,
			       enum mpa_frame expect, struct mpa_params *p,
			       const void **pdata);

/* -------------------------------------------------------- negotiation --- */

/**
 * struct mpa_config - what the local side offers and wants
 * @crc: set the C bit; if clear, CRC is used only when the peer wants it
 * @markers: set the M bit: ask for markers in what we receive
 * @enhanced: Initiator: send an enhanced Request; Responder: revision 2 is on
 * @p2p: Initiator: ask for the peer-to-peer model. A Responder always copies
 *	flag A of the Request
 * @rtr: mask of enum mpa_rtr: RTR types we can send and take, at least one
 * @rtr_prefer: one of enum mpa_rtr to choose when several are possible, or 0
 *	for the default order Write, Read, Send
 * @ird: IRD the ULP wants, at most @max_ird
 * @ord: ORD the ULP wants, at most @max_ord
 * @max_ird: limit of the device
 * @max_ord: limit of the device
 */
struct mpa_config {
	bool	crc;
	bool	markers;
	bool	enhanced;
	bool	p2p;
	u8	rtr;
	u8	rtr_prefer;
	u16	ird;
	u16	ord;
	u16	max_ird;
	u16	max_ord;
};

/**
 * struct mpa_settings - outcome of a negotiation for one end
 * @rev: revision in use, the lower of both frames' revisions
 * @enhanced: both frames were enhanced
 * @crc: CRC is generated and checked, in both directions
 * @tx_markers: we insert markers
 * @rx_markers: the peer inserts markers
 * @hold: nothing may be sent before a first valid FPDU came in (a Responder,
 *	RFC 5044 7.1.2 rule 4)
 * @p2p: peer-to-peer model: an RTR message opens the stream
 * @rtr: the one enum mpa_rtr that opens the stream, 0 without @p2p. The
 *	Initiator sends an RTR Read even if @ord is 0
 * @ird: Reads and atomics we accept at a time
 * @ord: Reads and atomics we may have outstanding
 * @peer_ird: as in the peer's frame, for the ULP; 0 if not enhanced
 * @peer_ord: likewise
 */
struct mpa_settings {
	u8	rev;
	bool	enhanced;
	bool	crc;
	bool	tx_markers;
	bool	rx_markers;
	bool	hold;
	bool	p2p;
	u8	rtr;
	u16	ird;
	u16	ord;
	u16	peer_ird;
	u16	peer_ord;
};

/**
 * mpa_ird_slots() - requests a receiver must have room for
 * @ird: negotiated IRD
 *
 * One slot remains at IRD 0: an RTR Read comes even there (trap T-11).
 *
 * Context: any.
 * Return: number of slots.
 */
static inline u16 mpa_ird_slots(u16 ird)
{
	return ird ? ird : 1;
}

/**
 * mpa_request() - compose the Initiator's Request
 * @cfg: local side
 * @req: filled in, all but @req->pd_len, which is set to 0
 *
 * Context: any.
 */
void mpa_request(const struct mpa_config *cfg, struct mpa_params *req);

/**
 * mpa_respond() - the Responder's half of the negotiation
 * @cfg: local side
 * @req: Request as received
 * @rep: accepting Reply, all but @rep->pd_len, which is set to 0
 * @set: resulting settings
 *
 * Depths are matched the relaxed way: our ORD is lowered to the Request's IRD,
 * our IRD raised to the Request's ORD as far as the device goes. Flag A is
 * copied and exactly one RTR type granted (RFC 6581 9; traps T-02, T-04).
 *
 * Context: any.
 * Return: IW_OK; IW_ERR_MPA_REV when the Request is enhanced and revision 2
 * is switched off locally: close TCP without a Reply (RFC 6581 10).
 */
enum iw_err mpa_respond(const struct mpa_config *cfg,
			const struct mpa_params *req, struct mpa_params *rep,
			struct mpa_settings *set);

/**
 * mpa_respond_reject() - compose a rejecting Reply
 * @cfg: local side; its IRD and ORD are named as the wanted ones
 * @req: Request as received
 * @rep: rejecting Reply, all but @rep->pd_len, which is set to 0
 *
 * Context: any.
 * Return: as of mpa_respond().
 */
enum iw_err mpa_respond_reject(const struct mpa_config *cfg,
			       const struct mpa_params *req,
			       struct mpa_params *rep);

/**
 * mpa_conclude() - the Initiator's half of the negotiation
 * @cfg: local side, as given to mpa_request()
 * @req: Request as it was sent
 * @rep: Reply as received
 * @set: resulting settings; @set->peer_ird and @set->peer_ord are valid for a
 *	reject too, everything needed to send a Terminate for each other error
 *
 * Context: any.
 * Return: IW_OK; IW_ERR_REJECTED for a Reply with the R bit; IW_ERR_MPA_IRD or
 * IW_ERR_MPA_RTR to be answered with a Terminate; IW_ERR_MPA_ENHANCED when the
 * Reply is enhanced though the Request was not: close TCP.
 */
enum iw_err mpa_conclude(const struct mpa_config *cfg,
			 const struct mpa_params *req,
			 const struct mpa_params *rep,
			 struct mpa_settings *set);

/* ------------------------------------------------------------ framing --- */

/**
 * mpa_pad_len() - octets of padding behind a ULPDU
 * @ulpdu_len: octets of ULPDU
 *
 * Context: any.
 * Return: 0 to 3.
 */
static inline u32 mpa_pad_len(u32 ulpdu_len)
{
	return -(MPA_LEN_SIZE + ulpdu_len) & 3;
}

/**
 * mpa_fpdu_size() - length of an FPDU without markers
 * @ulpdu_len: octets of ULPDU
 *
 * Context: any.
 * Return: octets from ULPDU_Length through CRC.
 */
static inline u32 mpa_fpdu_size(u32 ulpdu_len)
{
	return ((MPA_LEN_SIZE + ulpdu_len + 3) & ~3u) + MPA_CRC_SIZE;
}

/**
 * mpa_mulpdu() - largest ULPDU for a TCP segment size (RFC 5044 4.5)
 * @emss: effective maximum segment size of TCP in octets
 * @markers: whether markers are inserted in this direction
 *
 * Such an FPDU fills @emss but for @emss mod 4, so that a connection whose
 * segment size is a multiple of four stays aligned.
 *
 * Context: any.
 * Return: octets, MPA_MULPDU_MIN to MPA_ULPDU_MAX.
 */
u32 mpa_mulpdu(u32 emss, bool markers);

/**
 * mpa_mulpdu_at() - largest ULPDU at a known place in a marked stream
 * @emss: effective maximum segment size of TCP in octets
 * @pos: stream position of the FPDU, see mpa_marker_count()
 *
 * Allows for the markers that really fall into the FPDU instead of the worst
 * case of mpa_mulpdu(), so that FPDUs start on segments in marked streams too.
 *
 * Context: any.
 * Return: octets, MPA_MULPDU_MIN to MPA_ULPDU_MAX.
 */
u32 mpa_mulpdu_at(u32 emss, u32 pos);

/**
 * mpa_put_len() - write ULPDU_Length
 * @fpdu: first octet of an FPDU
 * @ulpdu_len: octets of ULPDU
 *
 * Context: any.
 */
static inline void mpa_put_len(void *fpdu, u16 ulpdu_len)
{
	u8 *p = fpdu;

	p[0] = ulpdu_len >> 8;
	p[1] = ulpdu_len & 0xff;
}

/**
 * mpa_get_len() - read ULPDU_Length
 * @fpdu: two octets
 *
 * Context: any.
 * Return: octets of ULPDU.
 */
static inline u16 mpa_get_len(const void *fpdu)
{
	const u8 *p = fpdu;

	return p[0] << 8 | p[1];
}

/* CRC-32C register before the first octet (RFC 5044 4.4). */
#define MPA_CRC_INIT		(~0u)
/* register after a good FPDU, its CRC octets included */
#define MPA_CRC_RESIDUE		(~0x48674bc7u)

/**
 * mpa_crc_add() - run octets through the CRC register
 * @crc: register, MPA_CRC_INIT at the start of an FPDU
 * @data: octets
 * @len: number of octets
 *
 * Context: any.
 * Return: new register.
 */
static inline u32 mpa_crc_add(u32 crc, const void *data, u32 len)
{
	return crc32c(crc, data, len);
}

/**
 * mpa_crc_put() - write the CRC field, least significant octet first
 * @dst: MPA_CRC_SIZE octets
 * @crc: register after all octets the CRC covers
 *
 * Context: any.
 */
static inline void mpa_crc_put(void *dst, u32 crc)
{
	__le32 wire = cpu_to_le32(~crc);

	memcpy(dst, &wire, MPA_CRC_SIZE);
}

/**
 * mpa_crc_ok() - compare a received CRC field
 * @field: MPA_CRC_SIZE octets as received
 * @crc: register after all octets the CRC covers
 *
 * Context: any.
 * Return: true if they agree.
 */
static inline bool mpa_crc_ok(const void *field, u32 crc)
{
	__le32 wire;

	memcpy(&wire, field, MPA_CRC_SIZE);
	return le32_to_cpu(wire) == ~crc;
}

/**
 * mpa_seal() - complete an unmarked FPDU in place: zero pad and CRC
 * @fpdu: ULPDU_Length and ULPDU, with room for mpa_fpdu_size() octets
 * @crc_on: write the CRC; if false the field is zeroed (SEC-11)
 *
 * Context: any.
 * Return: length of the FPDU in octets.
 */
u32 mpa_seal(void *fpdu, bool crc_on);

/* ------------------------------------------------------------ markers --- */

/**
 * mpa_marker_gap() - distance to the next marker
 * @pos: octets sent in this direction since SeqStart, markers included,
 *	modulo 2^32; a multiple of four between FPDUs
 *
 * Context: any.
 * Return: octets of FPDU before the next marker, 0 to 508; 0 if it is due now.
 */
static inline u32 mpa_marker_gap(u32 pos)
{
	return -pos & (MPA_MARKER_SPACE - 1);
}

/**
 * mpa_marker_count() - markers that fall into an FPDU
 * @pos: stream position where the FPDU, or a marker before it, begins
 * @size: octets of the FPDU without markers
 *
 * A marker due right behind the last octet belongs to the next FPDU.
 *
 * Context: any.
 * Return: number of markers.
 */
static inline u32 mpa_marker_count(u32 pos, u32 size)
{
	u32 gap = mpa_marker_gap(pos);

	if (size <= gap)
		return 0;
	return (size - gap - 1) / (MPA_MARKER_SPACE - MPA_MARKER_SIZE) + 1;
}

/**
 * mpa_marked_size() - octets of stream an FPDU takes up with its markers
 * @pos: stream position
 * @size: octets of the FPDU without markers
 *
 * Context: any.
 * Return: octets.
 */
static inline u32 mpa_marked_size(u32 pos, u32 size)
{
	return size + mpa_marker_count(pos, size) * MPA_MARKER_SIZE;
}

/**
 * struct mpa_view - where an FPDU lies in the stream
 * @len_off: octets before ULPDU_Length: a marker's size or 0
 * @ulpdu_len: octets of ULPDU
 * @size: octets of FPDU without markers
 * @wire: octets of stream, markers included, from the position given
 */
struct mpa_view {
	u32	len_off;
	u32	ulpdu_len;
	u32	size;
	u32	wire;
};

/**
 * mpa_peek_len() - octets needed before the length of an FPDU is known
 * @pos: stream position of the FPDU
 * @markers: whether the stream carries markers
 *
 * Context: any.
 * Return: 2 or 6.
 */
static inline u32 mpa_peek_len(u32 pos, bool markers)
{
	return MPA_LEN_SIZE +
	       (markers && !mpa_marker_gap(pos) ? MPA_MARKER_SIZE : 0);
}

/**
 * mpa_peek() - find out how long the FPDU at hand is
 * @first: the first mpa_peek_len() octets of the FPDU
 * @pos: stream position of @first
 * @markers: whether the stream carries markers
 * @v: filled in
 *
 * Context: any.
 */
static inline void mpa_peek(const void *first, u32 pos, bool markers,
			    struct mpa_view *v)
{
	v->len_off = mpa_peek_len(pos, markers) - MPA_LEN_SIZE;
	v->ulpdu_len = mpa_get_len((const u8 *)first + v->len_off);
	v->size = mpa_fpdu_size(v->ulpdu_len);
	v->wire = markers ? mpa_marked_size(pos, v->size) : v->size;
}

/**
 * mpa_mark() - insert markers into a built FPDU
 * @dst: destination of mpa_marked_size() octets, must not overlap @fpdu
 * @fpdu: unmarked FPDU: length, ULPDU, pad; its CRC field is not read
 * @pos: stream position of @dst
 * @crc_on: compute the CRC over the marked octets; if false it is zero
 *
 * Context: any.
 * Return: octets written to @dst.
 */
u32 mpa_mark(void *dst, const void *fpdu, u32 pos, bool crc_on);

/**
 * mpa_unmark() - check a marked FPDU and take its markers out
 * @dst: destination of mpa_fpdu_size() octets; may be @src itself
 * @src: FPDU as received, @v->wire octets from @pos on
 * @pos: stream position of @src
 * @v: from mpa_peek()
 * @crc_on: check the CRC, before anything is written to @dst
 *
 * The CRC field at @dst is the one received, which covers the markers too: it
 * does not fit the unmarked FPDU.
 *
 * Context: any.
 * Return: IW_OK; IW_ERR_CRC; IW_ERR_MARKER if an FPDUPTR does not lead to this
 * FPDU's ULPDU_Length (RFC 5044 8).
 */
enum iw_err mpa_unmark(void *dst, const void *src, u32 pos,
		       const struct mpa_view *v, bool crc_on);

#endif /* SIW_PROTO_MPA_H */
